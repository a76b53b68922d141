"""Which live note is which declared one: by its text and author, else by the text that it had before (`changed_from`).

A change that is made already is never undone: a note with the new text counts, whether or not there is one with the
earlier text too. In a chain (`B` becomes `C`, `A` becomes `B`) a live note counts for another declared one if only
then all of them have a live note.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

Said = Mapping[str, Any]


def is_gone(note: Said) -> bool:
    """Whether a declared note is to be deleted."""
    return note.get("state") == "absent"


def paired(desired: Iterable[Said], live: Iterable[Said] | None) -> list[tuple[Said, Said | None]]:
    """Each wanted note with the live one that it is, if there is one; each live note counts once."""
    wanted = [note for note in desired if not is_gone(note)]
    return _Pairs(wanted, list(live or ())).result()


def unwanted(desired: Iterable[Said], live: Iterable[Said] | None) -> list[Said]:
    """The live notes that are declared absent."""
    desired, live = list(desired), list(live or ())
    gone = by_text(note for note in desired if is_gone(note))
    kept = {id(held) for _, held in paired(desired, live) if held is not None} if gone else set()
    left = (held for held in live if id(held) not in kept) if gone else ()
    return [held for held in left if any(_by_same(note, held) for note in gone.get(_bare(held["text"]), ()))]


def to_delete(desired: Iterable[Said], unwanted: Iterable[Said]) -> list[Said]:
    """The notes that are declared absent and are there."""
    left = by_text(unwanted)
    gone = (note for note in desired if is_gone(note))
    return [note for note in gone if any(_by_same(note, held) for held in left.get(_bare(note["text"]), ()))]


def by_text(notes: Iterable[Said]) -> Mapping[str, Sequence[Said]]:
    """Notes by their texts, without the line break at the end that YAML adds: it does not matter."""
    found = defaultdict[str, list[Said]](list)
    for note in notes:
        found[_bare(str(note["text"]))].append(note)
    return found


class _Pairs:
    """The most pairs that there can be, first of equal texts."""

    def __init__(self, wanted: Sequence[Said], live: Sequence[Said]) -> None:
        self.wanted, self.live = wanted, live
        self.owner: dict[int, int] = {}
        """Live note → wanted note, by their places."""
        self.places = defaultdict[str, list[int]](list)
        """The live notes by their texts, and by these without line breaks at the end."""
        for place, held in enumerate(live):
            for text in {held["text"], _bare(held["text"])}:
                self.places[text].append(place)

    def result(self) -> list[tuple[Said, Said | None]]:
        for index in range(len(self.wanted)):
            self._take(index, self._equal(index))
        owners = {*self.owner.values()}
        for index in range(len(self.wanted)):
            if index not in owners:
                self._make_room(index)
        found = {index: self.live[place] for place, index in self.owner.items()}
        return [(note, found.get(index)) for index, note in enumerate(self.wanted)]

    def _take(self, index: int, places: Iterable[int]) -> None:
        place = next((p for p in places if p not in self.owner), None)
        if place is not None:
            self.owner[place] = index

    def _make_room(self, index: int) -> None:
        """Give a note a live one, if need be one whose owner can have another (an augmenting path)."""
        seen, taken = set[int](), list[int]()
        way = [(index, self._possible(index))]
        # Not by recursion: a thousand notes can each become the next one.
        while way:
            place = next((p for p in way[-1][1] if p not in seen), None)
            if place is None:
                way.pop()
                taken = taken[:-1]
                continue
            seen.add(place)
            taken.append(place)
            if place not in self.owner:
                self.owner |= {p: owner for p, (owner, _) in zip(taken, way, strict=True)}
                return
            way.append((self.owner[place], self._possible(self.owner[place])))

    def _possible(self, index: int) -> Iterator[int]:
        yield from self._equal(index)
        earlier = self.wanted[index].get("changed_from")
        if earlier is not None:
            yield from self._alike(index, _bare(earlier), lambda held: _bare(held["text"]) == _bare(earlier))

    def _equal(self, index: int) -> Iterator[int]:
        text = self.wanted[index]["text"]
        return self._alike(index, text, lambda held: bool(held["text"] == text))

    def _alike(self, index: int, text: str, fits: Callable[[Said], bool]) -> Iterator[int]:
        note, held = self.wanted[index], self.live
        places = (n for n in self.places.get(text, ()) if _by_same(note, held[n]) and fits(held[n]))
        # First one that is as private as declared, so that no other one is changed for it.
        yield from sorted(places, key=lambda n: held[n]["private"] != bool(note.get("private")))


def _by_same(note: Said, held: Said) -> bool:
    return bool(note.get("author", held["author"]) == held["author"])


def _bare(text: str) -> str:
    return text.rstrip("\n")
