"""Files that an export stores in its folder for the next one.

.reconciler-keys       the key of each issue, if no custom field stores it, so that the next export reuses it, with
                       its id and when it was created
.reconciler-reopened   closed projects that were reopened to store keys, in case the run is killed
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import field as attribute

from reconciler.errors import ReconcilerError
from reconciler.kinds import keyed
from reconciler.model.address import Row
from reconciler.model.name_index import Names
from reconciler.record import Record

KEYS = ".reconciler-keys"
REOPENED = ".reconciler-reopened"


class Keys(Record):
    """The keys that the last export of a server gave to issues: id → (key, when the issue was created)."""

    given: Mapping[int, tuple[str, str]] = attribute(default_factory=dict)

    def of(self, rows: Mapping[Any, Row]) -> dict[int, str]:
        """The keys of those that are still the same: a server that was built anew has given their ids to others."""
        lasting = ((n, key) for n, (key, made) in self.given.items() if n in rows and made in ("", _made(rows[n])))
        return dict(lasting)


def keys(folder: Path, url: str) -> Keys:
    """The keys that the last export of this server gave to issues."""
    data = _read(folder / KEYS)
    # Ids are those of one server.
    keys = data.get("keys") if isinstance(data, Mapping) and data.get("url") == url else None
    pairs = keys.items() if isinstance(keys, Mapping) else ()
    # Without a date in what the first releases wrote.
    parts = ((str(key), str(issue).partition(" ")) for key, issue in pairs)
    return Keys({int(number): (key, made) for key, (number, _, made) in parts if number.isdecimal()})


def keys_file(names: Names, projects: Collection[str], url: str) -> str:
    """The text of the file of keys: one line for each issue, sorted by key."""
    lives = [names.live(kind.name) for kind in keyed()]
    given = ((key, f"{n} {_made(live.rows[n])}".rstrip()) for live in lives for n, key in live.keys.items())
    found = {key: issue for key, issue in given if key.partition("/")[0] in projects}
    return json.dumps({"url": url, "keys": dict(sorted(found.items()))}, indent=1, ensure_ascii=False) + "\n"


def _made(row: Row) -> str:
    return str(row.get("created_on") or "")


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
