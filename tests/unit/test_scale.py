"""Work grows with the number of objects, not with its square, and no depth ends it: calls are counted, not timed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from cProfile import Profile
from pathlib import Path

import pytest
from canned import Canned
from click.testing import CliRunner
from engine import PLACE, apply_to, documents, offline, plan_and_names, settings
from exports import Exports
from extent import either
from pruning import pruning
from shapes import SHAPES

import reconciler
from reconciler.cli import main
from reconciler.errors import Exit
from reconciler.plan import plan_file
from reconciler.plan.dependencies import declared_dependencies
from reconciler.plan.operations import Plan
from reconciler.render import graph, html, json, markdown, text
from reconciler.state.desired import build

ENGINE = (str(Path(reconciler.__file__).parent), "<string>")
"""Where the functions of the package are, and what `dataclass` writes for it: to look for an object in a list compares it
with each of them."""
GROWTH = 2.3
"""What each doubling of the number of objects may cost, in terms of the doubling before."""
DEEP = 300
FRAMES = 200
"""Frames that a run may take beyond those of the test: far fewer than a walk down a tree of `DEEP` levels would."""


def calls(action: Callable[[], object]) -> int:
    """The calls from and to functions of the package while an action runs."""
    profile = Profile()
    profile.runcall(action)
    counted = 0
    for entry in profile.getstats():
        if not isinstance(entry.code, str) and entry.code.co_filename.startswith(ENGINE):
            # Functions in C have no code, only a name.
            counted += entry.callcount + sum(c.callcount for c in entry.calls or () if isinstance(c.code, str))
    return counted


def growth(cost: Callable[[int], int], size: int = 40) -> float:
    """What the second doubling of the number of objects costs, in terms of the first: 2 is linear, 4 is quadratic."""
    # What is done once in a process is done before.
    cost(10)
    few, some, many = (cost(size * factor) for factor in (1, 2, 4))
    return (many - some) / (some - few)


@contextmanager
def few_frames() -> Iterator[None]:
    """Too few frames to descend a tree by recursion."""
    before, frame, depth = sys.getrecursionlimit(), sys._getframe(), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    sys.setrecursionlimit(depth + FRAMES)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def rendered(plan: Plan) -> None:
    """All forms of a plan."""
    text.plan(plan, color=False)
    json.dumps(json.plan_json(plan))
    markdown.plan(plan)
    html.plan(plan)


@pytest.mark.parametrize("shape", SHAPES)
def test_validating_and_drawing_manifests_is_linear(shape: str) -> None:
    """Twice the manifests take twice the calls to validate, and to list and draw their dependencies."""

    def cost(count: int) -> int:
        read = documents(SHAPES[shape](count, "first"))

        def validate() -> None:
            desired = build(read, settings())
            edges = list(declared_dependencies(desired))
            graph.dot(edges, desired.objects)
            graph.svg(edges, desired.objects)

        return calls(validate)

    assert growth(cost) <= GROWTH


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_planning_new_objects_is_linear(shape: str) -> None:
    """Twice the new objects take twice the calls to plan, and to save and read the plan."""

    def cost(count: int) -> int:
        manifest = SHAPES[shape](count, "first")

        def plan() -> None:
            made, names = plan_and_names(Canned(), manifest)
            saved = plan_file.save(made, names)
            plan_file.load(saved, "plan.json", {}, PLACE)

        return calls(plan)

    assert growth(cost) <= GROWTH


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_showing_a_plan_is_linear(shape: str) -> None:
    """Twice the changes take at most twice the calls to show: what is left out of a large page takes none."""

    def cost(count: int) -> int:
        made, _ = plan_and_names(Canned(), SHAPES[shape](count, "first"))
        return calls(lambda: rendered(made))

    cost(10)
    assert cost(160) <= GROWTH * cost(80)


@pytest.mark.prove
@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_each_step_of_a_run_is_linear(shape: str, tmp_path: Path) -> None:
    """Twice the objects take twice the calls to create, to plan without and with changes, to change and to export."""
    steps = ("apply", "unchanged", "changed", "apply changes", "export")

    def costs(count: int) -> list[int]:
        redmine = Canned()
        first, changed = (SHAPES[shape](count, word) for word in ("first", "changed"))
        return [
            calls(lambda: apply_to(redmine, first)),
            calls(lambda: plan_and_names(redmine, first)),
            calls(lambda: plan_and_names(redmine, changed)),
            calls(lambda: apply_to(redmine, changed)),
            calls(lambda: Exports(redmine).write(tmp_path / str(count))),
        ]

    costs(10)
    few, some, many = (costs(count) for count in either((20, 40, 80), (40, 80, 160)))
    grown = {n: (s - f, m - s) for n, f, s, m in zip(steps, few, some, many, strict=True)}
    # A step can have nothing to do at all: there is nothing to export after deletions.
    assert not {n: grown[n] for n, (first, second) in grown.items() if second > GROWTH * max(first, 100)}


def undeclared_levels(count: int) -> Canned:
    """A server with issues, each below the one before, and one that is apart; all have keys."""
    redmine = Canned()
    field = redmine.add("custom_fields", name="Key", customized_type="issue", field_format="string", is_filter=True)
    redmine.row("custom_fields", field)["trackers"] = redmine.rows("trackers")
    redmine.add("projects", identifier="shop", enabled_modules=["issue_tracking"])
    redmine.add("issues", project="shop", subject="Apart", custom_fields={"Key": "apart"})
    for number in range(count):
        above = {"parent": number + 1} if number else {}
        redmine.add("issues", project="shop", subject="s", custom_fields={"Key": f"i-{number}"}, **above)
    return redmine


@pytest.mark.slow
def test_pruning_levels_is_linear(tmp_path: Path) -> None:
    """Twice as many undeclared issues, each below the one before, take twice the calls to prune."""
    text = "projects: [{identifier: shop, issues: [{key: apart, subject: Apart}]}]"

    def cost(count: int) -> int:
        redmine, plans = undeclared_levels(count), list[Plan]()
        declared = {"authoritative": ["issues"], "issue_key_field": "Key"}
        counted = calls(lambda: plans.append(pruning(redmine, tmp_path, text, **declared)))
        assert len(plans[0].changes) == count
        return counted

    assert growth(cost, 80) <= GROWTH


REPORTS = [f"--report={form}=report.{form}" for form in ("json", "junit", "markdown", "html", "gitlab-codequality")]
COMMANDS = {"plan": REPORTS, "apply": ["--keep-going", "--yes", *REPORTS], "check": REPORTS}


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_telling_problems_is_linear(canned: Canned, command: str) -> None:
    """Twice the issues that name a missing tracker take twice the calls to find that, to show it and to report it."""

    def cost(count: int) -> int:
        lines = (f"  - {{project: shop, subject: i{n}, tracker: Bgu}}\n" for n in range(count))
        Path("a.yaml").write_text("issues:\n" + "".join(lines))
        return calls(lambda: ended.append(CliRunner().invoke(main, [command, *COMMANDS[command]]).exit_code))

    ended: list[int] = []
    assert growth(cost, 160) <= GROWTH
    assert {*ended} <= {Exit.INVALID, Exit.INCOMPLETE}


@pytest.mark.parametrize("shape", SHAPES)
def test_no_depth_of_a_tree_or_chain_ends_a_plan(shape: str) -> None:
    """Trees and chains of hundreds of objects are validated, planned, shown and saved without recursion."""
    manifest = SHAPES[shape](DEEP, "first")
    read = documents(manifest)
    with few_frames():
        desired = build(read, settings())
        graph.dot(declared_dependencies(desired), desired.objects)
        made, names = plan_and_names(Canned(), manifest)
        rendered(made)
        plan_file.load(plan_file.save(made, names), "plan.json", {}, PLACE)
    assert not desired.problems
    assert made.summary["create"] >= min(DEEP - 2, len(desired.objects))


def test_an_unchanged_issue_takes_few_calls() -> None:
    """To read, match and compare an unchanged issue takes at most 250 calls; what is the same for all issues, and is
    looked up again for each, would show here."""
    redmine = Canned()
    manifests = {count: SHAPES["issues"](count, "first") for count in (100, 200)}
    apply_to(redmine, manifests[200])
    # Once before, for what is done once in a process.
    plan_and_names(redmine, manifests[100])

    def without_reading(manifest: str) -> int:
        return calls(lambda: plan_and_names(redmine, manifest)) - calls(lambda: offline(manifest))

    few, many = map(without_reading, manifests.values())
    assert (many - few) / 100 <= 250
