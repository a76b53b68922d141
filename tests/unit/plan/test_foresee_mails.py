"""Mail addresses that no Redmine takes are problems of the plan."""

from __future__ import annotations

import pytest
from canned import Canned
from engine import problems_of


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
