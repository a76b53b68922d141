"""`--keep-going`: which objects are planned although others have a problem."""

from __future__ import annotations

from collections.abc import Set

import pytest
from engine import offline
from plans import SHOP, Present, inside, issue, live_of, user, version

from reconciler.errors import Location, ManifestError, Problem
from reconciler.model.name_index import CustomField
from reconciler.plan.faults import NO_FAULTS, Faults, find
from reconciler.plan.operations import Plan
from reconciler.plan.planner import make

BETA = "custom_fields: {Stage: beta}"


def faults(text: str, *present: Present) -> tuple[Faults, set[str]]:
    """What is left out, and what is planned."""
    wanted = offline(text)
    live = live_of(wanted, present)
    live.names.custom_fields["issue"] = {"Stage": CustomField(1, "Stage", "list", options={"alpha": "alpha"})}
    live.names.custom_fields["version"] = live.names.custom_fields["issue"]

    def planned(tolerated: Set[Problem]) -> Plan:
        return make(wanted, live, "http://redmine.test", tolerated=tolerated)

    found = find(wanted, live.names, planned)
    chosen = make(wanted, live, "x", lambda a: a not in found.objects, tolerated=found.tolerated)
    return found, {str(change.address) for change in chosen.changes}


def test_without_problems_nothing_is_left_out() -> None:
    """The plan is the one without the option."""
    assert faults(inside("issues: [{subject: s}]"), SHOP) == (NO_FAULTS, {"issue shop/s"})


def test_an_object_with_a_problem_is_left_out_with_what_needs_it() -> None:
    """Subtasks of a new issue with a problem are skipped, whatever is below them too; others are planned."""
    rest = "{subject: below, parent: bad}, {subject: deeper, parent: below}, {subject: other}"
    found, planned = faults(inside(f"issues: [{{subject: bad, {BETA}}}, {rest}]"), SHOP)
    ((change, (problem,)),) = found.failed
    assert (str(change.address), change.action) == ("issue shop/bad", "create")
    assert '"beta" is not a value of this field' in problem.message and problem.location.line == 3
    skipped = {(str(change.address), str(other)) for change, other in found.skipped}
    assert skipped == {("issue shop/below", "issue shop/bad"), ("issue shop/deeper", "issue shop/bad")}
    assert planned == {"issue shop/other"}


def test_what_names_a_live_object_with_a_problem_does_not_need_it() -> None:
    """It is there, whatever cannot be changed."""
    text = inside(f'versions: [{{name: "1.0", {BETA}}}]', 'issues: [{subject: s, fixed_version: "1.0"}]')
    found, planned = faults(text, SHOP, version(5, "shop", "1.0"))
    assert [str(change.address) for change, _ in found.failed] == ["version shop/1.0"]
    assert planned == {"issue shop/s"}


def test_what_needs_a_gate_that_is_not_opened_is_left_out() -> None:
    """The issue cannot move into a locked version whose work is left out."""
    text = inside(f'versions: [{{name: "1.0", {BETA}}}]', 'issues: [{subject: s, fixed_version: "1.0"}, {subject: t}]')
    found, planned = faults(text, SHOP, version(5, "shop", "1.0", status="locked"))
    assert [str(change.address) for change, _ in found.skipped] == ["issue shop/s"]
    assert planned == {"issue shop/t"}


def test_an_issue_that_names_somebody_who_is_locked_is_left_out_alone() -> None:
    """The user is not unlocked, and another issue goes on."""
    text = inside("issues: [{subject: s, assigned_to: cid}, {subject: t}]")
    found, planned = faults(text, SHOP, user(5, "cid", status=3))
    assert [str(change.address) for change, _ in found.failed] == ["issue shop/s"]
    assert planned == {"issue shop/t"}


def test_everything_in_a_project_that_cannot_be_created_is_left_out() -> None:
    """Its project is what it needs; another project goes on."""
    text = (
        inside("parent: nowhere", "issues: [{subject: s}]") + "\n  - {identifier: b, name: B, issues: [{subject: t}]}"
    )
    found, planned = faults(text)
    assert [str(change.address) for change, _ in found.failed] == ["project shop"]
    assert [str(change.address) for change, _ in found.skipped] == ["issue shop/s"]
    assert planned == {"project b", "issue b/t"}


def test_an_unchanged_object_with_a_problem_is_left_out_too() -> None:
    """There is nothing else to do for it, and it is reported all the same."""
    found, planned = faults(inside(f"issues: [{{subject: s, {BETA}}}]"), SHOP, issue(9, "shop", "s"))
    ((change, _),) = found.failed
    assert (str(change.address), change.id, change.operations) == ("issue shop/s", 9, ())
    assert planned == set()


def test_a_problem_of_two_objects_is_that_of_both() -> None:
    """A subtask is declared that Redmine would delete with its parent: it is not known which of them is right."""
    live = [SHOP, issue(9, "shop", "top"), issue(10, "shop", "below", parent={"id": 9})]
    text = inside("issues: [{subject: top, state: absent}, {subject: below, done_ratio: 10}, {subject: other}]")
    found, planned = faults(text, *live)
    assert {str(change.address) for change, _ in found.failed} == {"issue shop/top", "issue shop/below"}
    assert planned == {"issue shop/other"}


def test_a_problem_of_no_object_stops_everything() -> None:
    """Such as a setting that does not fit the server."""

    def made(tolerated: Set[Problem]) -> Plan:
        raise ManifestError([Problem(Location("reconciler.yaml"), "issue_key_field: there is no such field")])

    wanted = offline("users: []")
    with pytest.raises(ManifestError, match="issue_key_field"):
        find(wanted, live_of(wanted).names, made)


def test_an_exchange_that_cannot_be_told_is_left_out_with_all_that_names_it() -> None:
    """One half of it would be written to the object of the other name, and an issue would get the other version."""
    versions = (
        'versions: [{name: "1", renamed_from: "2", description: x}, {name: "2", renamed_from: "1", description: y}]'
    )
    text = inside(versions, 'issues: [{subject: s, fixed_version: "2"}, {subject: t}]')
    found, planned = faults(
        text, SHOP, version(5, "shop", "1", description="a"), version(6, "shop", "2", description="b")
    )
    assert [str(change.address) for change, _ in found.failed] == ["version shop/1", "version shop/2"]
    assert [str(change.address) for change, _ in found.skipped] == ["issue shop/s"]
    assert planned == {"issue shop/t"}
