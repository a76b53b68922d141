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
from reconciler.state.live import Live


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
        (
            "trackers: [Bgu]",
            "tracker",
            'did you mean "Bug"?; declare it in `trackers`, or ask an administrator to create it: Administration → Trackers',
        ),
        ("issues: [{subject: s, tracker: Bgu}]", "tracker", "Administration → Trackers"),
        ("issues: [{subject: s, status: Opne}]", "issue status", "Administration → Issue statuses"),
        (
            "issues: [{subject: s, priority: Hihg}]",
            "issue priority",
            "Administration → Enumerations → Issue priorities",
        ),
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


LEFT = [
    ("list", "beta", "beta"),
    ("date", "2026-13-01", "2026-13-01"),
    ("int", "many", "many"),
    ("float", "1,5", "1,5"),
    ("bool", "maybe", "maybe"),
]


def with_field(live: Live, form: str, *, multiple: bool = False) -> Live:
    """A live state with the one custom field that issues have; as a list it takes `alpha` alone."""
    field = CustomField(1, "Stage", form, multiple, {"alpha": "alpha"} if form == "list" else {})
    live.names.custom_fields["issue"] = {"Stage": field}
    return live


@pytest.mark.parametrize("form, written, wire", LEFT)
def test_a_live_value_that_its_field_does_not_allow_any_more_is_no_change(form: str, written: str, wire: str) -> None:
    """An administrator removed it, or changed the field: the issue keeps it, and Redmine takes it again."""
    text = inside(f"issues: [{{subject: s, done_ratio: 10, custom_fields: {{Stage: '{written}'}}}}]")
    wanted = offline(text)
    live = issue(9, "shop", "s", custom_fields=[{"id": 1, "name": "Stage", "value": wire}])
    made = make(wanted, with_field(live_of(wanted, [SHOP, live]), form), "http://redmine.test")
    assert [f.path for change in made.changes for f in change.fields] == ["done_ratio"]


def test_a_live_value_stays_beside_new_ones_of_the_same_field() -> None:
    """Of several values, those that are live are not checked."""
    wanted = offline(inside("issues: [{subject: s, custom_fields: {Stage: [alpha, beta]}}]"))
    live = issue(9, "shop", "s", custom_fields=[{"id": 1, "name": "Stage", "multiple": True, "value": ["beta"]}])
    made = make(wanted, with_field(live_of(wanted, [SHOP, live]), "list", multiple=True), "http://redmine.test")
    assert [(f.before, f.after) for c in made.changes for f in c.fields] == [(["beta"], ["alpha", "beta"])]


@pytest.mark.parametrize(
    "live", [[], [issue(9, "shop", "s", custom_fields=[{"id": 1, "name": "Stage", "value": "alpha"}])]]
)
def test_a_value_that_is_not_allowed_and_not_live_is_a_problem(live: list[Present]) -> None:
    """A new object, and one with another value, cannot get it."""
    wanted = offline(inside("issues: [{subject: s, custom_fields: {Stage: beta}}]"))
    with pytest.raises(ManifestError, match='"beta" is not a value of this field'):
        make(wanted, with_field(live_of(wanted, [SHOP, *live]), "list"), "http://redmine.test")
