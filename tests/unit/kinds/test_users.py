"""Users without a server: values that Redmine would take or drop in silence."""

from __future__ import annotations

import pytest
from canned import Canned
from engine import offline, problems_of


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


@pytest.mark.parametrize("mail", ["nomail", "a b@example.net", "@example.net", "a@", "a@b@c.net"])
def test_malformed_mails(mail: str) -> None:
    """An address that no Redmine takes is a problem at the address."""
    (problem,) = problems_of(Canned(), f'users: [{{login: amy, firstname: A, lastname: B, mail: "{mail}"}}]')
    assert problem.message == f'mail: "{mail}": Redmine refuses it as an e-mail address'
    assert problem.location.column == 49


@pytest.mark.parametrize(
    "mail", ["a@localhost", "ä@example.net", "a.b+c@sub.example.co.uk", "A@xn--exmple-cua.net", "o'x@a.de"]
)
def test_mails_that_some_redmine_takes(mail: str) -> None:
    """What 5.0 and 6.1 do not agree on is left to the server."""
    assert not problems_of(Canned(), f'users: [{{login: amy, firstname: A, lastname: B, mail: "{mail}"}}]')


def test_mails_that_redmine_stores_otherwise() -> None:
    """Redmine removes blanks around an address, and 6.1 encodes its domain, which would be a change in every plan."""
    (problem,) = problems_of(Canned(), "users: [{login: amy, firstname: A, lastname: B, mail: a@exämple.net}]")
    assert problem.message == 'mail: "a@exämple.net": write its domain as xn--exmple-cua.net, as Redmine stores it'
    (problem,) = problems_of(Canned(), 'users: [{login: amy, firstname: A, lastname: B, mail: " a@example.net"}]')
    assert problem.message == 'mail: " a@example.net": blanks around it, which Redmine removes'


def test_an_old_mail_may_be_anything() -> None:
    """A live address that Redmine would not take any more is no problem."""
    redmine = Canned()
    redmine.add("users", login="amy", mail="nomail")
    assert not problems_of(redmine, "users: [{login: amy, mail: nomail}]")
