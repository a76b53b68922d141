"""A plan, a report and problems that show every shape once, and the golden files made of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from reconciler.apply.report import ItemError, Report, Result
from reconciler.errors import Location, Problem
from reconciler.model.address import Address
from reconciler.model.spec import Secret
from reconciler.plan.operations import (
    Change,
    Create,
    Delete,
    FieldChange,
    Link,
    Lock,
    Operation,
    OperationId,
    Plan,
    Reopen,
    Update,
)
from reconciler.render import github, gitlab, graph, html, junit, markdown, text
from reconciler.render.json import dumps, plan_json, problems_json, results_json

CANARY = "canary-7f3a"
URL = "https://redmine.example.net"


def at(line: int, column: int = 5) -> Location:
    """A place in the sample manifest."""
    return Location("examples/shop.yaml", line, column)


def new(**fields: Any) -> tuple[FieldChange, ...]:
    """The fields of a new object; `__` in a name stands for the point before a custom field."""
    return tuple(FieldChange(name.replace("__", "."), None, value) for name, value in fields.items())


def changed(path: str, before: Any, after: Any) -> FieldChange:
    """One changed field."""
    return FieldChange(path, before, after)


def change(
    kind: type[Operation],
    address: Address,
    number: int | None,
    source: Location,
    fields: tuple[FieldChange, ...] = (),
    *later: tuple[type[Operation], tuple[FieldChange, ...], tuple[Address, ...]],
    reason: str | None = None,
) -> Change:
    """What happens to an object: the first operation, and (type, fields, what it waits for) of each later one."""
    operations = [kind(OperationId(address), fields, reason=reason)]
    for index, (other, written, waits_for) in enumerate(later):
        before = (OperationId(address, index), *map(OperationId, waits_for))
        operations.append(other(OperationId(address, index + 1), written, before))
    return Change(address, number, source, tuple(operations))


def plan_of(*changes: Change, unchanged: int = 0) -> Plan:
    """A plan with a digest that stays the same whatever the engine puts into it."""
    plan = Plan(URL, changes, unchanged, requests=17)
    vars(plan)["digest"] = "sha256:" + "0" * 64
    return plan


WIKI = "Start\n\n* one\n* two  \n\nEnd\n"
ISSUES = tuple(Address("issue", f"web-shop/step {number}") for number in range(12))
LOGIN = Address("issue", "web-shop/login")
VERSION = Address("version", "web-shop/1.0")
LONG = "https://example.net/" + "a/long/path/" * 6

CHANGES = (
    change(Create, Address("user", "jsmith"), None, at(3), new(firstname="John", admin=False, password=Secret(CANARY))),
    change(
        Update,
        Address("project", "web-shop"),
        4,
        at(9),
        (
            changed("description", WIKI, WIKI.replace("one", "1").replace("two  ", "two")),
            changed("enabled_modules", ["news", "wiki"], ["issue_tracking", "wiki"]),
            changed("homepage", LONG, LONG + "shop"),
            changed("trackers", [f"Tracker {n}" for n in range(12)], [f"Tracker {n}" for n in range(1, 13)]),
            changed("custom_fields.Customer", "ACME", None),
        ),
        (Link, (changed("default_version", None, "1.0"),), (VERSION,)),
    ),
    change(
        Create,
        VERSION,
        None,
        at(24),
        new(name="1.0", due_date="2026-12-01", description="Two\nlines\n", custom_fields__Affected=["0.8", "0.9"]),
        (Lock, new(status="locked"), (*ISSUES, Address("project", "other"))),
    ),
    change(
        Reopen,
        Address("version", "web-shop/0.9"),
        7,
        at(31),
        (changed("status", "locked", "open"),),
        (Lock, (changed("status", "open", "locked"),), (LOGIN,)),
        reason="status locked prevents the planned changes",
    ),
    change(
        Update,
        LOGIN,
        123,
        at(40),
        (
            changed("subject", "Login fails", "Login fails "),
            changed("assigned_to", "jsmith", {"group": "Support"}),
            changed("fixed_version", "0.9", {"project": "hq", "name": "1.0"}),
            changed("estimated_hours", None, 2.5),
            changed("custom_fields.Count", "1", 1),
        ),
        reason="renamed from web-shop/sign in",
    ),
    change(Delete, Address("issue_category", "web-shop/Old"), 8, at(52)),
    change(Delete, Address("issue_category", "web-shop/Older"), 9, Location("")),
)
PLAN = plan_of(*CHANGES, unchanged=42)
EMPTY = plan_of(unchanged=42)
ERRORS = (
    ItemError("Due date is invalid", "due_date", at(26, 15)),
    ItemError("Name is too long (maximum is 60 characters)", "name", at(24, 7)),
)
REPORT = Report(
    PLAN,
    (
        Result(CHANGES[0], "done", 11),
        Result(CHANGES[1], "done", 4, notes=("created by someone else meanwhile; adopted",)),
        Result(CHANGES[2], "failed", errors=ERRORS),
        Result(CHANGES[3], "done", 7),
        Result(CHANGES[4], "skipped", 123, because="version web-shop/1.0 failed"),
        Result(CHANGES[5], "unknown", 8, errors=(ItemError("The answer did not arrive.", "", at(52)),)),
        Result(CHANGES[6], "left", 9),
    ),
    requests=40,
    ended="The run ended early, because the server could not be reached.",
)
PROBLEMS = (
    Problem(at(3, 7), 'unknown field "nme"', "user jsmith", 'did you mean "name"?'),
    Problem(at(24), "declared twice", "version web-shop/1.0", "remove one of them", (Location("more.yaml", 2, 5),)),
    Problem(Location("empty.yaml"), "the manifest is empty"),
)


def no_excerpt(place: Location) -> str:
    """No line of the file."""
    return ""


def excerpt(place: Location) -> str:
    """A line with a caret, for the places that have a line."""
    return f"{place.line:>4} | {' ' * (place.column - 1)}text\n     | {' ' * (place.column - 1)}^" if place.line else ""


def body(page: str) -> str:
    """What a page shows, without its style sheet and its program."""
    return page.partition("<body>\n")[2].partition("\n<script>")[0]


EDGES = [(Address("project", "web-shop"), VERSION), (VERSION, LOGIN)]

RENDERED: Mapping[str, Callable[[], str]] = {
    "plan.txt": lambda: text.plan(PLAN, color=False),
    "plan-color.txt": lambda: text.plan(PLAN, color=True),
    "plan-empty.txt": lambda: text.plan(EMPTY, color=False),
    "results.txt": lambda: text.results(REPORT, color=False),
    "results-verbose.txt": lambda: text.results(REPORT, color=False, verbose=True),
    "problems.txt": lambda: text.problems(PROBLEMS, excerpt, color=False),
    "plan.json": lambda: dumps(plan_json(PLAN)),
    "results.json": lambda: dumps(results_json(REPORT)),
    "problems.json": lambda: dumps(problems_json(PROBLEMS)),
    "plan.md": lambda: markdown.plan(PLAN),
    "results.md": lambda: markdown.results(REPORT),
    "problems.md": lambda: markdown.problems(PROBLEMS, excerpt),
    "plan.html": lambda: body(html.plan(PLAN)),
    "results.html": lambda: body(html.results(REPORT)),
    "problems.html": lambda: body(html.problems(PROBLEMS, excerpt)),
    "rest.html": lambda: body(html.rest(PROBLEMS, excerpt, PLAN)),
    "problems.github": lambda: github.problems(PROBLEMS),
    "results.github": lambda: github.results(REPORT),
    "plan.github": lambda: github.plan(PLAN),
    "plan.xml": lambda: junit.found((), PLAN).rstrip(),
    "problems.codequality.json": lambda: json.dumps(gitlab.quality(PROBLEMS), indent=2),
    "results.codequality.json": lambda: json.dumps(gitlab.quality((), report=REPORT), indent=2),
    "plan.widget.json": lambda: json.dumps(gitlab.counts(PLAN)),
    "problems.xml": lambda: junit.problems(PROBLEMS).rstrip(),
    "results.xml": lambda: junit.results(REPORT).rstrip(),
    "graph.dot": lambda: graph.dot(EDGES, [Address("user", "jsmith")]),
    "graph.mmd": lambda: graph.mermaid(EDGES, [Address("user", "jsmith")]),
    "graph.svg": lambda: graph.svg(EDGES, [Address("user", "jsmith")]),
}
"""The name of a golden file → what it has."""
