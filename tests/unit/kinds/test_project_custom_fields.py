"""Which issue custom fields a project has by itself, as its row shows them together with those of all projects."""

from __future__ import annotations

import pytest

from reconciler.kinds import kinds
from reconciler.model.address import Address
from reconciler.model.catalog import CATALOG
from reconciler.model.name_index import Context, CustomField, Names

PROJECT = kinds()["project"]
CASES: dict[str, tuple[bool | None, bool | None, list[str], list[str]]] = {
    "of a definition that shows nothing, what one declares": (None, None, ["F"], ["F"]),
    "of a definition that shows nothing, what others lack": (None, None, [], ["F"]),
    "a new field of all projects is not its own": (True, True, [], []),
    "nor is one that becomes a field of all projects": (False, True, [], []),
    "one that it declares is": (True, True, ["F"], ["F"]),
    "one that is a field of all projects no longer goes from it": (True, False, ["F"], []),
    "one that is not for all is": (False, False, [], ["F"]),
}
"""Whether the field is for all projects, whether it is to be, what the project declares, and what it has."""


@pytest.mark.parametrize("case", CASES)
def test_own_fields(case: str) -> None:
    """As the manifests declare the definition."""
    now, planned, declared, own = CASES[case]
    names = Names()
    names.add("project", "other", {"id": 2, "identifier": "other", "issue_custom_fields": []})
    names.custom_fields["issue"] = {"F": CustomField(1, "F", for_all=planned)}
    shown = {} if now is None else {CATALOG: {"is_for_all": now}}
    names.add("custom_field", "issue/F", {"id": 1, "name": "F", **shown})
    spec = PROJECT.spec.model_validate({"identifier": "shop", "name": "Shop", "issue_custom_fields": declared})
    names.declare(Address("project", "shop"), spec)
    row = {"id": 1, "identifier": "shop", "issue_custom_fields": [{"id": 1, "name": "F"}]}
    names.add("project", "shop", row)
    assert PROJECT.live(row, "issue_custom_fields", Context(names, "shop")) == own
