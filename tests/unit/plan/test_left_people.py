"""People who have left: what a plan does with users who are locked, and what names them."""

from __future__ import annotations

import pytest
from engine import offline
from plans import (
    PERSON,
    SHOP,
    Present,
    after,
    comes_before,
    inside,
    issue,
    live_of,
    operation,
    plan,
    planned,
    project,
    steps,
    the,
    user,
)

from reconciler.errors import ManifestError
from reconciler.model.address import Address
from reconciler.model.name_index import CustomField
from reconciler.plan.operations import Lock, Reopen
from reconciler.plan.planner import make
from reconciler.plan.targets import select

CID = user(5, "cid", status=3)
DECLARED = "users: [{login: cid, status: locked}]"
USER = Address("user", "cid")
ISSUE = Address("issue", "shop/s")
ENTRY = "{user: cid, spent_on: 2026-01-02, activity: Design, hours: 1}"
ACTIVITY: Present = ("time_entry_activity", "Design", {"id": 8, "name": "Design", "active": True})
NEEDS_ACTIVE = {
    "assigned_to": "issues: [{subject: s, assigned_to: cid}]",
    "author": "issues: [{subject: s, author: cid}]",
    "watchers": "issues: [{subject: s, watchers: [cid]}]",
    "notes": "issues: [{subject: s, notes: [{text: bye, author: cid}]}]",
    "user": f"time_entries: [{ENTRY}]",
}
"""Field → what of a new object Redmine accepts active users in only."""


def problems(text: str, *present: Present) -> list[tuple[int, int, str, str]]:
    """What is wrong with a plan: line, column, message and hint."""
    with pytest.raises(ManifestError) as caught:
        plan(text, *present)
    return [(p.location.line, p.location.column, p.message, p.hint) for p in caught.value.problems]


@pytest.mark.parametrize("text", NEEDS_ACTIVE.values(), ids=NEEDS_ACTIVE)
def test_a_locked_user_is_unlocked_for_what_names_the_account_and_locked_again(text: str) -> None:
    """The plan unlocks the user first, says why, and locks the account after everything that names it."""
    made = plan(f"{inside(text)}\n{DECLARED}", SHOP, CID, ACTIVITY)
    change = the(made, "user", "cid")
    (other,) = [c.address for c in made.changes if c is not change]
    assert steps(change) == [{"status": "active"}, {"status": "locked"}]
    assert [type(o) for o in change.operations] == [Reopen, Lock]
    assert change.reason == "status locked prevents the planned changes"
    assert after(change) == {str(other)}
    assert (USER, 0) in operation(made, other).requires, "who stays locked is not named"


@pytest.mark.parametrize("text", NEEDS_ACTIVE.values(), ids=NEEDS_ACTIVE)
def test_nobody_is_unlocked_who_is_not_declared_locked(text: str) -> None:
    """A run that is killed would leave the account open for good: it is a problem, at the value, with what to do."""
    for users in ("", "\nusers: [{login: cid}]", "\nusers: [{login: cid, status: locked, create_only: [status]}]"):
        ((line, _, message, hint),) = problems(inside(text) + users, SHOP, CID, ACTIVITY)
        assert line == 3
        assert message.endswith("user cid is locked, and Redmine accepts only active users here")
        assert hint == "declare the user with `status: locked`: it is made active for this and locked again after"


def test_a_user_who_is_declared_active_is_unlocked_for_good() -> None:
    """There is no problem, and nothing is locked again."""
    text = inside(NEEDS_ACTIVE["assigned_to"]) + "\nusers: [{login: cid, status: active}]"
    made = plan(text, SHOP, CID)
    assert steps(the(made, "user", "cid")) == [{"status": "active"}]
    assert (USER, 0) in operation(made, ISSUE).requires


@pytest.mark.parametrize("users", ["", "\nusers: [{login: cid, status: locked}]"])
def test_a_registered_user_is_not_activated_in_passing(users: str) -> None:
    """Redmine mails whoever is activated: only the manifest can say so."""
    ((_, _, message, hint),) = problems(inside(NEEDS_ACTIVE["author"]) + users, SHOP, user(5, "cid", status=2))
    assert "user cid is registered" in message
    assert hint == "declare the user with `status: active`, or leave out this value"
    active = "\nusers: [{login: cid, status: active}]"
    assert steps(the(plan(inside(NEEDS_ACTIVE["author"]) + active, SHOP, user(5, "cid", status=2)), "user", "cid"))


@pytest.mark.parametrize("live", [(), (user(5, "cid"),), (CID,), (user(5, "cid", status=2),)])
@pytest.mark.parametrize("text", NEEDS_ACTIVE.values(), ids=NEEDS_ACTIVE)
def test_nothing_new_names_a_user_who_is_to_wait_for_activation(text: str, live: tuple[Present, ...]) -> None:
    """Whatever the account is now: Redmine would refuse the value, or the user would have been let in for it."""
    users = f"\nusers: [{{login: cid, {PERSON}, status: registered}}]"
    ((_, _, message, hint),) = problems(inside(text) + users, SHOP, ACTIVITY, *live)
    assert message.endswith("user cid is registered, and Redmine accepts only active users here")
    assert hint == "declare the user with `status: active`, or leave out this value"


def test_who_is_new_and_locked_is_locked_last() -> None:
    """The account is created active, and locked at the end even if what needed it failed."""
    made = plan(
        f"{inside(NEEDS_ACTIVE['author'])}\nusers: [{{login: cid, {PERSON}, status: locked}}]",
        SHOP,
    )
    change = the(made, "user", "cid")
    assert "status" not in steps(change)[0]
    assert steps(change)[1] == {"status": "locked"}
    lock = operation(made, USER, 1)
    assert lock.requires == ((USER, 0),)
    assert (ISSUE, 0) in lock.after, "whatever becomes of the issue"


def test_who_is_to_be_locked_is_locked_after_the_last_work_whatever_becomes_of_it() -> None:
    """An active user who leaves gets the lock even if an issue, or another field of the user, fails."""
    text = inside(NEEDS_ACTIVE["assigned_to"]) + "\nusers: [{login: cid, firstname: New, status: locked}]"
    made = plan(text, SHOP, user(5, "cid", firstname="Old"))
    assert steps(the(made, "user", "cid")) == [{"firstname": "New"}, {"status": "locked"}]
    lock = operation(made, USER, 1)
    assert lock.requires == ()
    assert {(USER, 0), (ISSUE, 0)} <= set(lock.after)


def test_what_names_a_locked_user_already_may_keep_it() -> None:
    """An assignee, watcher and author of a note who was locked since needs no unlocking, and is no problem."""
    kept = "notes: [{text: bye, author: cid}], watchers: [amy, cid], assigned_to: cid"
    row = {
        "journals": [{"id": 1, "notes": "bye", "user": {"id": 5}, "private_notes": False}],
        "watchers": [{"id": 5, "name": "c"}],
        "assigned_to": {"id": 5, "name": "c"},
    }
    more = kept.replace("notes: [", "notes: [new, ")
    live = SHOP, CID, user(6, "amy"), issue(9, "shop", "s", **row)
    for users in ("", f"\n{DECLARED}"):
        made = plan(inside(f"issues: [{{subject: s, {more}}}]") + users, *live)
        assert [str(c.address) for c in made.changes] == ["issue shop/s"]
    again = more.replace("notes: [new", "notes: [{text: bye, author: cid}")
    made = plan(f"{inside(f'issues: [{{subject: s, {again}}}]')}\n{DECLARED}", *live)
    assert [str(c.address) for c in made.changes] == ["user cid", "issue shop/s"], "a second note is a new one"


def test_a_locked_user_may_be_a_default_assignee_and_a_member() -> None:
    """Redmine takes a locked user there (5.0 to 6.1)."""
    role = ("role", "Developer", {"id": 4, "name": "Developer"})
    text = inside(
        "default_assigned_to: cid",
        "issue_categories: [{name: c, assigned_to: cid}]",
        "members: [{user: cid, roles: [Developer]}]",
    )
    for users in ("", f"\n{DECLARED}"):
        made = plan(text + users, project(1, "shop", default_assignee=None), CID, role)
        assert "user cid" not in [str(c.address) for c in made.changes]


@pytest.mark.parametrize("multiple", [False, True])
def test_a_custom_field_takes_active_users_only(multiple: bool) -> None:
    """A locked user is unlocked for a custom field; a value that is there already needs no unlocking."""
    value = "[cid, amy]" if multiple else "cid"
    wanted = offline(f"{inside(f'issues: [{{subject: s, custom_fields: {{Owner: {value}}}}}]')}\n{DECLARED}")
    present = SHOP, CID, user(6, "amy")
    live = live_of(wanted, present)
    live.names.custom_fields["issue"] = {"Owner": CustomField(1, "Owner", "user", multiple)}
    assert steps(the(make(wanted, live, "http://redmine.test"), "user", "cid"))[-1] == {"status": "locked"}

    held = {"id": 1, "name": "Owner", "value": ["5"] if multiple else "5"}
    live = live_of(wanted, [*present, issue(9, "shop", "s", custom_fields=[held])])
    live.names.custom_fields["issue"] = {"Owner": CustomField(1, "Owner", "user", multiple)}
    made = make(wanted, live, "http://redmine.test")
    assert [str(c.address) for c in made.changes] == (["issue shop/s"] if multiple else [])


def test_a_target_takes_in_the_user_who_is_unlocked_for_it() -> None:
    """The user is unlocked and locked again for a chosen issue, and for no other."""
    wanted = offline(f"{inside('issues: [{subject: s, assigned_to: cid}, {subject: t}]')}\n{DECLARED}")
    made = planned(wanted, (SHOP, CID))
    assert select(made, wanted.objects, ["issue/shop/s"]).chosen == {USER, ISSUE}
    assert select(made, wanted.objects, ["issue/shop/t"]).chosen == {Address("issue", "shop/t")}


def test_the_lock_comes_after_a_login_that_is_taken_last() -> None:
    """Two users who swap their mail addresses: the lock comes whatever becomes of that."""
    text = "users: [{login: cid, mail: b@example.net, status: locked}, {login: amy, mail: a@example.net}]"
    live = user(5, "cid", mail="a@example.net", status=3), user(6, "amy", mail="b@example.net")
    made = plan(f"{inside(NEEDS_ACTIVE['assigned_to'])}\n{text}", SHOP, *live)
    *_, last = the(made, "user", "cid").operations
    locks = [o for o in the(made, "user", "cid").operations if isinstance(o, Lock)]
    assert [o.requires for o in locks] == [()]
    assert comes_before(made, (ISSUE, 0), (USER, locks[0].id.number)), last
