"""What a kind asks the client for, as data: lists to read, what is needed of them, and writes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from msgspec import field

from reconciler.model.address import Row
from reconciler.model.codecs import blank
from reconciler.model.name_index import Context
from reconciler.model.spec import Api, Id, Secret
from reconciler.record import Record


class Request(Record):
    """One write: what the client sends.

    `login` is the account that it is made for (an administrator can act for others). With `once` it adds something
    each time (an issue's note), so it is not repeated: when its answer is lost, reading back shows what is missing.
    `instead` is sent if it is refused, to do as much as is still possible. `undo` are ways to restore what Redmine
    destroys although it refuses the request; the first that works is taken. What `removes` something is done if there
    is nothing (404), like a DELETE. What is `renewed` may have another id by an earlier write of the run: after a 404
    it is looked for.
    """

    method: Literal["POST", "PUT", "DELETE"]
    path: str
    body: Mapping[str, Any] | None = None
    login: str = ""
    once: bool = False
    params: tuple[tuple[str, str | int], ...] = ()
    undo: tuple[Request, ...] = ()
    instead: Request | None = None
    removes: bool = False
    renewed: bool = False


class Listing(Record):
    """One GET (or its pages) that gives rows under `root`.

    `mark` is added to every row (what follows from the request itself). `single` is an object's own page: `root`
    holds one row, or the rows under its `inner`. A status in `none` means no rows, or that row, or that other listing;
    it is asked for once more before that is believed, except for the statuses in `expected`.
    `seen_from` is the project whose list it is. `number` is the format of the id of rows that have none (`{title}`).
    `brief` keeps the ids alone: whole rows can take a hundred times the memory.
    `instead` are filtered lists that are read in its place if it is long and they take fewer requests.
    `likely` is the number of rows that it may well have: with two pages, both are asked for at once.
    """

    path: str
    root: str
    params: tuple[tuple[str, str | int], ...] = ()
    paged: bool = True
    single: bool = False
    mark: Mapping[str, Any] = field(default_factory=dict)
    inner: str = ""
    none: Mapping[int, Mapping[str, Any] | Listing | None] = field(default_factory=dict)
    expected: Collection[int] = ()
    seen_from: str = ""
    number: str = ""
    brief: bool = False
    instead: Shortcut | None = None
    likely: int = 0


BESIDE = "beside"
"""Marks a row that a look-up reads for the sake of others: no declared object is looked for among such rows. Of two
answers with one row, that with the lower number counts; without a mark it is 0."""


class Shortcut:
    """Filtered lists that show the needed rows of a long list (`state.shortcuts` decides which of the two is read).

    A server could ignore or misunderstand a filter. So each of them also asks for one row that is known to be there;
    if it is missing, the whole list is read.
    """

    taken: bool = False
    """Whether it was read instead of the list."""

    def sample(self, rows: Sequence[Row]) -> Row | None:
        """The row of the list's first page that all filtered lists must show; None if there is none."""
        return None

    def samples(self) -> Listing | None:
        """A list of further rows to take the `sample` from, if the first page has none."""
        return None

    def rest(self, rows: Sequence[Row]) -> Shortcut | None:
        """What there is to look up if `samples` are none; None if the `rows` of the first page show that there are."""
        return None

    def proof(self, known: Row) -> Listing | None:
        """The list of the `known` row and those that share its value of a filter, if the server may ignore that one: it
        lists everything then."""
        return None

    def proves(self, rows: Collection[Row], known: Row) -> bool:
        """Whether the rows of the `proof` show that the filter works."""
        return True

    def lists(self, known: Row) -> Iterator[Listing]:
        """The lists of the needed rows; each also shows the `known` one."""
        yield from ()

    def newest(self) -> Listing | None:
        """The list of the newest row alone. It is read first: what has a greater id is new since."""
        return None

    def below(self, rows: Mapping[Id, Row], new: Mapping[Id, Row]) -> Sequence[Listing]:
        """The lists of what is below the `new` ones of the rows. It is asked again with what these show."""
        return ()

    def around(self, rows: Mapping[Id, Row], new: Mapping[Id, Row]) -> Sequence[Listing]:
        """The same for what they name, when all below them is known."""
        return ()


def includes(fields: Mapping[str, Api], wanted: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The `include=` parameter that lists need to show the `wanted` ones of a kind's fields, or nothing."""
    # Fields of the own page (`detail`) are left out: lists ignore such an `include`.
    known = (fields[name] for name in wanted if name in fields)
    names = sorted({api.include for api in known if not api.detail} - {""})
    return (("include", ",".join(names)),) if names else ()


def payload(fields: Mapping[str, Api], values: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """The inside of a body for canonical values; raises Unresolved for an object without an id."""
    body = {}
    for name, value in values.items():
        api = fields[name]
        if api.write is not None:
            # An empty list or mapping is a value that the codec writes (nobody, no field); `clear` is for null.
            empty = blank(value) and not isinstance(value, list | dict)
            # As late as possible: a revealed secret could end up in a log or a traceback.
            sent = value.reveal() if isinstance(value, Secret) else value
            body[api.write or name] = api.clear if empty else api.codec.encode(sent, context)
    return body


FEW = 20
"""So many own pages of objects are read before other ways are considered."""


class FieldLists(Record):
    """A field that only each object's own page shows, as lists that together show it for all objects.

    Each list has the objects with one `item` in the field. An item of None means: the field is not empty, and only the
    page shows its value. For objects in none of the lists it is empty.
    """

    field: str
    lists: tuple[tuple[Listing, Any], ...]


@lru_cache(maxsize=64)
def _projects(keys: frozenset[str]) -> frozenset[str]:
    return frozenset(key.partition("/")[0] for key in keys)


class Need(Record):
    """What must be read: per kind the keys that are declared or referred to, the declared fields, and known ids.

    `titles` are what people call the declared objects, now or earlier, where that is no key (`Rows.title`).
    `everything` asks for all objects, whatever the keys; those of kinds inside projects name the projects. Of the
    kinds in `whole` all objects are needed; of those inside projects, those in the projects of `collections` too.
    """

    keys: Mapping[str, frozenset[str]] = field(default_factory=dict)
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    ids: Mapping[str, frozenset[Id]] = field(default_factory=dict)
    everything: bool = False
    whole: frozenset[str] = frozenset()
    titles: Mapping[str, frozenset[str]] = field(default_factory=dict)
    collections: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def projects(self, kind: str) -> list[str]:
        """The projects whose objects of `kind` are needed."""
        return sorted(_projects(self.keys.get(kind, frozenset())) | self.collections.get(kind, frozenset()))

    def has_all(self, kind: str) -> bool:
        """Whether all objects of a kind (inside these projects) are needed, whatever the keys."""
        return self.everything or kind in self.whole
