"""Which projects are below which."""

from __future__ import annotations

import pytest
from engine import offline
from plans import live_of, project

from reconciler.kinds.projects.tree import planned_below
from reconciler.model.name_index import Names


def test_what_is_declared_is_gone_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What will be below a second project is found without going through all declared projects again."""
    wanted = offline("projects: [{identifier: top}, {identifier: sub, parent: top}, {identifier: low, parent: sub}]")
    names = live_of(wanted, [project(n, key) for n, key in enumerate(("top", "sub", "low"), 1)]).names
    assert planned_below("top", names) == ["sub", "low"]
    monkeypatch.delattr(Names, "declared")
    assert planned_below("sub", names) == ["low"]
