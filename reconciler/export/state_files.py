"""Files that an export stores in its folder for the next one.

.reconciler-keys       the key of each issue, if no custom field stores it, so that the next export reuses it
.reconciler-reopened   closed projects that were reopened to store keys, in case the run is killed
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from reconciler.errors import ReconcilerError
from reconciler.kinds import keyed
from reconciler.model.name_index import Names

KEYS = ".reconciler-keys"
REOPENED = ".reconciler-reopened"


def keys(folder: Path, url: str) -> dict[int, str]:
    """The keys that the last export of this server gave to issues, by id."""
    data = _read(folder / KEYS)
    # Ids are those of one server.
    keys = data.get("keys") if isinstance(data, Mapping) and data.get("url") == url else None
    pairs = keys.items() if isinstance(keys, Mapping) else ()
    # Not `isinstance`, for which JSON's `true` is an integer.
    return {number: str(key) for key, number in pairs if type(number) is int}


def keys_file(names: Names, projects: Collection[str], url: str) -> str:
    """The text of the file of keys: one line for each issue, sorted by key."""
    pairs = [pair for kind in keyed() for pair in names.live(kind.name).keys.items()]
    numbers = {key: number for number, key in pairs if key.partition("/")[0] in projects}
    return json.dumps({"url": url, "keys": dict(sorted(numbers.items()))}, indent=1, ensure_ascii=False) + "\n"


def reopened(folder: Path) -> frozenset[str]:
    """The projects that an earlier run reopened and did not close again."""
    data = _read(folder / REOPENED)
    return frozenset(map(str, data)) if isinstance(data, list) else frozenset()


def remember_reopened(folder: Path, projects: Iterable[str]) -> None:
    """Store projects before they are reopened; without projects, remove the file. Raises ReconcilerError."""
    path, listed = folder / REOPENED, sorted(projects)
    if path.is_symlink():
        raise ReconcilerError(f"{path} is a symbolic link; remove it.")
    try:
        if listed:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(listed) + "\n", encoding="utf-8")
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise ReconcilerError(f"{path} cannot be written: {error.strerror}.") from error


def _read(path: Path) -> Any:
    # A damaged file is like none: keys are made from the subjects again.
    with suppress(OSError, ValueError, RecursionError):
        return json.loads(path.read_text(encoding="utf-8"))
    return None
