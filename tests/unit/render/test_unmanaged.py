"""What no manifest declares, in every format: counted without the option, listed with it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from samples import plan_of

from reconciler.model.address import Address
from reconciler.plan.operations import LiveObject, Plan, Unmanaged
from reconciler.render import html, markdown, text
from reconciler.render.json import dumps, plan_json
from schemas import conform

HOSTILE = "web-shop/<script>\x1b[31m`|"


def plan(names: list[str], **more: Any) -> Plan:
    """A plan without changes, and these versions in no manifest."""
    found = (LiveObject(Address("version", name), n, f"/versions/{n}") for n, name in enumerate(names, 1))
    return replace(plan_of(), unmanaged=Unmanaged(tuple(found), **more))


def rendered(plan: Plan) -> dict[str, str]:
    """The plan in every format for people."""
    return {"text": text.plan(plan, color=False), "markdown": markdown.plan(plan), "html": html.plan(plan)}


def test_nothing_is_said_of_nothing() -> None:
    """Without such objects, a plan looks as ever."""
    assert plan_json(plan([])).get("unmanaged") is None
    assert all("manifest (" not in shown and "In no" not in shown for shown in rendered(plan([])).values())


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["web-shop/1"], "1 object in these projects is in no manifest"),
        (["web-shop/1", "web-shop/2"], "2 objects in these projects are in no"),
    ],
)
def test_one_line_without_the_option(names: list[str], said: str) -> None:
    """They are counted in one line that names the option, and not listed."""
    for shown in rendered(plan(names)).values():
        assert said in shown
        assert "unmanaged" in shown
        assert "versions/1" not in shown
    assert plan_json(plan(names))["unmanaged"] == {"count": len(names)}


def test_a_list_with_the_option() -> None:
    """Each has its kind, key, id and link."""
    listed = plan(["web-shop/1.0", HOSTILE], listed=True)
    for shown in rendered(listed).values():
        assert "In no manifest: 2 objects in declared projects." in shown
        assert "2 versions in web-shop" in shown
        assert "version web-shop/1.0 (#1)" in shown
        assert "https://redmine.example.net/versions/1" in shown
        assert "\x1b" not in shown
    assert rendered(listed)["html"].count("<script>") == 1  # the page's own
    (first, _) = plan_json(listed)["unmanaged"]["objects"]
    assert first == {
        "kind": "version",
        "key": "web-shop/1.0",
        "id": 1,
        "url": "https://redmine.example.net/versions/1",
    }


def test_markdown_of_a_hostile_name() -> None:
    """A name is code in Markdown, so nothing in it is markup."""
    shown = markdown.plan(plan([HOSTILE], listed=True))
    line = next(line for line in shown.splitlines() if "script" in line)
    assert line.startswith("- ``version web-shop/<script>")


def test_a_long_list() -> None:
    """People are shown the first ones and the number of the others; JSON has all."""
    listed = plan([f"web-shop/{n}" for n in range(25)], listed=True)
    for shown in rendered(listed).values():
        assert "… and 5 more" in shown
        assert "version web-shop/20 (#21)" not in shown
    assert len(plan_json(listed)["unmanaged"]["objects"]) == 25
    assert "… and" not in text.plan(plan([f"web-shop/{n}" for n in range(21)], listed=True), color=False)


def test_what_an_account_does_not_see() -> None:
    """Without an administrator's key, the list says that it may lack something."""
    for names in ([], ["web-shop/1"]):
        listed = plan(names, listed=True, complete=False)
        assert all("This account is no administrator" in shown for shown in rendered(listed).values())
        assert plan_json(listed)["unmanaged"]["complete"] is False


def test_what_is_in_an_archived_project() -> None:
    """The list names the projects of which it shows nothing."""
    listed = plan([], listed=True, archived=("old",))
    assert all("Archived projects are not included: old." in shown for shown in rendered(listed).values())
    assert plan_json(listed)["unmanaged"]["complete"] is False


@pytest.mark.parametrize("listed", [True, False])
def test_json_is_as_its_schema_says(listed: bool) -> None:
    """Both forms are valid."""
    content = json.loads(dumps(plan_json(plan(["web-shop/1"], listed=listed))))
    conform(content, "plan")
