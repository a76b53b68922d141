"""A dictionary on disk, for more rows than fit into memory."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, MutableMapping
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class DiskDict(MutableMapping[K, V]):
    """Rows by id, or texts by path, in a temporary file.

    Append-only: a replaced value stays in the file. The file is deleted together with this object.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed, and so deleted, by `__del__`
        self._places: dict[K, tuple[int, int]] = {}

    def __del__(self) -> None:
        self._file.close()

    def __setitem__(self, number: K, row: V) -> None:
        # JSON can contain lone surrogates, which UTF-8 cannot; the row must be read back unchanged.
        text = json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass")
        # At the end, wherever the last read has left the position.
        self._places[number] = (self._file.seek(0, 2), len(text))
        self._file.write(text)

    def __getitem__(self, number: K) -> V:
        place, length = self._places[number]
        self._file.seek(place)
        row: V = json.loads(self._file.read(length).decode("utf-8", "surrogatepass"))
        return row

    def __delitem__(self, number: K) -> None:
        del self._places[number]

    def __iter__(self) -> Iterator[K]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
