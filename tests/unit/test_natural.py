"""Names are shown in the order in which people count, in every format; what has no numbers, by its characters."""

from __future__ import annotations

import json
import random
import re
from itertools import pairwise
from pathlib import Path

import pytest
from canned import Canned
from click.testing import CliRunner
from engine import plan_of
from hypothesis import given
from hypothesis import strategies as st

from reconciler import validate
from reconciler.cli import main
from reconciler.errors import Location
from reconciler.model.address import Address
from reconciler.natural import natural

NAMES = ["v1", "v2", "v2.9", "v2.10", "v10"]
MANIFEST = "projects: [{identifier: shop, name: Shop, versions: [%s]}]"


def manifest(names: list[str]) -> str:
    """A project with versions of these names, in this order."""
    return MANIFEST % ", ".join(f'{{name: "{name}"}}' for name in names)


@pytest.mark.parametrize(
    "names",
    [
        NAMES,
        ["issue-9", "issue-10", "issue-100"],
        ["a2.yaml", "a10.yaml", "b1.yaml"],
        ["", "01", "1", "2", "10", "9" * 40, "1" + "0" * 40],
        ["A", "a", "ä"],
        ["1.9.10", "1.10.9"],
        ["1-", "1.", "1a", "2"],
    ],
)
def test_numbers_are_counted(names: list[str]) -> None:
    """In a list in natural order, each name comes before the next one, and so do addresses and places."""
    assert sorted(random.Random(1).sample(names, len(names)), key=natural) == names
    for one, other in pairwise(names):
        first, second = Address("version", one), Address("version", other)
        assert first < second <= second
        assert second > first >= first
        assert Location(one, 2) < Location(other, 1)


@given(st.lists(st.text(st.sampled_from("a0129.-é"), max_size=6), unique=True))
def test_the_order_is_total(names: list[str]) -> None:
    """Every order of the same names is sorted into one, and no two names are equal in it."""
    ordered = sorted(names, key=natural)
    assert sorted(set(names), key=natural) == ordered
    assert len(set(map(natural, names))) == len(names)


@pytest.mark.parametrize("form", ["text", "markdown", "html", "json"])
def test_a_plan_counts(form: str, canned: Canned) -> None:
    """Objects, and what is inside a value, are in natural order in every format of a plan."""
    Path("a.yaml").write_text(manifest(["v10", "v2.10", "v1", "v2", "v2.9"]))
    shown = CliRunner().invoke(main, ["plan", "--format", form]).stdout
    titles = r'"key": "shop/(.*)"' if form == "json" else r"version shop/([v\d.]+)"
    assert list(dict.fromkeys(re.findall(titles, shown))) == NAMES


def test_a_graph_counts(canned: Canned) -> None:
    """So are the nodes and edges of a graph."""
    Path("a.yaml").write_text(manifest(["v10", "v2", "v1"]))
    shown = CliRunner().invoke(main, ["graph"]).stdout
    assert re.findall(r'-> "version shop/(.*)"', shown) == ["v1", "v2", "v10"]


def test_problems_count(canned: Canned) -> None:
    """Problems are in the natural order of their files."""
    for name in ("a10", "a2", "b1", "a1"):
        Path(f"{name}.yaml").write_text("projects: [{identifier: 'x y'}]")
    assert [problem.location.file for problem in validate(".")] == ["a1.yaml", "a2.yaml", "a10.yaml", "b1.yaml"]
    shown = json.loads(CliRunner().invoke(main, ["validate", "--format", "json"]).stdout)["problems"]
    assert [problem["file"] for problem in shown] == ["a1.yaml", "a2.yaml", "a10.yaml", "b1.yaml"]


def test_values_count(canned: Canned) -> None:
    """So are the names in a set, whatever order the manifest has."""
    for number in (10, 2, 1):
        canned.add("trackers", name=f"T{number}", enabled_standard_fields=[])
    made = plan_of(canned, "projects: [{identifier: shop, name: Shop, trackers: [T10, T1, T2]}]")
    assert {f.path: f.after for f in made.changes[0].fields}["trackers"] == ["T1", "T2", "T10"]


def test_the_order_in_the_manifests_does_not_matter(canned: Canned) -> None:
    """Any order of the same objects gives the same digest."""
    shuffled = random.Random(2).sample(NAMES, len(NAMES))
    assert plan_of(canned, manifest(NAMES)).digest == plan_of(canned, manifest(shuffled)).digest
