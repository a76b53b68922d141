"""Users without a server: values that Redmine would take or drop in silence."""

from __future__ import annotations

import pytest
from canned import Canned
from engine import apply_to, offline, plan_of, problems_of
from odd_writes import Writable


def wrong(manifest: str) -> list[str]:
    """What can be told to be wrong without a server."""
    return [problem.message for problem in offline(manifest).problems]


# -- users -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("language: eng", 'unknown language "eng": did you mean "en"?'),
        ("language: xx-XX", 'unknown language "xx-XX"'),
        ("mail_notification: some", "mail_notification: expected one of all, selected"),
        ("password: correct horse, auth_source: Directory", "omit it"),
        ("generate_password: true, auth_source: Directory", "omit it"),
        ("mail_notification: null", "mail_notification cannot be cleared"),
    ],
)
def test_values_of_users_that_redmine_would_take_or_drop_in_silence(field: str, said: str) -> None:
    """A language or a mail option that there is not, and a password that is not kept, are problems without a server."""
    (message,) = wrong(f"users: [{{login: amy, firstname: A, lastname: A, mail: a@example.net, {field}}}]")
    assert said in message


# -- what goes along, and what must not ------------------------------------------------------------------------


def test_an_unknown_preference_is_a_problem() -> None:
    """Redmine drops it without a word: the manifest is refused, with a near miss."""
    text = "users: [{login: pia, pref: {timezone: Berlin}}, {login: pim, pref: {hide_mail: perhaps}}]"
    found = [p.message for p in offline(text).problems]
    assert any('unknown preference "timezone": did you mean "time_zone"?' in message for message in found)
    assert any("hide_mail: expected true or false" in message for message in found)


# -- who waits for activation ----------------------------------------------------------------------------------

REGISTERED, ACTIVE, LOCKED = 2, 1, 3


def waiting() -> Canned:
    """A server on which somebody has registered."""
    server = Canned()
    server.add("users", login="cid", status=REGISTERED, **NAMED)
    return server


def cid(more: str = "") -> str:
    """The declaration of the same user."""
    return f"users: [{{login: cid, firstname: C, lastname: C, mail: cid@example.net{more}}}]"


NAMED = {"firstname": "C", "lastname": "C", "mail": "cid@example.net"}


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ("", REGISTERED),
        (", status: active", ACTIVE),
        (", status: locked", LOCKED),
        (", status: registered", REGISTERED),
    ],
)
def test_who_waits_for_activation_is_found(more: str, status: int) -> None:
    """The account is not created again; it is activated or locked only if the manifest says so, and the plan shows it."""
    server = waiting()
    changes = [(f.before, f.after) for change in plan_of(server, cid(more)).changes for f in change.all_fields]
    assert changes == ([] if status == REGISTERED else [("registered", more.removeprefix(", status: "))])
    apply_to(server, cid(more))
    assert [(u["login"], u["status"]) for u in server.rows("users")[1:]] == [("cid", status)]
    assert plan_of(server, cid(more)).changes == ()


def test_a_new_account_can_wait_for_activation() -> None:
    """It is never active, not even for a moment."""
    server = Canned()
    apply_to(server, cid(", status: registered"))
    assert [m for m, _ in server.seen if m != "GET"] == ["POST"]
    assert server.row("users", "cid")["status"] == REGISTERED


@pytest.mark.parametrize(("more", "status"), [("", REGISTERED), (", status: active", ACTIVE)])
def test_who_registers_while_the_plan_is_carried_out_is_adopted(more: str, status: int) -> None:
    """Redmine refuses the POST, and the account that it is refused for is found; what is declared of it is written."""
    server = Writable()

    def registers(method: str, path: str) -> None:
        if method == "POST":
            server.before = lambda method, path: None
            server.add("users", login="cid", status=REGISTERED, **NAMED)

    server.before = registers
    (result,) = apply_to(server, cid(more)).results
    assert result.outcome == "done"
    assert [u["status"] for u in server.rows("users")[1:]] == [status]


def test_the_own_account_stays_active() -> None:
    """Whoever applies the plan would lock itself out."""
    (problem,) = problems_of(Canned(), "users: [{login: admin, status: registered}]")
    assert "so it must stay active" in problem.message
