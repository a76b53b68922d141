"""Users without a server: values that Redmine would take or drop in silence."""

from __future__ import annotations

import pytest
from engine import offline


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
