"""Time entries without a server: hours, keys, and what a manifest may say of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from engine import offline
from promises import Api, project, raw_shop

from reconciler.kinds.time_entries import Hours
from reconciler.model.codecs import Codec
from reconciler.sandbox import Running

MODULES = ["issue_tracking", "time_tracking"]
DAY = "2026-11-02"


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    """The bare API, and a project in which time can be logged."""
    with Api(world) as api:
        raw_shop(api, enabled_module_names=MODULES)
        yield api


def entry(**more: Any) -> dict[str, Any]:
    """The declaration of an hour that the administrator spent."""
    return {"user": "admin", "spent_on": DAY, "activity": "Design", "hours": 1, **more}


def shop(*entries: dict[str, Any], identifier: str = "shop", **more: Any) -> dict[str, Any]:
    """A manifest of the project and its time entries."""
    return {"projects": [project(identifier, enabled_modules=MODULES, time_entries=list(entries), **more)]}


def activity(api: Api, name: str) -> int:
    """The id of an activity of all projects."""
    return api.id("/enumerations/time_entry_activities", name)


# -- values ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "shown"),
    [(0.01, 0.01), (0.01, 0.02), (1.01, 1.02), (2.5, 2.5), (1 / 3, 0.33), (0.125, 0.13), (0.125, 0.12), (None, None)],
)
def test_hours_are_compared_as_redmine_shows_them(hours: float | None, shown: float | None) -> None:
    """5.0 shows hundredths, 6.0 and later hundredths of whole minutes: both are the hours that were declared."""
    codec: Codec = Hours()
    assert codec.equal(hours, shown)


@pytest.mark.parametrize(
    ("hours", "shown"), [(1, 1.02), (1.5, 1.52), (0.5, None), (None, 1), (0.25, 0.23), (0.25, 0.27), (2, 2.01)]
)
def test_another_minute_is_a_difference(hours: float | None, shown: float | None) -> None:
    """Hours that differ by a minute are not the same."""
    assert not Hours().equal(hours, shown)


def test_long_comments_make_a_short_key() -> None:
    """Comments of several lines, or long ones, are part of the key: in one short line, and each in its own."""
    texts = ["one", "one\ntwo", "one\nthree", "x" * 100, "x" * 101]
    wanted = offline(json.dumps({"time_entries": [entry(project="shop", comments=text) for text in texts]}))
    assert wanted.problems == ()
    keys = [address.key for address in wanted.objects]
    assert len(keys) == 5
    assert all(key.isprintable() and len(key) < 120 for key in keys)
    assert f"shop/{DAY} admin Design: one" in keys


# -- problems --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"renamed_from": "x"}, "a time entry has no name; set `id`"),
        ({"issue": {"project": "else", "key": "a"}}, "the issue is in another project"),
        ({"hours": -1}, "hours: expected a number of at least 0"),
        ({"hours": None}, "hours cannot be cleared"),
        ({"spent_on": "tomorrow"}, "spent_on: expected a date (YYYY-MM-DD)"),
        ({"user": None}, "user: expected a string"),
        ({"comments": "x" * 1025}, "comments: expected a string of at most 1024 characters"),
    ],
)
def test_what_can_be_said_without_a_server(more: dict[str, Any], said: str) -> None:
    """Values that no Redmine takes are problems of `validate`."""
    problems = offline(json.dumps({"time_entries": [entry(project="shop", **more)]})).problems
    assert said in " ".join(map(str, problems))
