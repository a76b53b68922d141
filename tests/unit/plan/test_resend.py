"""`resend`: values that Redmine never shows are written again when somebody asks for it, and not before."""

from __future__ import annotations

import pytest
from engine import offline
from plans import PERSON, live_of, user

from reconciler.errors import ReconcilerError
from reconciler.model.address import Address
from reconciler.model.spec import Secret
from reconciler.plan.planner import Plan, make
from reconciler.plan.targets import resent
from reconciler.render import text

AMY = f"users: [{{login: amy, password: canary, language: fr, must_change_passwd: true, {PERSON}}}]"


def plan(*patterns: str) -> Plan:
    """The plan for a user who is as declared, as far as Redmine shows."""
    wanted = offline(AMY)
    live = live_of(wanted, [user(5, "amy", firstname="A", lastname="B", mail="c@example.net")])
    return make(wanted, live, "http://redmine.test", resent=resent(patterns, wanted.objects))


def test_nothing_is_sent_again_by_itself() -> None:
    """Without a pattern a password, a language or a flag that cannot be read is no change."""
    assert plan().changes == ()


def test_what_is_asked_for_is_sent_again() -> None:
    """The named fields, and only they, are one change; a secret stays one."""
    (change,) = plan("user/amy.password", "user/*.lang*").changes
    assert {f.path: f.after for f in change.fields} == {"language": "fr", "password": Secret("canary")}
    shown = text.plan(plan("user/amy.password"), color=False)
    assert "canary" not in shown
    assert "password  (secret)" in shown
    assert "(none)" not in shown


def test_what_redmine_shows_is_compared_as_ever() -> None:
    """To ask for a field that can be read is an error: it would do nothing."""
    with pytest.raises(ReconcilerError, match="it is compared and need not be sent again"):
        plan("user/amy.firstname")


def test_a_pattern_without_a_field_is_an_error() -> None:
    """A pattern that matches no declared field is refused with a near miss."""
    with pytest.raises(ReconcilerError, match=r'matches no declared field \(did you mean "user/amy\.password"'):
        resent(["user/amy.pasword"], {Address("user", "amy"): offline(AMY).objects[Address("user", "amy")]})
