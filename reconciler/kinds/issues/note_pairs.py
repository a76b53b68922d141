"""Which live note is which declared one: by its text and author, else by the text that it had before (`changed_from`).

A change that is made already is never undone: a note with the new text counts, whether or not there is one with the
earlier text too. In a chain (`B` becomes `C`, `A` becomes `B`) a live note counts for another declared one if only
then all of them have a live note.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    kept = [id(held) for _, held in paired(desired, live) if held is not None]
    gone = [note for note in desired if is_gone(note)]
    left = (held for held in live if id(held) not in kept)
    return [held for held in left if any(_was(note["text"], held) and _by_same(note, held) for note in gone)]


class _Pairs:
    """The most pairs that there can be, first of equal texts."""

    def __init__(self, wanted: Sequence[Said], live: Sequence[Said]) -> None:
        self.wanted, self.live = wanted, live
        self.owner: dict[int, int] = {}
        """Live note → wanted note, by their places."""

    def result(self) -> list[tuple[Said, Said | None]]:
        for index in range(len(self.wanted)):
            self._take(index, self._equal(index))
        for index in set(range(len(self.wanted))) - set(self.owner.values()):
            self._make_room(index, set())
        found = {index: self.live[place] for place, index in self.owner.items()}
        return [(note, found.get(index)) for index, note in enumerate(self.wanted)]

    def _take(self, index: int, places: Iterable[int]) -> None:
        place = next((p for p in places if p not in self.owner), None)
        if place is not None:
            self.owner[place] = index

    def _make_room(self, index: int, seen: set[int]) -> bool:
        """Whether a note gets a live one, if need be one whose owner can have another (an augmenting path)."""
        for place in (*self._equal(index), *self._earlier(index)):
            if place in seen:
                continue
            seen.add(place)
            if place not in self.owner or self._make_room(self.owner[place], seen):
                self.owner[place] = index
                return True
        return False

    def _equal(self, index: int) -> Iterator[int]:
        note = self.wanted[index]
        yield from self._alike(note, lambda held: bool(held["text"] == note["text"]))

    def _earlier(self, index: int) -> Iterator[int]:
        note = self.wanted[index]
        earlier = note.get("changed_from")
        yield from self._alike(note, lambda held: earlier is not None and _was(earlier, held))

    def _alike(self, note: Said, fits: Any) -> list[int]:
        places = [n for n, held in enumerate(self.live) if _by_same(note, held) and fits(held)]
        # First one that is as private as declared, so that no other one is changed for it.
        return sorted(places, key=lambda n: self.live[n]["private"] != bool(note.get("private")))


def _by_same(note: Said, held: Said) -> bool:
    return bool(note.get("author", held["author"]) == held["author"])


def _was(text: str, held: Said) -> bool:
    """Whether a live note has an earlier text; the line break at the end that YAML adds does not matter."""
    return bool(text.rstrip("\n") == held["text"].rstrip("\n"))
