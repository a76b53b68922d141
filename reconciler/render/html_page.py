"""The frame of a page: its head with the security policy, the counts by which it is filtered, and the groups."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256

from reconciler.kinds import kinds
from reconciler.record import Record
from reconciler.render.html_items import Item, sentence
from reconciler.render.safe import html
from reconciler.render.svg import STYLE as DRAWING

FEW_GROUPS = 3
"""Groups up to which a list of them is of no use."""
OPEN_GROUPS = 12
"""Groups up to which that list is unfolded."""


class Group(Record):
    """A part of the page with a heading: its items, or other content. `name` is its anchor."""

    name: str
    heading: str
    items: tuple[Item, ...] = ()
    content: tuple[str, ...] = ()
    link: str = ""
    counted: bool = True
    """Whether the number of items is shown beside the heading, because that does not say it."""

    @property
    def number(self) -> str:
        """The number beside the heading."""
        return f' <span class="soft">{len(self.items)}</span>' if self.counted and len(self.items) > 1 else ""

    @property
    def html(self) -> str:
        """The section."""
        more = [f'<span class="go">{self.link}</span>'] if self.link else []
        title = " ".join([f"<h2>{html(self.heading)}</h2>{self.number}", *more])
        body = [*self.content, *(item.html for item in self.items)]
        return "\n".join(
            [
                f'<section class="group" id="{html(self.name)}">',
                f'<div class="title">{title}</div>',
                *body,
                "</section>",
            ]
        )


class Page(Record):
    """A page: its groups, and what comes `after` them. `about`, `after` and `footer` are HTML.

    `columns` are those of the counts: the heading of each, and the class of its color.
    """

    title: str
    about: str
    notes: tuple[str, ...]
    groups: tuple[Group, ...]
    columns: Mapping[str, tuple[str, str]]
    noun: str
    after: tuple[str, ...] = ()
    footer: tuple[str, ...] = ()

    @property
    def html(self) -> str:
        """The whole document."""
        items = [item for group in self.groups for item in group.items]
        filters = [*_counts(items, self.columns), *_jump(self.groups)]
        bar = _bar(self.noun) if items else ""
        about = [f'<p class="about">{self.about}</p>'] if self.about else []
        head = [*about, f"<h1>{html(self.title)}</h1>", *self.notes]
        body = [
            '<a class="skip" href="#content">Skip to the content</a>',
            *_element("header", [*head, *filters]),
            *([bar] if bar else []),
            '<main id="content">',
            *(group.html for group in self.groups),
            *self.after,
            "</main>",
            *_element("footer", [f"<p>{line}</p>" for line in self.footer]),
        ]
        return "\n".join([*_head(self.title), "<body>", *body, f"<script>{script()}</script>", "</body>", "</html>"])


def _element(tag: str, parts: Sequence[str]) -> Iterator[str]:
    if parts:
        yield from (f"<{tag}>", *parts, f"</{tag}>")


@cache
def style() -> str:
    """The style sheet."""
    return "\n" + _resource("page.css") + DRAWING


@cache
def script() -> str:
    """The program of the page: filters, search, folding. Everything else works without it."""
    return "\n" + _resource("page.js")


def _resource(name: str) -> str:
    from importlib.resources import files  # only for pages: it takes a while

    return files("reconciler.render").joinpath(name).read_text(encoding="utf-8")


@cache
def policy() -> str:
    """The content security policy: nothing is loaded, and nothing runs but the page's own program."""
    own, looks = (b64encode(sha256(text.encode()).digest()).decode() for text in (script(), style()))
    rest = "base-uri 'none'; form-action 'none'"
    return f"default-src 'none'; script-src 'sha256-{own}'; style-src 'sha256-{looks}'; {rest}"


def _head(title: str) -> list[str]:
    return [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy()}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{html(title)}</title>",
        f"<style>{style()}</style>",
        "</head>",
    ]


def _bar(noun: str) -> str:
    return "\n".join(
        [
            '<div class="bar" role="search">',
            '<input type="search" aria-label="Search in kinds, keys, fields and values" placeholder="Search  ( / )">',
            '<button type="button" id="expand">Expand all</button>',
            '<button type="button" id="collapse">Collapse all</button>',
            '<button type="button" id="all" hidden>Show all</button>',
            f'<output data-noun="{html(noun)}"></output>',
            "</div>",
        ]
    )


def _jump(groups: Sequence[Group]) -> Iterator[str]:
    """Links to the groups."""
    if len(groups) > FEW_GROUPS:
        unfolded = " open" if len(groups) <= OPEN_GROUPS else ""
        yield f'<nav class="jump" aria-label="Contents"><details{unfolded}><summary>Contents</summary><ul>'
        for group in groups:
            yield f'<li><a href="#{html(group.name)}">{html(group.heading)}</a>{group.number}</li>'
        yield "</ul></details></nav>"


# -- counts ----------------------------------------------------------------------------------------------------


def _counts(items: Sequence[Item], columns: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """The number of items by kind and column: each number is a button that shows just these."""
    if not items:
        return
    found = Counter((item.kind, item.column) for item in items)
    used = [name for name in columns if any(column == name for _, column in found)]
    rows = [
        name
        for name in (*kinds(), *sorted({kind for kind, _ in found} - set(kinds())))
        if any(k == name for k, _ in found)
    ]
    heads = (f'<th scope="col">{_button("", name, columns[name][0], columns[name][1])}</th>' for name in used)
    yield '<div class="counts"><table><thead><tr><td></td>' + "".join(heads) + "</tr></thead><tbody>"
    for kind in rows:
        cells = "".join(f"<td>{_cell(kind, name, found[kind, name], columns[name][0])}</td>" for name in used)
        yield f'<tr><th scope="row">{_button(kind, "", kind or "(other)", "")}</th>{cells}</tr>'
    if len(rows) > 1:
        totals = (f'<td><span class="none">{sum(found[kind, name] for kind in rows)}</span></td>' for name in used)
        yield f'<tr><th scope="row" class="soft">all</th>{"".join(totals)}</tr>'
    yield "</tbody></table></div>"


def _cell(kind: str, column: str, number: int, heading: str) -> str:
    return (
        _button(kind, column, str(number), "", f"{kind} {heading}: {number}")
        if number
        else '<span class="none">·</span>'
    )


def _button(kind: str, column: str, text: str, style: str, label: str = "") -> str:
    looks = f' class="{style}"' if style else ""
    said = f' aria-label="{html(label)}"' if label else ""
    # Disabled until the program of the page makes it work.
    data = f'data-kind="{html(kind)}" data-column="{html(column)}"'
    return f'<button type="button" disabled{looks} {data}{said}>{html(text)}</button>'


def paragraphs(sentences: Iterable[str], style: str = "say") -> tuple[str, ...]:
    """A paragraph for each sentence; what it has between backticks is code."""
    return tuple(f'<p class="{style}">{sentence(one)}</p>' for one in sentences)
