"""Which permissions changes need: for every kind."""

from __future__ import annotations

import pytest

from reconciler.kinds import declarable
from reconciler.model.catalog import Catalog
from reconciler.model.kind import Kind
from reconciler.model.rights import ADMIN, Rights
from reconciler.model.visibility import Unlisted

KINDS = list(declarable().values())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_says_what_its_changes_need(kind: Kind) -> None:
    """A permission for each action; users and groups are for administrators. What the program inside Redmine writes
    needs no permission of the account."""
    rights = kind.capability(Rights)
    assert kind.has(Unlisted) or kind.has(Catalog) or (rights.create and rights.update and rights.delete)
    assert rights.fields.keys() <= kind.fields.keys()


def needed(kind: str, action: str, **changed: tuple[object, object]) -> list[tuple[str, ...]]:
    """The permissions for a change of some fields."""
    return list(next(k for k in KINDS if k.name == kind).capability(Rights).needed(action, changed))


def test_a_field_with_a_permission_of_its_own_needs_no_other() -> None:
    """To note something in an issue, or to watch it, one need not be allowed to edit it."""
    assert needed("issue", "update", notes=(None, [{"text": "x"}])) == [
        ("add_issue_notes", "edit_issues", "edit_own_issues")
    ]
    both = needed("issue", "update", parent=(None, "x"), subject=("a", "b"))
    assert both == [("edit_issues", "edit_own_issues"), ("manage_subtasks",)]


def test_a_project_is_closed_by_members_and_archived_by_administrators() -> None:
    """Also when it is opened again."""
    assert needed("project", "update", status=("active", "closed")) == [("close_project",)]
    assert needed("project", "update", status=("archived", "active")) == [(ADMIN,)]
