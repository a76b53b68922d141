"""Values of other shapes in manifests: a placed problem, never an internal error."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from engine import offline, plan_of
from extent import either
from odd import KEY_FIELD, MANIFEST, shop

from reconciler.errors import ManifestError
from reconciler.state.desired import Desired

STEP = either(21, 7)
VALUES = (None, 7, -1, 1.5, float("nan"), True, "", "x", "a\nb", "\u202ex", [], {}, [7], [[]], {"id": 10}, {"a": {}})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of each value in a document."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def mutated() -> Iterator[str]:
    """The manifest with each value replaced by each of `VALUES`."""
    document = yaml.safe_load(MANIFEST)
    for path in places(document):
        for value in VALUES:
            changed = copy.deepcopy(document)
            at = changed
            for part in path[:-1]:
                at = at[part]
            at[path[-1]] = value
            yield yaml.safe_dump(changed, sort_keys=False, allow_unicode=True)


@pytest.mark.prove
@pytest.mark.slow
def test_manifests() -> None:
    """Whatever one value of a manifest becomes, there is a plan or there are problems with their places."""
    server = shop()
    for text in [*mutated()][::STEP]:
        desired: Desired = offline(text, key_field=KEY_FIELD)
        if desired.problems:
            assert all(problem.location.line for problem in desired.problems), text
            continue
        try:
            plan_of(server, text, key_field=KEY_FIELD)
        except ManifestError as error:
            assert all(problem.location.line for problem in error.problems), text


@pytest.mark.parametrize(
    "issue",
    [
        "relations: [{relates: {id: 10}}]",
        "relations: [{blocks: {key: a, id: 10}}]",
        "parent: {id: 10}",
    ],
)
def test_issues_by_number(issue: str) -> None:
    """An issue cannot be named by its number: a problem at that place says how it is named."""
    desired = offline(f"projects: [{{identifier: shop, issues: [{{subject: a, {issue}}}]}}]")
    (problem,) = desired.problems
    assert "{project: …, key: …}" in problem.message
