"""Which issue is above which, by declared parents and live ones, however deep and whatever the order."""

from __future__ import annotations

from itertools import combinations
from random import Random

import pytest
from engine import offline
from plans import SHOP, Present, inside, issue, live_of, plan

from reconciler.errors import ManifestError
from reconciler.kinds.issues.ancestry import related
from reconciler.model.address import Address
from reconciler.model.name_index import Names

RELATED = "an issue and its subtask cannot be related"


def forest(random: Random, count: int) -> tuple[Names, dict[int, int]]:
    """Names of so many issues, some declared and some live, and the parent of each that has one."""
    numbers = random.sample(range(count), count)
    parents = {n: random.choice(numbers[:place]) for place, n in enumerate(numbers) if place and random.random() < 0.8}
    declared = {n for n in numbers if random.random() < 0.5}
    lines, present = ["issues:"], list[Present]()
    for n in range(count):
        above = parents.get(n)
        if n in declared:
            lines.append(f"  - {{subject: i{n}, parent: {'null' if above is None else f'i{above}'}}}")
        if n not in declared or random.random() < 0.5:
            # What is live of a declared one is not what counts.
            other = random.choice(numbers) if n in declared else above
            present.append(issue(10 + n, "shop", f"i{n}", **({} if other is None else {"parent": {"id": 10 + other}})))
    wanted = offline(inside(*lines) if declared else inside())
    # The parents of live issues must be known by their numbers.
    known = {row["id"] for _, _, row in present}
    present += [issue(10 + n, "shop", f"i{n}") for n in set(parents.values()) if 10 + n not in known]
    return live_of(wanted, [SHOP, *present]).names, parents


def line(number: int, parents: dict[int, int]) -> set[int]:
    """An issue and those above it."""
    return {number} | (line(parents[number], parents) if number in parents else set())


@pytest.mark.parametrize("seed", range(30))
def test_related_is_what_the_parents_say(seed: int) -> None:
    """Two issues are related if one is in the line of parents of the other, and no others are."""
    random = Random(seed)
    names, parents = forest(random, random.randint(2, 14))
    known = {n for n in range(14) if names.known(address(n))}
    for one, other in combinations(sorted(known), 2):
        expected = one in line(other, parents) or other in line(one, parents)
        assert related(address(one), address(other), names) is expected
        assert related(address(other), address(one), names) is expected


def address(number: int) -> Address:
    """The address of an issue of the forest."""
    return Address("issue", f"shop/i{number}")


def test_a_declared_parent_and_a_live_one_in_a_cycle() -> None:
    """Issues that are each other's parents, one as declared and one as live, are related, and nothing hangs."""
    text = inside("issues:", "  - {subject: a, parent: b, relations: [{blocks: b}]}", "  - {subject: b}")
    with pytest.raises(ManifestError, match=RELATED):
        plan(text, SHOP, issue(8, "shop", "a"), issue(9, "shop", "b", parent={"id": 8}))


def test_a_thousand_levels_have_relations() -> None:
    """However deep issues are nested, relations with others are planned and those with issues above are refused."""
    deep = [f"  - {{subject: i{n}, parent: i{n - 1}}}" for n in range(1, 1000)]
    ends = "  - {subject: end, parent: i999, relations: [{relates: %s}]}"
    made = plan(inside("issues:", "  - {subject: i0}", "  - {subject: other}", *deep, ends % "other"), SHOP)
    assert len(made.changes) == 1002
    with pytest.raises(ManifestError, match=RELATED):
        plan(inside("issues:", "  - {subject: i0}", *deep, ends % "i0"), SHOP)
