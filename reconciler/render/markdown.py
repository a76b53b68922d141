"""Plans, reports and problems as Markdown, for a comment on a pull request. The heading is the summary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from reconciler.errors import Location, Problem
from reconciler.render import unmanaged, words
from reconciler.render.safe import code, fenced, html, markdown
from reconciler.render.words import Field

if TYPE_CHECKING:
    from reconciler.apply.report import ItemError, Outcome, Report, Result
    from reconciler.plan.operations import Change, Plan

LIMIT = 60_000
"""Characters. GitHub accepts comments of up to 65,536, GitLab of up to 1,000,000."""
ORDER: tuple[Outcome, ...] = ("failed", "unknown", "skipped", "left", "done")
"""Outcomes that need attention come first, next to the heading."""


def plan(plan: Plan, *, limit: int = LIMIT) -> str:
    """What would be done, one folded block for each object. Blocks beyond `limit` characters are only counted."""
    head, listed = [f"### {words.summary(plan)}"], list(_unmanaged(plan))
    if not plan.changes:
        return "\n\n".join([*head, *map(markdown, [words.unchanged(plan), *words.notes(plan)]), *listed])
    head += [f"Server: {code(plan.url)}", *map(markdown, words.remarks(plan))]
    blocks = (_block(change) for change in words.deletions_first(plan))
    return "\n\n".join([*head, *_fitting(blocks, len(plan.changes), limit - sum(map(len, listed))), *listed])


def _unmanaged(plan: Plan) -> Iterator[str]:
    """The list of what no manifest declares: a heading, then one folded block for each project and kind."""
    if heading := unmanaged.heading(plan):
        groups = list(unmanaged.groups(plan))
        yield markdown(heading)
        yield from _fitting(map(_group, groups), len(groups), LIMIT // 4)


def _group(group: unmanaged.Group) -> str:
    items = [f"- {code(name)} {code(link)}" for name, link in group.items]
    more = [f"- … and {group.more} more"] if group.more else []
    summary = f"<summary>{html(group.heading)}</summary>"
    return "\n\n".join([f"<details>\n{summary}", "\n".join([*items, *more]), "</details>"])


def results(report: Report, *, limit: int = LIMIT) -> str:
    """What an apply did; failures come first. Results beyond `limit` characters are only counted."""
    head = [f"### {words.outcome(report)}", f"Server: {code(report.plan.url)}"]
    if report.ended:
        head.append(markdown(words.ended(report)))
    groups = ((name, [r for r in report.results if r.outcome == name]) for name in ORDER)
    sections = [_section(name, results) for name, results in groups if results]
    parts = list[str]()
    for intro, items in sections:
        shown = list(_fitting(items, len(items), limit - sum(map(len, parts)), "- "))
        parts += [intro, "\n".join(shown)]
    return "\n\n".join([*head, *parts])


def problems(problems: Sequence[Problem], excerpt: Callable[[Location], str], *, limit: int = LIMIT) -> str:
    """Each problem with the line that it is about. Problems beyond `limit` characters are only counted."""
    blocks = ("\n\n".join(_problem(problem, excerpt)) for problem in problems)
    return "\n\n".join([f"### {words.problems(len(problems))}", *_fitting(blocks, len(problems), limit)])


def rest(problems_: Sequence[Problem], excerpt: Callable[[Location], str], made: Plan, *, limit: int = LIMIT) -> str:
    """Problems, and the plan of what does not depend on them."""
    first = problems(problems_, excerpt, limit=limit // 2)
    return "\n\n".join([first, markdown(words.REST), plan(made, limit=limit - len(first))])


def _fitting(blocks: Iterable[str], total: int, limit: int, bullet: str = "") -> Iterator[str]:
    """The blocks that fit, then the number of those that do not."""
    for index, block in enumerate(blocks):
        # 2 for the empty line between blocks.
        limit -= len(block) + 2
        if limit < 0:
            yield f"{bullet}… and {total - index} more, omitted to keep this short."
            return
        yield block


# -- plan ------------------------------------------------------------------------------------------------------


def _block(change: Change) -> str:
    body = list(_body(change))
    if not body:
        return code(_title(change))
    # Markdown is not interpreted inside an HTML block, up to the next empty line.
    summary = f"<summary><code>{html(_title(change))}</code></summary>"
    return "\n\n".join([f"<details>\n{summary}", *body, "</details>"])


def _title(change: Change, number: int | str | None = None) -> str:
    return f"{words.SYMBOLS[change.action]} {words.head(change, number)}"


def _body(change: Change) -> Iterator[str]:
    """Where the object is declared, why it changes, and its fields."""
    notes = [code(words.place(change))] if words.place(change) else []
    if change.reason:
        notes.append(markdown(change.reason))
    fields = list(words.fields(change))
    if notes and (fields or change.reason):
        yield ": ".join(notes)
    columns = ["Field", "Value"] if change.action == "create" else ["Field", "Before", "After"]
    rows = [_row(field, len(columns)) for field in fields if not field.lines]
    if rows:
        yield "\n".join([_cells(columns), _cells(["---"] * len(columns)), *rows])
    for field in fields:
        if field.lines:
            yield f"{code(field.label)}{_later(field)}"
            yield fenced(list(field.lines), "diff")


def _row(field: Field, columns: int) -> str:
    values = [] if field.before is None else [code(field.before, cell=True)]
    cells = [code(field.label, cell=True) + _later(field), *values, code(field.after, cell=True)]
    return _cells([*cells[:1], *[""] * (columns - len(cells)), *cells[1:]])


def _cells(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _later(field: Field) -> str:
    """The mark of a field that a later operation sets."""
    return f" *then* {markdown(field.waits)}".rstrip() if field.number else ""


# -- results ---------------------------------------------------------------------------------------------------


def _section(name: Outcome, results: list[Result]) -> tuple[str, list[str]]:
    heading = f"**{words.heading(name, results)}**"
    intro = f"{heading}\n\n{words.UNKNOWN}" if name == "unknown" else heading
    return intro, [_item(result) for result in results]


def _item(result: Result) -> str:
    place = words.place(result.change)
    line = f"- {code(_title(result.change, result.id))}{' ' + code(place) if place else ''}"
    errors = [_error(result.change, error) for error in result.errors]
    because = [markdown(f"because {result.because}")] if result.because else []
    notes = [markdown(f"note: {note}") for note in result.notes]
    return "\n".join([line, *(f"  - {detail}" for detail in (*errors, *because, *notes))])


def _error(change: Change, error: ItemError) -> str:
    place = words.error_place(change, error)
    return f"{markdown(error.message)} {code(place)}" if place else markdown(error.message)


# -- problems --------------------------------------------------------------------------------------------------


def _problem(problem: Problem, excerpt: Callable[[Location], str]) -> Iterator[str]:
    subject = f"{code(problem.subject)}: " if problem.subject else ""
    hint = f" ({markdown(problem.hint)})" if problem.hint else ""
    located = f"{code(str(problem.location))} " if problem.location.file else ""
    yield f"{located}{subject}{markdown(problem.message)}{hint}"
    for index, place in enumerate((problem.location, *problem.also)):
        if index:
            yield f"also {code(str(place))}"
        if lines := excerpt(place).splitlines():
            yield fenced(lines, "text")
