"""Rows on disk: what a server has too many of to keep them all in memory."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, MutableMapping

from reconciler.names import Row
from reconciler.spec import Id


class Spool(MutableMapping[Id, Row]):
    """Rows by id, in a temporary file that goes with it; a row that is put in again is appended."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # it is closed, and gone, with this object
        self._places: dict[Id, tuple[int, int]] = {}

    def __del__(self) -> None:
        self._file.close()

    def __setitem__(self, number: Id, row: Row) -> None:
        text = json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass")
        self._places[number] = (self._file.seek(0, 2), len(text))
        self._file.write(text)

    def __getitem__(self, number: Id) -> Row:
        place, length = self._places[number]
        self._file.seek(place)
        row: Row = json.loads(self._file.read(length).decode("utf-8", "surrogatepass"))
        return row

    def __delitem__(self, number: Id) -> None:
        del self._places[number]

    def __iter__(self) -> Iterator[Id]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
