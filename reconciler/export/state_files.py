"""What an export remembers in its folder, for the next one.

    .reconciler-keys       which issue got which key, where no custom field holds the keys: so that it keeps it
    .reconciler-reopened   closed projects that were opened to store keys: a run that was killed did not close them
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
    """Issues by number → the keys that the last export of this server gave them."""
    found = _read(folder / KEYS)
    said = found.get("keys") if isinstance(found, Mapping) and found.get("url") == url else None
    pairs = said.items() if isinstance(said, Mapping) else ()
    return {number: str(key) for key, number in pairs if type(number) is int}


def keys_file(names: Names, projects: Collection[str], url: str) -> str:
    """The file of keys: a line for each issue, in the order of the keys."""
    pairs = [pair for kind in keyed() for pair in names.live(kind.name).keys.items()]
    found = {key: number for number, key in pairs if key.partition("/")[0] in projects}
    return json.dumps({"url": url, "keys": dict(sorted(found.items()))}, indent=1, ensure_ascii=False) + "\n"


def reopened(folder: Path) -> frozenset[str]:
    """The projects that a run before opened and did not close."""
    found = _read(folder / REOPENED)
    return frozenset(map(str, found)) if isinstance(found, list) else frozenset()


def remember_reopened(folder: Path, projects: Iterable[str]) -> None:
    """Note projects before they are opened; none: all are closed again. Raises ReconcilerError."""
    path, listed = folder / REOPENED, sorted(projects)
    if path.is_symlink():
        raise ReconcilerError(f"{path} is a link, and would be followed: remove it.")
    try:
        if listed:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(listed) + "\n", encoding="utf-8")
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise ReconcilerError(f"{path} cannot be written: {error.strerror}.") from error


def _read(path: Path) -> Any:
    with suppress(OSError, ValueError):
        return json.loads(path.read_text(encoding="utf-8"))
    return None
