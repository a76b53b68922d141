"""A comment on a pull request has everything that a reviewer must see, however much there is."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from samples import at, changed, new, no_excerpt, plan_of
from samples import change as make

from reconciler.apply.report import ItemError, Report, Result
from reconciler.errors import Location, Problem
from reconciler.model.address import Address
from reconciler.plan.operations import Change, Create, Delete, FieldChange, LiveObject, Unmanaged, Update, Warned
from reconciler.render import json, markdown

ROOM = 65_000
FOLD = re.compile(r"<details>.*?</details>", re.S)


def created(numbers: Iterable[int], text: str = "x", kind: str = "issue") -> list[Change]:
    """New objects with a text."""
    return [
        make(Create, Address(kind, f"shop/{n}"), None, at(n), new(subject=f"S{n}", description=text)) for n in numbers
    ]


def deleted(
    numbers: Iterable[int], reason: str | None = "also deletes 3 pages", kind: str = "wiki_page"
) -> list[Change]:
    """Objects to delete."""
    return [make(Delete, Address(kind, f"shop/old{n}"), n, at(n), reason=reason) for n in numbers]


def open_text(rendered: str) -> str:
    """What is not folded."""
    return FOLD.sub("", rendered)


def named(rendered: str, changes: Sequence[Change]) -> list[Change]:
    """The changes that are named with their symbol."""
    shown = set(re.findall(r"[+~-] [a-z_]+ shop/\w+", rendered))
    symbols = {"create": "+", "update": "~", "delete": "-"}
    return [change for change in changes if f"{symbols[change.action]} {change.address}" in shown]


def test_a_deletion_among_many_changes() -> None:
    """One deletion among 199 long changes is at the top, with what goes along; all others are named and folded."""
    changes = [*created(range(100), "long " * 200), *created(range(100, 199), "a\n" * 500), *deleted([7])]
    rendered = markdown.plan(plan_of(*changes))
    assert len(rendered) < ROOM
    assert "- `- wiki_page shop/old7 (#7)` `examples/shop.yaml:7`: also deletes 3 pages" in open_text(rendered)
    assert rendered.index("1 to delete") < rendered.index("<details>")
    assert len(named(rendered, changes)) == 200
    assert not named(open_text(rendered), changes[:199])
    assert "| wiki pages |  | 1 |\n| issues | 199 |  |" in rendered


def test_what_has_no_room_is_named_without_its_fields() -> None:
    """Of 1,000 changes, the first ones are shown with their fields, the others in a line with kind, key and action."""
    changes = created(range(1000))
    rendered = markdown.plan(plan_of(*changes))
    assert len(rendered) < ROOM
    assert len(named(rendered, changes)) == 1000
    full = rendered.count("<summary><code>")
    assert full > 50
    assert f"<summary>{1000 - full} more, without their values</summary>" in rendered
    assert "- `+ issue shop/999`" in rendered


def updated(number: int, *paths: str) -> Change:
    """A change of an issue."""
    fields = tuple(changed(path, "old " * 30, "new " * 30) for path in paths)
    return make(Update, Address("issue", f"shop/{number}"), number, at(number), fields)


def test_what_changes_is_told_without_a_click() -> None:
    """A folded block, and a line for which there is no block, name the fields; of many, the first ones."""
    rendered = markdown.plan(plan_of(updated(1, "subject", "custom_fields.Team", "subject"), *created([2])))
    assert "<summary><code>~ issue shop/1 (#1)</code>: <code>subject, custom field Team</code></summary>" in rendered
    assert "<summary><code>+ issue shop/2</code></summary>" in rendered
    many = [updated(n, *(f"custom_fields.F{m}" for m in range(20))) for n in range(150)]
    last = markdown.plan(plan_of(*many)).splitlines()[-3]
    assert last.startswith("- `~ issue shop/149 (#149)`: `custom field F0, ")
    assert last.endswith("custom field F11, and 8 others`")


def test_a_name_in_a_heading_is_no_mention() -> None:
    """A project of a hostile server is not the name of a person or the number of an issue."""
    objects = (LiveObject(Address("issue", "@everyone #12/a"), 1, "/issues/1"),)
    rendered = markdown.plan(replace(plan_of(*deleted([1])), unmanaged=Unmanaged(objects, listed=True)))
    assert "<summary>1 issue in @<!-- -->everyone #<!-- -->12</summary>" in rendered


def test_what_cannot_be_named_is_counted() -> None:
    """Of 20,000 changes, as many as possible are named; the others are counted by kind and action, and none is lost."""
    changes = [*created(range(15_000)), *created(range(5_000), kind="version"), *deleted([1])]
    rendered = markdown.plan(plan_of(*changes))
    assert len(rendered) < ROOM
    assert "- wiki_page shop/old1" in open_text(rendered)
    assert "| issues | 15000 |  |" in rendered
    (counted,) = re.findall(r"… and (\d+) more: 5000 versions to create, (\d+) issues to create\.", rendered)
    shown = named(rendered, changes)
    assert int(counted[0]) == 20_001 - len(shown)
    assert int(counted[1]) == 15_001 - len(shown)
    assert len(shown) > 1000


def test_a_long_text_hides_nothing() -> None:
    """A text of 70,000 characters is cut, whether it is one line or many; every object beside it is shown in full."""
    long = created([1], "x" * 70_000) + created([2], "some words\n" * 7_000)
    edited = changed("description", "y" * 70_000, "z" * 70_000)
    changes = [*long, make(Update, Address("issue", "shop/3"), 3, at(3), (edited,)), *created(range(4, 60))]
    rendered = markdown.plan(plan_of(*changes))
    assert len(rendered) < ROOM
    assert rendered.count("<summary><code>") == 59
    assert "(69700 more characters)" in rendered
    assert "without their values" not in rendered


def test_many_deletions() -> None:
    """All of 1,000 deletions are named and not folded; of 3,000, those that do not fit are counted, and nothing else is shown."""
    for number in (1000, 3000):
        changes = [*deleted(range(number)), *created(range(10))]
        rendered = markdown.plan(plan_of(*changes))
        assert len(rendered) < ROOM
        assert f"**{number} to delete**" in rendered
        shown = len(named(open_text(rendered), changes))
        counted = re.search(r"… and (\d+) more: (\d+) wiki pages to delete\.", open_text(rendered))
        assert (int(counted[1]) if counted else 0) == number - shown
    assert shown > 1300


def test_a_deletion_with_a_long_reason() -> None:
    """What a deletion takes along is cut only if all of it has no room."""
    along = "also deletes " + ", ".join(f"shop/page {n}" for n in range(10_000))
    rendered = markdown.plan(plan_of(*deleted([1], along), *deleted([2])))
    assert len(rendered) < ROOM
    assert "also deletes shop/page 0, " in rendered
    assert "shop/page 9999" in rendered
    assert "- wiki_page shop/old2" in rendered
    short = markdown.plan(plan_of(*deleted([1], along[:20_000])))
    assert along[:20_000] in short


def test_what_is_pruned_is_beside_what_is_deleted() -> None:
    """What is locked because no manifest declares it is not folded either."""
    locked = replace(
        make(Update, Address("user", "shop/amy"), 4, at(1), (changed("status", "active", "locked"),)), undeclared=True
    )
    rendered = open_text(markdown.plan(plan_of(*created([1]), locked, *deleted([1]))))
    assert "**1 to delete, 1 to change as not declared**" in rendered
    assert "- `~ user shop/amy (#4)`" in rendered


def test_many_warnings() -> None:
    """Warnings take a part of the room; those that do not fit are counted."""
    warnings = tuple(Warned(Address("issue", f"shop/{n}"), at(n), "is odd") for n in range(3000))
    rendered = markdown.plan(replace(plan_of(*created(range(500)), *deleted([1])), warnings=warnings))
    assert len(rendered) < ROOM
    (counted,) = re.findall(r"… and (\d+) more warnings\.", rendered)
    assert rendered.count("is odd") + int(counted) == 3000
    assert len(named(rendered, created(range(500)))) == 500


def test_much_that_is_unmanaged() -> None:
    """The list of what no manifest declares leaves room for the plan."""
    objects = tuple(LiveObject(Address("issue", f"p{n // 5}/{n}"), n, f"/issues/{n}") for n in range(5000))
    rendered = markdown.plan(replace(plan_of(*deleted([1])), unmanaged=Unmanaged(objects, listed=True)))
    assert len(rendered) < ROOM
    assert "- wiki_page shop/old1" in open_text(rendered)
    assert re.search(r"… and \d+ more groups\.", rendered)


def test_a_report_of_much() -> None:
    """Failures are never folded or cut; what is done is folded, and named or counted."""
    changes = [*created(range(5000)), *deleted(range(300))]
    results = [Result(c, "done", n) for n, c in enumerate(changes[:5000])]
    results += [Result(c, "failed", errors=(ItemError("Title is invalid " + "x" * 100),)) for c in changes[5000:]]
    rendered = markdown.results(Report(plan_of(*changes), tuple(results), 1))
    assert len(rendered) < ROOM
    assert "| wiki pages | 300 |  |\n| issues |  | 5000 |" in rendered
    assert rendered.index("**Failed: 300**") < rendered.index("<details>")
    assert len(named(open_text(rendered), changes)) == 300
    assert open_text(rendered).count("Title is invalid") > 250
    (counted,) = re.findall(r"… and (\d+) more: \d+ issues to create", rendered)
    assert len(re.findall(r"^- `\+ issue", rendered, re.M)) + int(counted) == 5000


def test_a_report_with_a_long_message() -> None:
    """A message of 70,000 characters is cut, and hides no other failure."""
    results = [Result(c, "failed", errors=(ItemError("x" * 70_000),)) for c in created(range(5))]
    rendered = markdown.results(Report(plan_of(), tuple(results), 1))
    assert len(rendered) < ROOM
    assert len(re.findall(r"^- `\+ issue", rendered, re.M)) == 5


def test_many_problems() -> None:
    """Problems that have no room for their lines have one for their sentence; then they are counted by file."""
    problems = [Problem(Location(f"f{n // 1000}.yaml", n + 1), "is wrong", f"issue shop/{n}") for n in range(5000)]
    rendered = markdown.problems(problems, lambda place: f"{place.line} | a line of the file\n | ^")
    assert len(rendered) < ROOM
    shown = rendered.count("is wrong")
    assert shown > 800
    (counted,) = re.findall(r"… and (\d+) more: \d+ in `f\d.yaml`, .*1000 in `f4.yaml`\.", rendered)
    assert shown + int(counted) == 5000


def test_problems_and_the_plan_of_the_rest() -> None:
    """Both have room: a deletion in the plan of the rest is not hidden by many problems."""
    problems = [Problem(Location("a.yaml", n + 1), "is wrong " + "x" * 900) for n in range(500)]
    rendered = markdown.rest(problems, no_excerpt, plan_of(*created(range(2000)), *deleted([1])))
    assert len(rendered) < ROOM
    assert "- wiki_page shop/old1" in open_text(rendered)
    few = markdown.rest(problems[:1], no_excerpt, plan_of(*created(range(1000))))
    assert len(named(few, created(range(1000)))) == 1000


@pytest.mark.parametrize(
    "nasty", ["@" * 1000, *(pytest.param(character * 1000, marks=pytest.mark.slow) for character in "`\\<")]
)
def test_text_that_grows_when_escaped(nasty: str) -> None:
    """Characters that take many to be shown literally do not break the limit."""
    changes = [*created(range(40), nasty), *deleted(range(300), nasty)]
    results = [Result(c, "failed", errors=(ItemError(nasty),), notes=(nasty,)) for c in changes]
    problems = [Problem(Location(nasty, n + 1), nasty, nasty, nasty) for n in range(40)]
    plan = replace(plan_of(*changes), warnings=tuple(Warned(Address("issue", nasty), at(1), nasty) for _ in range(50)))
    for rendered in (
        markdown.plan(plan),
        markdown.results(Report(plan, tuple(results), 1, ended=nasty)),
        markdown.problems(problems, lambda place: nasty),
        markdown.rest(problems, lambda place: nasty, plan),
    ):
        assert len(rendered) < ROOM


def test_it_takes_no_longer_for_much() -> None:
    """20,000 changes take a second or two, because only what may be shown is made."""
    plan = plan_of(*created(range(20_000), "a\nb\n" * 100))
    began = time.process_time()
    markdown.plan(plan)
    assert time.process_time() - began < 5


def test_a_value_from_an_overlay() -> None:
    """A field that another file sets than the one of the object says which, in a table, above a diff, and in JSON."""
    there = Location("staging.yaml", 7, 3)
    fields = (FieldChange("status", "open", "locked", there), FieldChange("description", "a\nb", "a\nc", there))
    plan = plan_of(make(Update, Address("version", "shop/1.0"), 7, at(1), fields))
    rendered = markdown.plan(plan)
    assert "| `status` (`staging.yaml:7`) | `open` | `locked` |" in rendered
    assert "`description` (`staging.yaml:7`)" in rendered
    source = {"file": "staging.yaml", "line": 7, "column": 3}
    assert [field.get("source") for field in json.plan_json(plan)["changes"][0]["fields"]] == [source, source]


def test_a_value_of_the_object_itself() -> None:
    """A field that is declared where the object is has no place of its own, in Markdown or JSON."""
    plan = plan_of(make(Update, Address("version", "shop/1.0"), 7, at(1), (changed("status", "open", "locked"),)))
    assert "| `status` | `open` | `locked` |" in markdown.plan(plan)
    assert "source" not in json.plan_json(plan)["changes"][0]["fields"][0]
