"""Plans, reports and problems as one self-contained page: no external resources, readable without JavaScript."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from reconciler.errors import Location, Problem
from reconciler.render import unmanaged, words
from reconciler.render.html_graph import Marks, graph
from reconciler.render.html_groups import grouped, name_of, of_plan, ordered, removed
from reconciler.render.html_items import OUTCOME_STYLES, STYLES, Items, link, problem
from reconciler.render.html_page import Group, Page, paragraphs
from reconciler.render.safe import html

if TYPE_CHECKING:
    from reconciler.apply.report import Outcome, Report
    from reconciler.plan.operations import Plan

ORDER: tuple[Outcome, ...] = ("failed", "unknown", "skipped", "left", "done")
"""Outcomes that need attention come first, next to the heading."""
FEW = 12
"""Changes up to which all of them are unfolded; in a report, of those that were skipped."""
ACTIONS: Mapping[str, tuple[str, str]] = {
    action: (f"{symbol} {words.VERBS[action]}", STYLES[symbol]) for action, symbol in words.SYMBOLS.items()
}
OUTCOMES: Mapping[str, tuple[str, str]] = {
    **{name: (words.OUTCOMES[name], OUTCOME_STYLES[name]) for name in ORDER if name != "done"},
    **{a: (f"{words.SYMBOLS[a]} {past}", OUTCOME_STYLES["done"]) for a, past in words.PAST.items()},
}
"""The columns of a report: of what is done, the actions (`column_of`)."""
PROBLEM: Mapping[str, tuple[str, str]] = {"problem": ("! problem", "del")}


def plan(plan: Plan) -> str:
    """What would be done."""
    groups = (*_changes(plan), *_unmanaged(plan))
    notes = _remarks(plan)
    return Page(
        words.summary(plan),
        _about("Plan for", plan),
        notes,
        groups,
        ACTIONS,
        "changes",
        after=_graph(plan),
        footer=_digest(plan),
    ).html


def results(report: Report) -> str:
    """What an apply did; failures come first. What is done is grouped as in a plan."""
    plan = report.plan
    notes = (*paragraphs([words.ended(report)] if report.ended else [], "say bad"), *_warnings(plan))
    groups, about = tuple(_outcomes(report)), _about("Apply to", plan)
    marks = {r.change.address: (words.OUTCOMES[r.outcome], OUTCOME_STYLES[r.outcome]) for r in report.results}
    after = tuple(graph(plan, Marks(marks, {group.name for group in groups})))
    return Page(
        words.outcome(report), about, notes, groups, OUTCOMES, "changes", after=after, footer=_digest(plan)
    ).html


def problems(problems: Sequence[Problem], excerpt: Callable[[Location], str]) -> str:
    """Each problem with the line that it is about."""
    return Page(words.problems(len(problems)), "", (), tuple(_problems(problems, excerpt)), PROBLEM, "problems").html


def rest(problems: Sequence[Problem], excerpt: Callable[[Location], str], plan: Plan) -> str:
    """Problems, and the plan of what does not depend on them."""
    between = Group("rest", words.summary(plan), content=paragraphs([words.REST], "soft"))
    groups = (*_problems(problems, excerpt), between, *_changes(plan), *_unmanaged(plan))
    title, columns = words.problems(len(problems)), {**PROBLEM, **ACTIONS}
    about, footer = _about("Plan for", plan), _digest(plan)
    return Page(title, about, _remarks(plan), groups, columns, "entries", after=_graph(plan), footer=footer).html


def _about(what: str, plan: Plan) -> str:
    return f"{html(what)} {link(plan.url)}"


def _digest(plan: Plan) -> tuple[str, ...]:
    return (f"Plan <code>{html(plan.digest)}</code>",) if plan.changes else ()


# -- plans -----------------------------------------------------------------------------------------------------


def _remarks(plan: Plan) -> tuple[str, ...]:
    """Sentences about objects that are not compared, and warnings."""
    warnings = words.warnings(plan)
    first = [] if plan.changes else [words.unchanged(plan)]
    others = [one for one in (words.remarks(plan) if plan.changes else words.notes(plan)) if one not in warnings]
    return (*paragraphs([*first, *others]), *_warnings(plan))


def _warnings(plan: Plan) -> tuple[str, ...]:
    return paragraphs(words.warnings(plan), "say warn")


def _changes(plan: Plan) -> Iterator[Group]:
    known = {change.address for change in plan.changes}
    return of_plan(plan, Items(plan.url, known, len(known) <= FEW).change)


def _graph(plan: Plan) -> tuple[str, ...]:
    marks = {c.address: (words.SYMBOLS[c.action], STYLES[words.SYMBOLS[c.action]]) for c in plan.changes}
    places = {name_of(change.address) for change in plan.changes if not removed(change)}
    return tuple(graph(plan, Marks(marks, places)))


def _unmanaged(plan: Plan) -> Iterator[Group]:
    """The list of what no manifest declares."""
    if heading := unmanaged.heading(plan):
        yield Group("unmanaged", "Not in the manifests", content=(*paragraphs([heading], "soft"), *_listed(plan)))


def _listed(plan: Plan) -> Iterator[str]:
    for group in unmanaged.groups(plan):
        items = [f"<li>{link(url, name)}</li>" for name, url in group.items]
        more = [f"<li>… and {group.more} more</li>"] if group.more else []
        head = f'<details open><summary>{html(group.heading)}</summary><ul class="list">'
        yield "\n".join([head, *items, *more, "</ul></details>"])


# -- reports ---------------------------------------------------------------------------------------------------


def _outcomes(report: Report) -> Iterator[Group]:
    known = {result.change.address for result in report.results}
    items = Items(report.plan.url, known, open=report.summary["skipped"] <= FEW)
    for name in ORDER:
        ended = ordered((r for r in report.results if r.outcome == name), lambda result: result.change.address)
        if ended:
            note = paragraphs([words.UNKNOWN], "say warn") if name == "unknown" else ()
            shown = () if name == "done" else tuple(map(items.result, ended))
            yield Group(name, words.heading(name, ended), shown, note, counted=False)
    done = {result.change.address: result for result in report.results if result.outcome == "done"}
    changes = [result.change for result in done.values()]
    yield from grouped(report.plan.url, changes, lambda change: items.result(done[change.address]))


# -- problems --------------------------------------------------------------------------------------------------


def _problems(problems: Sequence[Problem], excerpt: Callable[[Location], str]) -> Iterator[Group]:
    """A group for each file."""
    for number, (file, some) in enumerate(groupby(problems, key=lambda found: found.location.file), 1):
        items = tuple(problem(one, excerpt) for one in some)
        yield Group(f"problems:{number}", file or "Problems", items)
