"""Where inside the value of a field something is wrong: at an item of a list, at the file that it names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reconciler.model.local_files import fault, is_file

Path = tuple[str | int, ...]


def inner_place(value: Any, fails: Callable[[Any], bool]) -> Path:
    """The keys and indexes that lead to what is wrong; `fails` tells whether a shorter list has the same error."""
    if isinstance(value, list | tuple):
        # The first items up to the one at fault, as it may be the second of two that are equal; an error that an empty
        # list has too is about the field.
        end = next((n for n in range(len(value) + 1) if fails(value[:n])), 0)
        return (end - 1, *_file(value[end - 1])) if end else ()
    return _file(value)


def _file(value: Any) -> Path:
    return ("file",) if is_file(value) and fault(value) else ()
