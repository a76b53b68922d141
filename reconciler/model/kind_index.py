"""What is known of the kinds without importing their modules: most commands use only a few kinds.

`kinds/_index.py` has an entry of each kind; `make regen` writes it from the kinds. A kind's module is imported when the
kind is used.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterator, Mapping

from reconciler.model.capabilities import Capability
from reconciler.model.kind import Kind, nested_name
from reconciler.record import Record

BASES = "reconciler.model."
"""Where the capabilities that can be asked for are."""


class Entry(Record):
    """What is known of a kind without its module."""

    name: str
    plural: str
    module: str
    """The module that has it, below `reconciler.kinds`."""
    nested: str = ""
    """The name of its list inside projects; "" if it is in none."""
    capabilities: frozenset[str] = frozenset()
    """The names of the capabilities that it lists, and of their bases."""

    @property
    def is_inside(self) -> bool:
        """Whether its objects are inside projects."""
        return self.nested != ""

    def has(self, of: type[Capability]) -> bool:
        """Whether the kind lists a capability of a class."""
        assert of.__module__.startswith(BASES)
        return of.__name__ in self.capabilities


def entry(name: str, plural: str, module: str, nested: str, *capabilities: str) -> Entry:
    """An entry, as the index has it."""
    return Entry(name, plural, module, nested, frozenset(capabilities))


def entry_of(kind: Kind, module: str) -> Entry:
    """The entry of a kind."""
    nested = nested_name(kind) if kind.inside else ""
    bases = (base for capability in kind.capabilities for base in type(capability).__mro__)
    ours = (base for base in bases if base is not Capability and base.__module__.startswith(BASES))
    return entry(kind.name, kind.plural, module, nested, *(base.__name__ for base in ours))


class Kinds(Mapping[str, Kind]):
    """Kinds by a name of theirs, in order of rank. A kind is imported when it is taken from here.

    So whoever goes through all `values()` needs all modules; the other methods leave out what is not asked for.
    """

    __slots__ = ("_loaded", "_views", "entries")

    def __init__(self, entries: Mapping[str, Entry], load: Callable[[Entry], Kind]) -> None:
        self.entries = entries
        self._loaded = _Loaded(entries, load)
        self._views: dict[Hashable, Kinds] = {}

    def __getitem__(self, name: str) -> Kind:
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def among(self, names: Container[str]) -> list[Kind]:
        """Those with one of these names."""
        return [self[name] for name in self.entries if name in names]

    def having(self, of: type[Capability], among: Container[str] | None = None) -> list[Kind]:
        """Those that list a capability; `among` those with these names."""
        found = (name for name, entry in self.entries.items() if entry.has(of))
        return [self[name] for name in found if among is None or name in among]

    def only(self, chosen: Callable[[Entry], bool], by: Callable[[Entry], str]) -> Kinds:
        """Some of them, by another name; made once for the same two functions."""
        if (chosen, by) not in self._views:
            entries = {by(entry): entry for entry in self.entries.values() if chosen(entry)}
            self._views[chosen, by] = Kinds(entries, self._loaded.load)
        return self._views[chosen, by]


class _Loaded(dict[str, Kind]):
    """The kinds that were taken so far."""

    def __init__(self, entries: Mapping[str, Entry], load: Callable[[Entry], Kind]) -> None:
        self.entries = entries
        self.load = load

    def __missing__(self, name: str) -> Kind:
        kind = self[name] = self.load(self.entries[name])
        return kind
