"""What is relied on of the account that the credentials belong to. A wrong `admin` would hide what it may not see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.errors import OddResponse

ACCOUNT = "/users/current"
FORM: Mapping[str, tuple[type, str]] = {
    "id": (int, "a whole number"),
    "login": (str, "a text"),
    "admin": (bool, "true or false"),
}
MAY_LACK = "admin"
"""Redmine shows it to the account itself and to administrators (5.0 to 7.0); other servers may not."""


def checked_account(user: dict[str, Any]) -> dict[str, Any]:
    """The account, if it is as Redmine shows it. Raises OddResponse."""
    for why in _faults(user):
        raise OddResponse(f"The response to GET {ACCOUNT} is not as Redmine's are: {why}.")
    return user


def _faults(user: Mapping[str, Any]) -> Iterator[str]:
    for name, (wanted, said) in FORM.items():
        value = user.get(name)
        if value in (None, "") and name != MAY_LACK:
            yield f"user.{name} is missing"
        elif value is not None and type(value) is not wanted:
            yield f"user.{name} is not {said}"
