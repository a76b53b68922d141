"""The live objects of one kind: which key is which id, and the row of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping
from typing import Any

from reconciler.model.address import Row


class LiveIndex:
    """Keys, ids and rows of the live objects of one kind that were read. Only its methods change it."""

    __slots__ = ("_folded", "_ids", "_keys", "_rows", "_seen_from", "looked_up", "unseen", "whole")

    def __init__(self, *, ignores_case: bool = False) -> None:
        self._ids: dict[str, int] = {}
        self._keys: dict[Any, str] = {}
        self._rows: MutableMapping[Any, Row] = {}
        self._folded: dict[str, str] | None = {} if ignores_case else None
        self._seen_from: dict[Any, set[str]] = {}
        self.whole = False
        """Whether all objects of the kind were read."""
        self.looked_up = False
        """Whether only the needed ones of a long list were read."""
        self.unseen: dict[str, str] = {}
        """Project, or "" for all → why the account is not shown the objects there."""

    # -- read --------------------------------------------------------------------------------------------------

    @property
    def ids(self) -> Mapping[str, int]:
        """key → id."""
        return self._ids

    @property
    def keys(self) -> Mapping[Any, str]:
        """id → key."""
        return self._keys

    @property
    def rows(self) -> Mapping[Any, Row]:
        """id → row, as the API shows it."""
        return self._rows

    @property
    def seen_from(self) -> Mapping[Any, Collection[str]]:
        """id → the projects whose list showed the object: a shared version shows in several."""
        return self._seen_from

    def id(self, key: str) -> int | None:
        """The id of the object of a key, in the spelling that Redmine compares, else None."""
        return self._ids.get(key if self._folded is None else self.spelling(key))

    def row(self, key: str) -> Row | None:
        """The row of the object of a key, in the spelling that Redmine compares, else None."""
        number = self._ids.get(key if self._folded is None else self.spelling(key))
        return None if number is None else self._rows[number]

    def spelling(self, key: str) -> str:
        """The key as the server spells it, where Redmine compares without case; else as it is."""
        # The exact spelling first: it is the usual case, and needs no second look-up.
        if self._folded is None or key in self._ids:
            return key
        return self._folded.get(key.lower(), key)

    def has(self, key: str) -> bool:
        """Whether there is an object of that key."""
        return self.id(key) is not None

    def why_unseen(self, project: str) -> str:
        """Why the account is not shown the objects in a project ("" for a kind in none), or ""."""
        return self.unseen.get("") or self.unseen.get(project, "")

    # -- write -------------------------------------------------------------------------------------------------

    def add(self, key: str, row: Row) -> None:
        """Take a row as the object of a key."""
        self._ids[key] = row["id"]
        self._keys[row["id"]] = key
        self._rows[row["id"]] = row
        if self._folded is not None:
            # `setdefault`: a key in another case must not hide the one that was read first.
            self._folded.setdefault(key.lower(), key)

    def remove(self, key: str) -> None:
        """Forget an object that was deleted: SQLite gives its id to the next one that is created."""
        if self._folded is not None:
            key = self._folded.pop(key.lower(), key)
        number = self._ids.pop(key, None)
        if number is not None:
            # It may have had two keys, its own and the one that a saved plan gives it.
            self._keys.pop(number, None)
            self._rows.pop(number, None)

    def rekey(self, number: Any, key: str) -> None:
        """Give an object another key; of several with one key, the first is found by it."""
        old = self._keys[number]
        # Several objects can have shared the old key: it may stand for another one of them.
        if self._ids.get(old) == number:
            del self._ids[old]
        self._ids.setdefault(key, number)
        self._keys[number] = key

    def rename(self, keys: Mapping[Any, str]) -> None:
        """Give objects (by id) other keys, all at once: one may get the key that another one has."""
        self._ids = {key: number for key, number in self._ids.items() if number not in keys}
        if self._folded is not None:
            self._folded = {key.lower(): key for key in reversed(self._ids)}
        for number, key in keys.items():
            self.add(key, self._rows[number])

    def replace_row(self, number: Any, row: Row) -> None:
        """Take another row of an object that is known."""
        self._rows[number] = row

    def note_seen(self, number: Any, project: str) -> None:
        """Note that the list of a project showed an object."""
        self._seen_from.setdefault(number, set()).add(project)

    def store_rows_in(self, rows: MutableMapping[Any, Row]) -> None:
        """Keep the rows elsewhere from now on: of very many, on disk."""
        self._rows = rows

    def rekeyed(self, keys: Mapping[Any, str]) -> LiveIndex:
        """The same rows with other keys (id → key)."""
        other = LiveIndex()
        # The rows are shared, not copied: there can be hundreds of thousands, on disk.
        other._keys, other._rows = dict(keys), self._rows
        other._ids = {key: number for number, key in keys.items()}
        return other
