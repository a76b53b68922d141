"""Which projects are below which."""

from __future__ import annotations

import pytest
from engine import offline
from plans import live_of, plan, project

from reconciler.kinds.projects.tree import planned_below
from reconciler.model.name_index import Names

KEYS = ("top", "sub", "low", "gone")


def test_what_is_declared_is_gone_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What will be below a second project is found without going through all declared projects again."""
    wanted = offline("projects: [{identifier: top}, {identifier: sub, parent: top}, {identifier: low, parent: sub}]")
    names = live_of(wanted, [project(n, key) for n, key in enumerate(KEYS[:3], 1)]).names
    assert planned_below("top", names) == ["sub", "low"]
    monkeypatch.delattr(Names, "declared")
    assert planned_below("sub", names) == ["low"]


def test_what_is_archived_along_is_named() -> None:
    """An archived project says which open ones below, at any depth, no manifest gives a status."""
    text = "projects: [{identifier: top, status: archived}, {identifier: sub, status: archived}, {identifier: low}]"
    below = ({}, {"parent": {"id": 1}}, {"parent": {"id": 2}}, {"parent": {"id": 2}, "status": 9})
    rows = [project(n, key, **more) for n, (key, more) in enumerate(zip(KEYS, below, strict=True), 1)]
    reasons = [change.operations[0].reason for change in plan(text, *rows).changes]
    assert reasons == ["also archives its subprojects low"] * 2
