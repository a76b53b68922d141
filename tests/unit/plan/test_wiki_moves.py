"""Wiki pages that get other parents: Redmine refuses to put a page below itself, however the tree changes."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

import pytest
from plans import SHOP, Present, inside, plan

from reconciler.model.address import Address
from reconciler.plan.operations import Plan

Tree = Mapping[str, str]
"""Page → the page above it, or ""."""


def live(tree: Tree) -> list[Present]:
    """The pages of a tree as Redmine shows them."""
    project = ("project", "shop", {**SHOP[2], "enabled_modules": [{"id": 1, "name": "wiki"}]})
    rows = ({"id": f"shop/{t}", "title": t, "version": 1, "text": "a"} for t in tree)
    parents = ({"parent": {"title": above}} if above else {} for above in tree.values())
    return [project, *(("wiki_page", str(r["id"]), {**r, **p}) for r, p in zip(rows, parents, strict=True))]


def moved(before: Tree, after: Tree) -> Plan:
    """The plan that turns one tree into another."""
    lines = (f"  - {{title: {title}, parent: {above or 'null'}}}" for title, above in after.items())
    return plan(inside("wiki_pages:", *lines), *live(before))


def some_tree(chance: random.Random, count: int) -> Tree:
    """A tree in which each page is below one that was put in before it, or at the top."""
    titles = [f"P{n}" for n in range(count)]
    chance.shuffle(titles)
    return {title: chance.choice(["", *titles[:n]]) for n, title in enumerate(titles)}


def some_order(made: Plan, chance: random.Random) -> Iterator[str]:
    """The pages that are changed, in an order that the plan allows."""
    before = {change.address: {*change.operations[0].waits_for} for change in made.changes}
    done = set[Address]()
    while ready := sorted(a for a, others in before.items() if a not in done and not others - done):
        address = chance.choice(ready)
        done.add(address)
        yield address.own_name
    assert done == before.keys()


def above(title: str, tree: Tree) -> Iterator[str]:
    """The pages above a page."""
    while title := tree[title]:
        yield title


@pytest.mark.parametrize("seed", range(20))
def test_no_page_is_ever_put_below_itself(seed: int) -> None:
    """In any order that the plan allows, for any two trees."""
    chance = random.Random(seed)
    before, after = some_tree(chance, 9), some_tree(chance, 9)
    made = moved(before, after)
    now = dict(before)
    for title in some_order(made, chance):
        assert title not in (after[title], *above(after[title], now)) if after[title] else True
        now[title] = after[title]
    assert now == after


def test_a_page_waits_for_the_nearest_one_above_that_moves() -> None:
    """Not for all above: a deep tree that is turned round has one edge for each page."""
    count = 30
    before = {f"P{n}": f"P{n - 1}" if n else "" for n in range(count)}
    after = {f"P{n}": f"P{n + 1}" if n + 1 < count else "" for n in range(count)}
    made = moved(before, after)
    assert {c.address.own_name: [str(a) for a in c.operations[0].waits_for] for c in made.changes} == {
        title: [f"wiki_page shop/{parent}"] if parent else [] for title, parent in after.items()
    }


def test_a_page_that_stays_is_passed_over() -> None:
    """What is above it may move all the same."""
    before = {"Top": "Low", "Stays": "Top", "Low": ""}
    after = {"Top": "", "Stays": "Top", "Low": "Stays"}
    waits = {c.address.own_name: [str(a) for a in c.operations[0].waits_for] for c in moved(before, after).changes}
    assert waits == {"Top": [], "Low": ["wiki_page shop/Top"]}
