"""Plans, reports and problems as text for a terminal or a log. The last line is always the summary."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from reconciler.errors import Location, Problem
from reconciler.render import unmanaged, words
from reconciler.render.safe import terminal
from reconciler.render.words import Field

if TYPE_CHECKING:
    from reconciler.apply.report import Outcome, Report, Result
    from reconciler.plan.operations import Change, Plan

STYLES = {"+": "32", "~": "33", "-": "31", "!": "31", "?": "35", "@": "36", "bold": "1", "dim": "2"}
"""SGR parameters by symbol or purpose."""
WIDEST_HEAD = 60
WIDEST_LABEL = 32
"""The widest heads and labels after which the next column is still aligned."""
ORDER: tuple[Outcome, ...] = ("done", "left", "skipped", "unknown", "failed")
BRIEF: tuple[Outcome, ...] = ("done", "left")
"""Outcomes that are only counted, unless the output is verbose."""
"""Outcomes that need attention come last, next to the summary and the prompt."""


class Paint:
    """Colors text, or returns it unchanged."""

    def __init__(self, color: bool) -> None:
        self.color = color

    def __call__(self, style: str, text: str) -> str:
        code = STYLES.get(style)
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and code and text else text


# -- plan ------------------------------------------------------------------------------------------------------


def plan(plan: Plan, *, color: bool, files: bool = True) -> str:
    """What would be done. `files` tells whether each object's place in the manifests is shown."""
    paint = Paint(color)
    summary = paint("bold", words.summary(plan))
    listed = list(_unmanaged(plan, paint))
    if not plan.changes:
        return "\n\n".join([terminal(words.unchanged(plan)), *map(terminal, words.notes(plan)), *listed, summary])
    layout = _Layout(paint, [words.head(c) for c in plan.changes], files)
    head = f"Plan for {terminal(plan.url)}\n{_legend(plan.changes, paint)}"
    hidden = map(terminal, words.remarks(plan))
    blocks = _close(_block(change, layout) for change in words.deletions_first(plan))
    return "\n\n".join([head, blocks, *hidden, *listed, summary])


def _unmanaged(plan: Plan, paint: Paint) -> Iterator[str]:
    """The list of what no manifest declares, in one part."""
    if heading := unmanaged.heading(plan):
        lines = [terminal(heading)]
        for group in unmanaged.groups(plan):
            lines.append(f"  {paint('bold', terminal(group.heading))}")
            column = min(max(_width(name) for name, _ in group.items), WIDEST_HEAD)
            lines += (f"    {terminal(n)}{_gap(n, column)}{paint('dim', terminal(link))}" for n, link in group.items)
            lines += [f"    … and {group.more} more (--format json lists all)"] if group.more else []
        yield "\n".join(lines)


def _legend(changes: Iterable[Change], paint: Paint) -> str:
    used = {change.action for change in changes}
    symbols = [(words.SYMBOLS[action], verb) for action, verb in words.VERBS.items() if action in used]
    return "  ".join(f"{paint(symbol, symbol)} {verb}" for symbol, verb in symbols)


class _Layout:
    """The column in which the places of objects are aligned, and whether places are shown."""

    def __init__(self, paint: Paint, heads: Iterable[str], files: bool = True) -> None:
        self.paint = paint
        self.files = files
        self.column = min(max(map(_width, heads), default=0), WIDEST_HEAD)

    def head(self, change: Change, name: str) -> str:
        """The first line of an object's block."""
        symbol = words.SYMBOLS[change.action]
        place = words.place(change) if self.files else ""
        line = f"  {self.paint(symbol, symbol)} {self.paint('bold', terminal(name))}"
        return f"{line}{_gap(name, self.column)}{self.paint('dim', terminal(place))}" if place else line


def _close(blocks: Iterable[str]) -> str:
    """Blocks with an empty line between them, unless both are a single line."""
    parts: list[str] = []
    for block in blocks:
        if parts:
            parts.append("\n" if "\n" not in block + parts[-1] else "\n\n")
        parts.append(block)
    return "".join(parts)


def _block(change: Change, layout: _Layout) -> str:
    """One object: its name and place, the reason of the change, and its fields."""
    lines = [layout.head(change, words.head(change))]
    if change.reason:
        lines.append(f"      ({terminal(change.reason)})")
    fields = list(words.fields(change))
    column = min(max((_width(f.label) for f in fields if not (f.lines or f.number)), default=0), WIDEST_LABEL)
    for field in fields:
        lines += _later(field, layout.paint) if field.number else _field(field, column, layout.paint)
    return "\n".join(lines)


def _field(field: Field, column: int, paint: Paint) -> Iterator[str]:
    place = f"  {paint('dim', terminal(field.place))}" if field.place else ""
    if field.lines:
        yield f"      {terminal(field.label)}{place}"
        yield from _gutter(field, paint)
    else:
        yield f"      {terminal(field.label)}{_gap(field.label, column)}{_values(field, paint)}{place}"


def _later(field: Field, paint: Paint) -> Iterator[str]:
    """A field of a later operation, with what that waits for."""
    waits = f"   {paint('dim', terminal(field.waits))}" if field.waits else ""
    head = f"    {paint('~', 'then')} {terminal(field.label)}:"
    place = f"  {paint('dim', terminal(field.place))}" if field.place else ""
    yield f"{head}{waits}{place}" if field.lines else f"{head} {_values(field, paint)}{waits}{place}"
    yield from _gutter(field, paint)


def _values(field: Field, paint: Paint) -> str:
    if field.before is None:
        return terminal(field.after)
    return f"{paint('-', terminal(field.before))} → {paint('+', terminal(field.after))}"


def _gutter(field: Field, paint: Paint) -> Iterator[str]:
    # With a bar before it, no line can begin with `::`, which a CI server would execute.
    return (f"        │ {paint(line[:1], terminal(line))}".rstrip() for line in field.lines)


def _gap(text: str, column: int) -> str:
    return " " * (max(column - _width(text), 0) + 2)


def _width(text: str) -> int:
    """The columns that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum((2 if unicodedata.east_asian_width(c) in "WF" else 1) for c in text if not unicodedata.combining(c))


# -- results ---------------------------------------------------------------------------------------------------


def results(report: Report, *, color: bool, verbose: bool = False) -> str:
    """What an apply did: all that failed, was skipped or is unknown; only if `verbose`, each that was done or left."""
    paint = Paint(color)
    layout = _Layout(paint, [words.head(r.change, r.id) for r in report.results])
    parts = [f"Apply to {terminal(report.plan.url)}" if report.results else words.unchanged(report.plan)]
    for name in ORDER:
        ended = [result for result in report.results if result.outcome == name]
        if ended:
            parts.append("\n".join(_section(name, ended, layout, verbose)))
    if report.ended:
        parts.append(words.ended(report))
    return "\n\n".join([*parts, paint("bold", words.outcome(report))])


def _section(name: Outcome, results: list[Result], layout: _Layout, verbose: bool) -> Iterator[str]:
    style = {"done": "+", "left": "~", "skipped": "~", "unknown": "?", "failed": "!"}[name]
    yield layout.paint(style, words.heading(name, results))
    for result in results:
        if name not in BRIEF or verbose or result.notes:
            yield layout.head(result.change, words.head(result.change, result.id))
            yield from (f"      {line}" for line in _details(result, layout))
    if name == "unknown":
        yield f"  {words.UNKNOWN}"


def _details(result: Result, layout: _Layout) -> Iterator[str]:
    """The details of one result: each error with the place of its field, the reason of a skip, and notes."""
    for error in result.errors:
        place = words.error_place(result.change, error) if layout.files else ""
        line = f"{layout.paint('!', '!')} {terminal(error.message)}"
        yield f"{line}  {layout.paint('dim', terminal(place))}" if place else line
    if result.because:
        yield f"because {terminal(result.because)}"
    yield from (f"note: {terminal(note)}" for note in result.notes)


# -- problems --------------------------------------------------------------------------------------------------


def problems(problems: Sequence[Problem], excerpt: Callable[[Location], str], *, color: bool) -> str:
    """Each problem with the line that it is about; `excerpt` returns that line with a caret, or ""."""
    paint = Paint(color)
    blocks = ["\n".join(_problem(problem, excerpt, paint)) for problem in problems]
    return "\n\n".join([*blocks, paint("bold", words.problems(len(blocks)))])


def _problem(problem: Problem, excerpt: Callable[[Location], str], paint: Paint) -> Iterator[str]:
    subject = f"{terminal(problem.subject)}: " if problem.subject else ""
    place = f"{paint('bold', terminal(str(problem.location)))}  " if problem.location.file else ""
    yield f"{paint('!', '!')} {place}{subject}{terminal(problem.message)}"
    yield from _excerpt(problem.location, excerpt, paint)
    for other in problem.also:
        yield f"  also {terminal(str(other))}"
        yield from _excerpt(other, excerpt, paint)
    if problem.hint:
        yield f"  hint: {terminal(problem.hint)}"


def _excerpt(location: Location, excerpt: Callable[[Location], str], paint: Paint) -> Iterator[str]:
    return (paint("dim", f"  {terminal(line)}") for line in excerpt(location).splitlines())
