"""Plans, reports and problems as Markdown, for a comment on a pull request. The heading is the summary.

What a reviewer must see comes first and is never folded: what is deleted, and what failed. A comment has room for
`LIMIT` characters: what does not fit is named in a line each, and counted only if even that does not fit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from reconciler.errors import Location, Problem, shortened
from reconciler.render import unmanaged, words
from reconciler.render.fitting import JOINED, Entry, fit
from reconciler.render.safe import code, fenced, html, html_in_markdown, markdown
from reconciler.render.words import Field

if TYPE_CHECKING:
    from reconciler.apply.report import ItemError, Outcome, Report, Result
    from reconciler.plan.operations import Change, Plan

LIMIT = 64_000
"""Characters. GitHub accepts comments of up to 65,536, GitLab of up to 1,000,000."""
RESERVED = 4_000
"""Of these, for headings and for the counts of what has no room."""
LONGEST = 300
"""Characters of a value, and of a line of a text, if there is no room for all."""
LINES = 20
"""Lines of a text, if there is no room for all."""
ORDER: tuple[Outcome, ...] = ("failed", "unknown", "skipped", "left", "done")
"""Outcomes that need attention come first, next to the heading."""
URGENT: tuple[Outcome, ...] = ("failed", "unknown")
"""Outcomes that are never folded."""


def plan(plan: Plan, *, limit: int = LIMIT) -> str:
    """What would be done: the counts, what is deleted, then a folded block for each other object."""
    head = [f"### {words.summary(plan)}"]
    if not plan.changes:
        remarks = _sentences([words.unchanged(plan), *words.notes(plan)], limit // 4)
        return "\n\n".join([*head, *remarks, *_unmanaged(plan)])
    head += [f"Server: {code(plan.url)}", _counts(plan)]
    last = [*_sentences(words.remarks(plan), limit // 8), *_unmanaged(plan)]
    left = limit - RESERVED - _length([*head, *last])
    deleted, others = words.destroyed(plan)
    first = list(_destroyed(deleted, left))
    return "\n\n".join([*head, *first, *last, *_changes(others, left - _length(first))])


def results(report: Report, *, limit: int = LIMIT) -> str:
    """What an apply did: the counts, what failed, and folded lists of everything else."""
    head = [f"### {words.outcome(report)}", f"Server: {code(report.plan.url)}"]
    if report.results:
        head.append(_outcomes(report))
    if report.ended:
        head.append(markdown(words.ended(report)))
    left, parts = limit - RESERVED - _length(head), list[str]()
    for name in ORDER:
        if named := [result for result in report.results if result.outcome == name]:
            parts += _section(name, named, left - _length(parts))
    return "\n\n".join([*head, *parts])


def problems(problems: Sequence[Problem], excerpt: Callable[[Location], str], *, limit: int = LIMIT) -> str:
    """Each problem with the line that it is about."""
    head = f"### {words.problems(len(problems))}"
    shown = fit([_problem(problem, excerpt) for problem in problems], limit - RESERVED - len(head))
    files = Counter(problem.location.file for problem in problems[len(shown) :])
    more = [f"… and {files.total()} more: {_listed(_in_file(*item) for item in files.items())}."] if files else []
    return "\n\n".join([head, *(one.text for one in shown), *more])


def rest(problems_: Sequence[Problem], excerpt: Callable[[Location], str], made: Plan, *, limit: int = LIMIT) -> str:
    """Problems, and the plan of what does not depend on them."""
    first = problems(problems_, excerpt, limit=limit // 2)
    then = markdown(words.REST)
    return "\n\n".join([first, then, plan(made, limit=limit - _length([first, then]))])


# -- counts ----------------------------------------------------------------------------------------------------


def _counts(plan: Plan) -> str:
    """The table of a plan: how many objects of each kind, by action."""
    counts = Counter((change.address.kind, change.action) for change in plan.changes)
    used = [action for action in words.VERBS if any(action == other for _, other in counts)]
    return _matrix(counts, used, [words.VERBS[action] for action in used])


def _outcomes(report: Report) -> str:
    """The table of a report: how many objects of each kind, by outcome."""
    counts = Counter((result.change.address.kind, result.outcome) for result in report.results)
    used = [outcome for outcome in ORDER if any(outcome == other for _, other in counts)]
    return _matrix(counts, used, [words.OUTCOMES[outcome] for outcome in used])


def _matrix(counts: Mapping[tuple[str, Any], int], columns: Sequence[str], titles: Sequence[str]) -> str:
    rows = [[words.plural(kind), *(str(counts.get((kind, c)) or "") for c in columns)] for kind in words.ranked(counts)]
    return "\n".join([_cells(["", *titles]), _cells(["---", *["--:"] * len(titles)]), *map(_cells, rows)])


def _listed(names: Iterable[str]) -> str:
    """Names of which the last ones are left out if they are many."""
    found = list(names)
    more = [f"and {len(found) - SHOWN} others"] if len(found) > SHOWN else []
    return ", ".join([*found[:SHOWN], *more])


SHOWN = 12
"""Files, kinds with an action, or fields that are named; further ones are counted."""


def _in_file(file: str, number: int) -> str:
    return f"{number} in {code(file[-LONGEST // 2 :])}" if file else f"{number} in no file"


def _sentences(sentences: Sequence[str], limit: int) -> list[str]:
    """Sentences, such as warnings; those for which there is no room are counted."""
    shown = fit([Entry((partial(markdown, s), partial(_short, s))) for s in sentences], limit)
    more = len(sentences) - len(shown)
    return [*(one.text for one in shown), *([f"… and {more} more warnings."] if more else [])]


def _short(text: str) -> str:
    return markdown(shortened(text))


def _length(parts: Iterable[str]) -> int:
    return sum(len(part) + JOINED for part in parts)


# -- plan ------------------------------------------------------------------------------------------------------


def _unmanaged(plan: Plan) -> Iterator[str]:
    """The list of what no manifest declares: a heading, then one folded block for each project and kind."""
    if heading := unmanaged.heading(plan):
        groups = list(unmanaged.groups(plan))
        shown = fit([Entry((partial(_group, g), partial(_group, replace(g, items=())))) for g in groups], LIMIT // 4)
        more = len(groups) - len(shown)
        yield _short(heading)
        yield from (one.text for one in shown)
        yield from [f"… and {more} more groups."] if more else []


def _group(group: unmanaged.Group) -> str:
    items = [f"- {code(name)} {code(link)}" for name, link in group.items]
    more = [f"- … and {group.more} more"] if group.more and items else []
    return _fold(html_in_markdown(group.heading), ["\n".join([*items, *more])]) if items else code(group.heading)


def _destroyed(changes: Sequence[Change], limit: int) -> Iterator[str]:
    """What is deleted, and what goes along: in a list that is not folded."""
    if not changes:
        return
    deleted = sum(change.action == "delete" for change in changes)
    pruned = len(changes) - deleted
    counts = [f"{deleted} to delete"] * bool(deleted) + [f"{pruned} to change as not declared"] * bool(pruned)
    yield f"**{', '.join(counts).capitalize()}**"
    forms = ((partial(_line, c, 0), partial(_line, c, 1), partial(_line, c, 2)) for c in changes)
    shown = fit([Entry(each) for each in forms], limit)
    yield "\n".join([*(one.text for one in shown), *_counted(changes[len(shown) :], "- ")])


def _line(change: Change, brevity: int = 2) -> str:
    """An object in a line of a list: with its place and reason, with a short reason, or without."""
    if brevity == 2:
        return f"- {code(_beginning(_title(change)))}"
    place = f" {code(words.place(change))}" if words.place(change) else ""
    reason = (change.reason or "") if brevity == 0 else shortened(change.reason or "")
    return f"- {code(_title(change))}{place}{f': {markdown(reason)}' if reason else ''}"


def _counted(changes: Sequence[Change], bullet: str = "") -> list[str]:
    """The sentence that counts the changes for which there is no room, by kind and action."""
    counts = Counter((change.address.kind, change.action) for change in changes)
    actions = [(kind, action) for kind in words.ranked(counts) for action in words.VERBS if counts[kind, action]]
    each = (f"{words.count(counts[pair], pair[0])} to {words.VERBS[pair[1]]}" for pair in actions)
    return [f"{bullet}… and {len(changes)} more: {_listed(each)}."] if changes else []


def _changes(changes: Sequence[Change], limit: int) -> Iterator[str]:
    """A folded block for each change, then a list of those for which there is no room."""
    forms = [(partial(_block, c), partial(_block, c, cut=True), partial(_brief, c), partial(_line, c)) for c in changes]
    shown = fit([Entry(each) for each in forms], limit)
    blocks = [one.text for one in shown if one.form < BLOCKS]
    yield from blocks
    brief = [one.text for one in shown if one.form >= BLOCKS]
    if lines := [*brief, *_counted(changes[len(shown) :], "- ")]:
        yield _fold(f"{len(changes) - len(blocks)} more, without their values", ["\n".join(lines)])


BLOCKS = 2
"""Forms of a change that are blocks with its values; the others are a line."""


def _brief(change: Change) -> str:
    """An object in a line of a list, with the names of its fields."""
    names = _field_names(change)
    return f"{_line(change)}{f': {code(names)}' if names else ''}"


def _field_names(change: Change) -> str:
    """What of an object changes, to tell which blocks to open; of a new one, that is everything."""
    names = list(dict.fromkeys(words.label(field.path) for field in change.all_fields))
    return _beginning(_listed(names)) if change.action == "update" else ""


def _fold(summary: str, body: Iterable[str]) -> str:
    # Markdown is not interpreted inside an HTML block, up to the next empty line.
    return "\n\n".join([f"<details>\n<summary>{summary}</summary>", *body, "</details>"])


def _block(change: Change, *, cut: bool = False) -> str:
    body, names = list(_body(change, cut)), _field_names(change)
    more = f": <code>{html(names)}</code>" if names else ""
    return _fold(f"<code>{html(_title(change))}</code>{more}", body) if body else code(_title(change))


def _title(change: Change, number: int | str | None = None) -> str:
    return f"{words.SYMBOLS[change.action]} {words.head(change, number)}"


def _body(change: Change, cut: bool) -> Iterator[str]:
    """Where the object is declared, why it changes, and its fields."""
    notes = [code(words.place(change))] if words.place(change) else []
    if change.reason:
        notes.append(markdown(shortened(change.reason) if cut else change.reason))
    fields = [_cut(field) for field in words.fields(change)] if cut else list(words.fields(change))
    if notes and (fields or change.reason):
        yield ": ".join(notes)
    columns = ["Field", "Value"] if change.action == "create" else ["Field", "Before", "After"]
    rows = [_row(field, len(columns)) for field in fields if not field.lines]
    if rows:
        yield "\n".join([_cells(columns), _cells(["---"] * len(columns)), *rows])
    for field in fields:
        if field.lines:
            yield f"{code(field.label)}{_marks(field)}"
            yield fenced(list(field.lines), "diff")


def _cut(field: Field) -> Field:
    """A field with the beginning of what is long."""
    lines = [_beginning(line) for line in field.lines[:LINES]]
    more = len(field.lines) - len(lines)
    lines += [f"@@ {more} more lines @@"] if more else []
    before = None if field.before is None else _beginning(field.before)
    return replace(field, before=before, after=_beginning(field.after), lines=tuple(lines))


def _beginning(text: str) -> str:
    more = len(text) - LONGEST
    return f"{text[:LONGEST]}… ({more} more characters)" if more > 0 else text


def _row(field: Field, columns: int) -> str:
    values = [] if field.before is None else [code(field.before, cell=True)]
    cells = [code(field.label, cell=True) + _marks(field), *values, code(field.after, cell=True)]
    return _cells([*cells[:1], *[""] * (columns - len(cells)), *cells[1:]])


def _cells(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _marks(field: Field) -> str:
    """The marks of a field that a later operation sets, and of one that an overlay declares."""
    later = f" *then* {markdown(field.waits)}".rstrip() if field.number else ""
    return later + (f" ({code(field.place, cell=True)})" if field.place else "")


# -- results ---------------------------------------------------------------------------------------------------


def _section(name: Outcome, results: list[Result], limit: int) -> Iterator[str]:
    """The results of one outcome; folded, unless they need attention."""
    shown = fit([Entry((partial(_item, r), partial(_item, r, cut=True), partial(_only, r))) for r in results], limit)
    more = _counted([result.change for result in results[len(shown) :]], "- ")
    body = ["\n".join([*(one.text for one in shown), *more])]
    heading = words.heading(name, results)
    if name in URGENT:
        yield f"**{heading}**"
        yield from [words.UNKNOWN] if name == "unknown" else []
        yield from body
    else:
        yield _fold(html_in_markdown(heading), body)


def _only(result: Result) -> str:
    return f"- {code(_beginning(_title(result.change, result.id)))}"


def _item(result: Result, *, cut: bool = False) -> str:
    place = words.place(result.change)
    line = f"- {code(_title(result.change, result.id))}{' ' + code(place) if place else ''}"
    said = _short if cut else markdown
    errors = [_error(result.change, error, said) for error in result.errors]
    because = [said(f"because {result.because}")] if result.because else []
    notes = [said(f"note: {note}") for note in result.notes]
    return "\n".join([line, *(f"  - {detail}" for detail in chain(errors, because, notes))])


def _error(change: Change, error: ItemError, said: Callable[[str], str]) -> str:
    place = words.error_place(change, error)
    return f"{said(error.message)} {code(place)}" if place else said(error.message)


# -- problems --------------------------------------------------------------------------------------------------


def _problem(problem: Problem, excerpt: Callable[[Location], str]) -> Entry:
    """A problem with the lines that it is about, or only its sentence."""
    return Entry((lambda: "\n\n".join(_quoted(problem, excerpt)), partial(_sentence, problem)))


def _sentence(problem: Problem) -> str:
    subject = f"{code(problem.subject)}: " if problem.subject else ""
    hint = f" ({markdown(problem.hint)})" if problem.hint else ""
    located = f"{code(str(problem.location))} " if problem.location.file else ""
    return f"{located}{subject}{markdown(problem.message)}{hint}"


def _quoted(problem: Problem, excerpt: Callable[[Location], str]) -> Iterator[str]:
    yield _sentence(problem)
    for index, place in enumerate((problem.location, *problem.also)):
        if index:
            yield f"also {code(str(place))}"
        if lines := excerpt(place).splitlines():
            yield fenced(lines, "text")
