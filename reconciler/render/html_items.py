"""The parts of a page that can be filtered and folded: one for each change, result or problem."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from reconciler.errors import Location, Problem
from reconciler.kinds import kinds
from reconciler.model.address import Address
from reconciler.model.pruning import Pruning
from reconciler.record import Record
from reconciler.render import html_diff, words
from reconciler.render.html_gist import gist
from reconciler.render.safe import html
from reconciler.render.words import Field

if TYPE_CHECKING:
    from reconciler.apply.report import Result
    from reconciler.plan.operations import Change

STYLES = {"+": "add", "-": "del", "~": "mod"}
OUTCOME_STYLES = {"failed": "del", "unknown": "mod", "skipped": "note", "left": "note", "done": "add", "problem": "del"}
LINES = 1000
"""Lines to show of a text that is added or removed completely: here it is folded, so that it may be long."""
_CODE = re.compile("`([^`]+)`")
_FRAGMENT = "!#$&'()*+,/:;=?@[]\\^_{|}~-."
"""Characters that a browser leaves as they are in the fragment of an address."""


class Item(Record):
    """A part of the page, and the kind and the column of the counts by which it is filtered."""

    kind: str
    column: str
    html: str


def anchor(address: Address) -> str:
    """The name of an object in the address of the page: `issue/web-shop/Login%20fails`."""
    return quote(f"{address.kind}/{address.key}", safe=_FRAGMENT, errors="replace")


def link(url: str, text: str = "") -> str:
    """A link, or just the text for a scheme that could run: URLs come from the configuration."""
    shown = html(text or url)
    return f'<a href="{html(url)}">{shown}</a>' if url.startswith(("http://", "https://")) else shown


def sentence(text: str) -> str:
    """A sentence; what it has between backticks is code."""
    return _CODE.sub(r"<code>\1</code>", html(text))


def column_of(result: Result) -> str:
    """The column in which a report counts a result: of what is done, the action."""
    return result.change.action if result.outcome == "done" else result.outcome


def page_of(url: str, change: Change, number: int | str | None) -> str:
    """The URL of an object in Redmine, or "" if it has none."""
    kind = kinds().get(change.address.kind)
    if kind is None or number is None:
        return ""
    return url.rstrip("/") + kind.capability(Pruning).link(kind, change.address, number)


# -- changes and results ---------------------------------------------------------------------------------------


class Items(Record):
    """Makes the items of a plan or report for the server at `url`; `known` are the objects that have one.

    `open`: changes, or skipped results, are few enough to be unfolded.
    """

    url: str
    known: Collection[Address]
    open: bool

    def change(self, change: Change) -> Item:
        """What would be done to an object."""
        symbol = words.SYMBOLS[change.action]
        removed = change.undeclared and change.action != "delete"
        badge = (STYLES[symbol], f"{symbol} {words.VERBS[change.action]}")
        unfolded = self.open or removed or change.action == "delete"
        body = [*_reason(change), *self.after(change)]
        return self.item(change, change.id, (change.action, unfolded), badge, body)

    def result(self, result: Result) -> Item:
        """What was done to an object."""
        change, outcome = result.change, result.outcome
        number = change.id if result.id is None else result.id
        gone = change.action == "delete" and outcome == "done"
        badge = (OUTCOME_STYLES[outcome], "not started" if outcome == "left" else outcome)
        body = [*_details(result), *_reason(change)]
        unfolded = bool(outcome in ("failed", "unknown") or (outcome == "skipped" and self.open) or result.notes)
        action = f"{words.SYMBOLS[change.action]} {words.VERBS[change.action]} "
        return self.item(change, None if gone else number, (column_of(result), unfolded), badge, body, action, result)

    def item(
        self,
        change: Change,
        number: int | str | None,
        state: tuple[str, bool],
        badge: tuple[str, str],
        first: list[str],
        action: str = "",
        result: Result | None = None,
    ) -> Item:
        """A folded part with its heading: `state` is its column, and whether it is unfolded; `first` its beginning."""
        address, (column, unfolded) = change.address, state
        place = words.place(change)
        url = page_of(self.url, change, number)
        shown = f"#{number}" if isinstance(number, int) else "open" if url else ""
        here = html(anchor(address))
        fields = list(words.fields(change, most=LINES))
        said = gist(change, fields, (result and result.because) or "")
        head = [
            f'<span class="badge {badge[0]}">{html(badge[1])}</span>',
            f'<span class="kind">{html(f"{action}{address.kind}")}</span> <span class="key">{html(address.key)}</span>',
            *([f'<span class="live">{link(url, shown)}</span>'] if shown else []),
            *([said] if said else []),
            *([f'<span class="place">{html(place)}</span>'] if place else []),
            f'<a class="permalink" href="#{here}" aria-label="Link to {html(str(address))}">¶</a>',
        ]
        heading = f"<h3>{' '.join(head)}</h3>"
        shared = f'id="{here}" data-kind="{html(address.kind)}" data-column="{column}"'
        body = [*first, *_table(fields)]
        if not body:
            return Item(address.kind, column, f'<article class="item bare" {shared}>{heading}</article>')
        start = f'<details class="item" {shared}{" open" if unfolded else ""}><summary>{heading}</summary>'
        return Item(address.kind, column, "\n".join([start, '<div class="body">', *body, "</div></details>"]))

    def after(self, change: Change) -> Iterator[str]:
        """What the first operation waits for, with links; that the project is first needs no words."""
        waits_for = change.operations[0].waits_for if change.operations else ()
        others = [address for address in waits_for if address != change.address.container]
        if others and len(others) <= words.NAMED:
            yield f'<p class="more">after {", ".join(map(self.named, others))}</p>'
        elif others:
            yield f'<p class="more">after {html(words.by_kind(others))}</p>'

    def named(self, address: Address) -> str:
        """An object's name, as a link if it is on the page."""
        name = html(str(address))
        return f'<a href="#{html(anchor(address))}">{name}</a>' if address in self.known else name


def _reason(change: Change) -> Iterator[str]:
    if change.reason:
        style = "reason lost" if change.action == "delete" or change.undeclared else "reason"
        yield f'<p class="{style}">{sentence(change.reason)}</p>'


def _details(result: Result) -> Iterator[str]:
    """Each error with the place of its field, the reason of a skip, and notes."""
    for error in result.errors:
        place = words.error_place(result.change, error)
        there = f' <span class="place">{html(place)}</span>' if place else ""
        yield f'<p class="error">{sentence(error.message)}{there}</p>'
    if result.because:
        yield f"<p>because {sentence(result.because)}</p>"
    yield from (f"<p>note: {sentence(note)}</p>" for note in result.notes)


def _table(fields: Sequence[Field]) -> Iterator[str]:
    if fields:
        yield "\n".join(['<table class="fields"><tbody>', *map(_row, fields), "</tbody></table>"])


def _row(field: Field) -> str:
    then = ", ".join(filter(None, ("then", field.waits)))
    waits = f"<small>{html(then)}</small>" if field.number else ""
    place = f'<small class="place">{html(field.place)}</small>' if field.place else ""
    return f'<tr><th scope="row">{html(field.label)}{waits}{place}</th><td>{_value(field)}</td></tr>'


def _value(field: Field) -> str:
    if field.lines:
        return html_diff.diff(field.lines)
    if field.before is None:
        return html(field.after)
    return f"<del>{html(field.before)}</del> → <ins>{html(field.after)}</ins>"


# -- problems --------------------------------------------------------------------------------------------------


def problem(problem: Problem, excerpt: Callable[[Location], str]) -> Item:
    """A problem with the line that it is about."""
    kind = problem.subject.partition(" ")[0] if problem.subject.partition(" ")[0] in kinds() else ""
    subject = f'<span class="key">{html(problem.subject)}</span>' if problem.subject else ""
    place = f'<span class="place">{html(str(problem.location))}</span>' if problem.location.file else ""
    badge = '<span class="badge del">! problem</span>'
    lines = [
        f"<h3>{' '.join(filter(None, (badge, subject, place)))}</h3>",
        f'<p class="reason">{sentence(problem.message)}</p>',
        *_excerpt(problem.location, excerpt),
    ]
    for other in problem.also:
        lines += [f'<p>also <span class="place">{html(str(other))}</span></p>', *_excerpt(other, excerpt)]
    lines += [f"<p>{sentence(problem.hint)}</p>"] if problem.hint else []
    start = f'<article class="item problem" data-kind="{html(kind)}" data-column="problem">'
    return Item(kind, "problem", "\n".join([start, *lines, "</article>"]))


def _excerpt(place: Location, excerpt: Callable[[Location], str]) -> Iterable[str]:
    lines: Sequence[str] = excerpt(place).splitlines()
    return ['<pre class="excerpt" tabindex="0">' + "\n".join(map(html, lines)) + "</pre>"] if lines else []
