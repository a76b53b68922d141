"""Names of what only an administrator can make: what a manifest is told that names one that there is not."""

from __future__ import annotations

from typing import Any

import pytest
from engine import offline
from plans import SHOP, Present, inside, issue, live_of

from reconciler.errors import ManifestError, Problem
from reconciler.kinds import kinds
from reconciler.model.capabilities import ReadOnly
from reconciler.model.name_index import CustomField
from reconciler.plan.planner import make


def problem(text: str, *present: Present) -> Problem:
    """The one problem of a manifest, given what is live besides Redmine's default data."""
    wanted = offline(text)
    live = live_of(wanted, present)
    live.names.custom_fields["issue"] = {"Size": CustomField(1, "Size", "string")}
    with pytest.raises(ManifestError) as caught:
        make(wanted, live, "http://redmine.test")
    (found,) = caught.value.problems
    return found


@pytest.mark.parametrize(
    "line, said, hint",
    [
        ("trackers: [Bgu]", "tracker", 'did you mean "Bug"?; ask an administrator to create it: Administration → Trackers'),
        ("issues: [{subject: s, tracker: Bgu}]", "tracker", "Administration → Trackers"),
        ("issues: [{subject: s, status: Opne}]", "issue status", "Administration → Issue statuses"),
        ("issues: [{subject: s, priority: Hihg}]", "issue priority", "Administration → Enumerations → Issue priorities"),
        ("members: [{user: admin, roles: [Managr]}]", "role", "Administration → Roles and permissions"),
        ("default_issue_query: Mine", "query", "Issues → Save, visible to any users, for all projects"),
        ("issue_custom_fields: [Sise]", "custom field", "Administration → Custom fields"),
        ("issues: [{subject: s, custom_fields: {Sise: x}}]", "custom field", "Administration → Custom fields"),
    ],
)
def test_what_is_missing(line: str, said: str, hint: str) -> None:
    """A name without an object is a problem that says who can make one and where, beside the near miss."""
    found = problem(inside(line), ("user", "admin", {"id": 1, "login": "admin", "status": 1}))
    assert f"there is no {said} " in found.message
    assert "ask an administrator to create it: " in found.hint
    assert hint in found.hint


def test_every_lookup_has_its_place() -> None:
    """Each kind that manifests cannot declare says where an administrator makes one, and no other kind does."""
    assert all(kind.capability(ReadOnly).menu for kind in kinds().values() if kind.has(ReadOnly))


@pytest.mark.parametrize("live", [[], [issue(9, "shop", "s", priority={"id": 2})]])
def test_a_new_value_must_be_active(live: list[Present]) -> None:
    """Nothing new can name a priority that is no longer active; the problem says where it is made so again."""
    old = ("issue_priority", "Old", {"id": 4, "name": "Old", "active": False})
    found = problem(inside("issues: [{subject: s, priority: Old}]"), SHOP, old, *live)
    assert found.message == 'priority: the issue priority "Old" is not active'
    assert "activate it: Administration → Enumerations → Issue priorities" in found.hint


def test_an_old_value_may_stay() -> None:
    """An issue that has a priority which is no longer active may be declared with it, and leaves it by name."""
    old = ("issue_priority", "Old", {"id": 4, "name": "Old", "active": False})
    live = issue(9, "shop", "s", priority={"id": 4})

    def changes(priority: str) -> Any:
        wanted = offline(inside(f"issues: [{{subject: s, priority: {priority}}}]"))
        return make(wanted, live_of(wanted, [SHOP, old, live]), "http://redmine.test").changes

    assert changes("Old") == ()
    (field,) = changes("Low")[0].fields
    assert (field.before, field.after) == ("Old", "Low")

