"""Which wiki page is above which, now and when everything is as declared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.model.address import Address, Row, split_key
from reconciler.model.codecs import Ref, require_id
from reconciler.model.forms import TEXT, Fields
from reconciler.model.name_index import Context, Names
from reconciler.model.wiki_titles import titleize

PAGE = "wiki_page"


class Parent(Ref):
    """A page of the same project by title; the API shows `{"title"}`, and takes the title."""

    form = Fields(of={"title": TEXT})

    def reference(self, value: Any, project: str) -> Any:
        # A manifest may write `release notes`; keys and the API have `Release_notes`.
        return super().reference(titleize(str(value)), project)

    def decode(self, wire: Any, context: Context) -> Any:
        if not wire:
            return None
        number = f"{context.project}/{wire['title']}"
        keys: Mapping[Any, str] = context.names.live(PAGE).keys
        # A page that is declared under a new title still has the old one.
        return split_key(keys.get(number) or context.names.canonical(Address(PAGE, number)).key)[1]

    def encode(self, value: Any, context: Context) -> Any:
        address = self.address(value, context)
        require_id(address, context)
        # Not the declared title: a page has its old one until it is renamed, and a temporary one in between.
        return split_key(str(context.names.id(address)))[1]


PARENT = Parent((PAGE,))


def above(key: str, names: Names) -> Iterator[str]:
    """The keys of the pages above a page, nearest first, when everything is as declared; a cycle ends it."""
    seen = {key}
    # Declared and live parents together can form a cycle, even if the server has none.
    while (parent := _above(key, names)) and parent not in seen:
        yield (key := parent)
        seen.add(key)


def _above(key: str, names: Names) -> str:
    declared = _declared_above(key, names)
    return _live_above(key, names) if declared is None else declared


def _declared_above(key: str, names: Names) -> str | None:
    address = Address(PAGE, key)
    project, spec = address.project, names.spec(address)
    # A field that is only set on create says nothing about a page that exists.
    if spec is None or "parent" not in spec.model_fields_set or "parent" in spec.create_only:
        return None
    return names.canonical(Address(PAGE, f"{project}/{titleize(spec.parent)}")).key if spec.parent else ""


def _live_above(key: str, names: Names) -> str:
    address = Address(PAGE, key)
    row = names.row(address) or {}
    parent = PARENT.decode(row.get("parent"), Context(names, address.project))
    return f"{address.project}/{parent}" if parent else ""


def moved_above(key: str, names: Names) -> str:
    """The nearest page that gets another parent, from a page on upwards, when everything is as declared, or "".

    Each page is looked at once, however deep the tree is.
    """
    known: dict[str, str] = names.memo.setdefault("moved pages above", {"": ""})
    way: dict[str, None] = {}
    while key not in known and key not in way:
        if _moves(key, names):
            known[key] = key
        else:
            way[key] = None
            key = _above(key, names)
    known.update(dict.fromkeys(way, known.get(key, "")))
    return known.get(key, "")


def _moves(key: str, names: Names) -> bool:
    declared = _declared_above(key, names) if names.is_live(Address(PAGE, key)) else None
    return declared is not None and declared.casefold() != _live_above(key, names).casefold()


def is_above(one: str, key: str, names: Names) -> bool:
    """Whether a page is above another one, when everything is as declared."""
    # Most pages end at the top, and those below them too: then none of them can be above itself.
    if _above(one, names) == key and _ends(key, names):
        return False
    return one in above(key, names)


def _ends(key: str, names: Names) -> bool:
    """Whether the way up from a page ends; each page is looked at once, however deep the tree is."""
    known: dict[str, bool] = names.memo.setdefault("page ends", {"": True})
    way: dict[str, None] = {}
    while key not in known and key not in way:
        way[key] = None
        key = _above(key, names)
    known.update(dict.fromkeys(way, known.get(key, False)))
    return known.get(key, False)


def live_below(row: Row, names: Names) -> Sequence[str]:
    """The ids of the pages that are right below a page now."""
    if "pages below" not in names.memo:
        below: defaultdict[str, list[str]] = defaultdict(list)
        for page in names.live(PAGE).rows.values():
            below[_parent_of(page)].append(str(page["id"]))
        names.memo["pages below"] = dict(below)
    known: Mapping[str, Sequence[str]] = names.memo["pages below"]
    return known.get(str(row["id"]), ())


def _parent_of(row: Row) -> str:
    """The id of a page's parent, or ""."""
    return f"{split_key(str(row['id']))[0]}/{row['parent']['title']}" if row.get("parent") else ""
