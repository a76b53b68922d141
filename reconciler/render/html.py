"""Plans, reports and problems as one self-contained page: no scripts, no external resources, light and dark."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from reconciler.errors import Location, Problem
from reconciler.render import unmanaged, words
from reconciler.render.safe import html
from reconciler.render.words import Field

if TYPE_CHECKING:
    from reconciler.apply.report import ItemError, Outcome, Report, Result
    from reconciler.plan.operations import Change, Plan

ORDER: tuple[Outcome, ...] = ("failed", "unknown", "skipped", "left", "done")
"""Outcomes that need attention come first, next to the heading."""
CLASSES = {"+": "add", "-": "del", "~": "mod", "@": "dim"}
STYLE = """\
:root { color-scheme: light dark; --add: #1a7f37; --del: #cf222e; --mod: #9a6700; --dim: #6e7781; }
@media (prefers-color-scheme: dark) { :root { --add: #3fb950; --del: #ff7b72; --mod: #d29922; --dim: #8b949e; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; }
h2 { font-size: 1.1rem; }
section { margin: .8rem 0; padding: .5rem .8rem; border: 1px solid color-mix(in srgb, var(--dim) 40%, transparent); }
table { border-collapse: collapse; }
td, th { padding: .1rem 1rem .1rem 0; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
code, pre, td, summary { font-family: ui-monospace, monospace; font-size: 13px; unicode-bidi: isolate; }
pre { margin: .3rem 0 .3rem 1rem; white-space: pre-wrap; }
.add { color: var(--add); } .del { color: var(--del); } .mod { color: var(--mod); } .dim { color: var(--dim); }
"""


def plan(plan: Plan) -> str:
    """What would be done."""
    if not plan.changes:
        sentences = [words.unchanged(plan), *words.notes(plan)]
        return _page(words.summary(plan), [*(f"<p>{html(sentence)}</p>" for sentence in sentences), *_unmanaged(plan)])
    return _page(words.summary(plan), _changes(plan))


def _changes(plan: Plan) -> Iterator[str]:
    yield _server(plan)
    yield from (f"<p>{html(sentence)}</p>" for sentence in words.remarks(plan))
    yield from map(_block, words.deletions_first(plan))
    yield from _unmanaged(plan)


def _unmanaged(plan: Plan) -> Iterator[str]:
    """The list of what no manifest declares."""
    if heading := unmanaged.heading(plan):
        yield f"<h2>{html(heading)}</h2>"
    for group in unmanaged.groups(plan):
        items = [f"<li><code>{html(name)}</code> {_link(link)}</li>" for name, link in group.items]
        more = [f"<li>… and {group.more} more</li>"] if group.more else []
        yield "\n".join([f"<section>{html(group.heading)}", "<ul>", *items, *more, "</ul>", "</section>"])


def _link(url: str) -> str:
    # Just text for any other scheme: the URL is the configuration's, and a page must not run it as a script.
    return f'<a href="{html(url)}">{html(url)}</a>' if url.startswith(("http://", "https://")) else html(url)


def results(report: Report) -> str:
    """What an apply did; failures come first."""
    parts = [_server(report.plan)]
    if report.ended:
        parts.append(f"<p>{html(words.ended(report))}</p>")
    for name in ORDER:
        ended = [result for result in report.results if result.outcome == name]
        if ended:
            parts += _section(name, ended)
    return _page(words.outcome(report), parts)


def problems(problems: Sequence[Problem], excerpt: Callable[[Location], str]) -> str:
    """Each problem with the line that it is about."""
    return _page(words.problems(len(problems)), [_problem(problem, excerpt) for problem in problems])


def rest(problems: Sequence[Problem], excerpt: Callable[[Location], str], plan: Plan) -> str:
    """Problems, and the plan of what does not depend on them."""
    head = [f"<p>{html(words.REST)}</p>", f"<h2>{html(words.summary(plan))}</h2>"]
    parts = [*(_problem(problem, excerpt) for problem in problems), *head, *_changes(plan)]
    return _page(words.problems(len(problems)), parts)


def _page(title: str, parts: Iterable[str]) -> str:
    """The page. Its content security policy forbids loading and running anything, whatever the parts contain."""
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en">',
            '<meta charset="utf-8">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{html(title)}</title>",
            f"<style>\n{STYLE}</style>",
            f"<h1>{html(title)}</h1>",
            *parts,
            "</html>",
        )
    )


def _server(plan: Plan) -> str:
    return f"<p>Server: <code>{html(plan.url)}</code></p>"


def _title(change: Change, number: int | str | None = None) -> str:
    """The object's name with the symbol of its action, and its place in the manifests."""
    symbol = words.SYMBOLS[change.action]
    name = _span(CLASSES[symbol], f"{symbol} {words.head(change, number)}")
    return f"<code>{name} {_span('dim', words.place(change))}</code>"


def _block(change: Change) -> str:
    reason = [f"<p>{html(change.reason)}</p>"] if change.reason else []
    rows = [row for field in words.fields(change) for row in _rows(field)]
    table = ["<table>", *rows, "</table>"] if rows else []
    return "\n".join(["<section>", _title(change), *reason, *table, "</section>"])


def _rows(field: Field) -> Iterator[str]:
    later = f" {_span('mod', 'then')} {_span('dim', field.waits)}".rstrip() if field.number else ""
    label = f"<td>{html(field.label)}{later}</td>"
    if field.lines:
        yield f"<tr>{label}<td><pre>{_lines(field.lines)}</pre></td></tr>"
    elif field.before is None:
        yield f"<tr>{label}<td>{html(field.after)}</td></tr>"
    else:
        yield f"<tr>{label}<td>{_span('del', field.before)} → {_span('add', field.after)}</td></tr>"


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(_span(CLASSES.get(line[:1], ""), line) for line in lines)


def _span(style: str, text: str) -> str:
    return f'<span class="{style}">{html(text)}</span>' if style and text else html(text)


def _section(name: Outcome, results: list[Result]) -> Iterator[str]:
    yield f"<h2>{words.heading(name, results)}</h2>"
    if name == "unknown":
        yield f"<p>{html(words.UNKNOWN)}</p>"
    yield "<ul>"
    yield from (f"<li>{_title(result.change, result.id)}{_details(result)}</li>" for result in results)
    yield "</ul>"


def _details(result: Result) -> str:
    """The details of one result: each error with the place of its field, the reason of a skip, and notes."""
    errors = [f"<br>{_span('del', e.message)}{_error_place(result.change, e)}" for e in result.errors]
    because = [f"<br>because {html(result.because)}"] if result.because else []
    return "".join([*errors, *because, *(f"<br>note: {html(note)}" for note in result.notes)])


def _error_place(change: Change, error: ItemError) -> str:
    place = words.error_place(change, error)
    return f" <code>{_span('dim', place)}</code>" if place else ""


def _problem(problem: Problem, excerpt: Callable[[Location], str]) -> str:
    subject = f"<code>{html(problem.subject)}</code>: " if problem.subject else ""
    place = f"{_place(problem.location)} " if problem.location.file else ""
    lines = [f"{place}{subject}{html(problem.message)}", _excerpt(problem.location, excerpt)]
    for other in problem.also:
        lines += [f"also {_place(other)}", _excerpt(other, excerpt)]
    hint = f"<p>{html(problem.hint)}</p>" if problem.hint else ""
    return "\n".join(["<section>", *filter(None, [*lines, hint]), "</section>"])


def _place(place: Location) -> str:
    return f"<code>{html(str(place))}</code>"


def _excerpt(place: Location, excerpt: Callable[[Location], str]) -> str:
    lines = excerpt(place).splitlines()
    return f"<pre>{_lines(lines)}</pre>" if lines else ""
