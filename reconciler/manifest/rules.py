"""Which files in a folder may be manifests: `include` and `ignore` of the configuration, and what never is one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from reconciler.record import Record

PACKAGES = frozenset({"node_modules"})
"""Folders with the files of other people's packages."""

_WILD = re.compile(r"\*\*/|/\*\*$|\*|\?|\[!?[^\]/]+\]|.", re.DOTALL)
_MEANING = {"**/": "(?:.*/)?", "/**": "/.*", "*": "[^/]*", "?": "[^/]"}


class Rules(Record):
    """Patterns relative to the folder `base`, with the wildcards of .gitignore.

    A pattern without a slash inside matches at any depth; one that matches a folder matches everything in it.
    """

    base: str = ""
    include: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    overlays: frozenset[str] = frozenset()
    """The absolute paths of files and folders that are overlays, and so no manifests."""

    def reads(self, path: Path, top: str) -> bool:
        """Whether a file that was found below the folder `top` may be a manifest."""
        names = list(self._names(path))
        wanted = not self.include or _any(self.include, names)
        return (
            wanted
            and not self._is_overlay(path)
            and not self._ignores(path, top)
            and not _is_output(path)
            and not _is_empty_json(path)
        )

    def enters(self, folder: Path, top: str) -> bool:
        """Whether to look for manifests in a folder below `top`."""
        other = folder.name.startswith(".") or folder.name in PACKAGES or (folder / "pyvenv.cfg").is_file()
        return not other and not self._is_overlay(folder) and not self._ignores(folder, top)

    def _is_overlay(self, path: Path) -> bool:
        return bool(self.overlays) and str(path.absolute()) in self.overlays

    def _ignores(self, path: Path, top: str) -> bool:
        # A folder that is named on the command line is read, even if it matches itself.
        above = set(self._names(Path(top)))
        return bool(self.ignore) and _any(self.ignore, [name for name in self._names(path) if name not in above])

    def _names(self, path: Path) -> Iterator[str]:
        """A path relative to the base, and the folders that it is in."""
        relative = Path(os.path.relpath(path, self.base or None))
        yield from (p.as_posix() for p in (relative, *relative.parents) if p.name not in ("", ".", ".."))


ALL = Rules()


def _any(patterns: Iterable[str], names: Iterable[str]) -> bool:
    tests = [_compiled(pattern) for pattern in patterns]
    return any(test.fullmatch(name) for name in names for test in tests)


def _compiled(pattern: str) -> re.Pattern[str]:
    plain = pattern.rstrip("/").removeprefix("./")
    anywhere = "" if "/" in plain else "(?:.*/)?"
    parts = (_MEANING.get(part) or _class(part) for part in _WILD.findall(plain.lstrip("/")))
    return re.compile(anywhere + "".join(parts), re.DOTALL)


def _class(part: str) -> str:
    """A character, or a class of characters such as `[a-z]` or `[!0-9]`."""
    if len(part) > 1:
        inner = re.sub(r"[\\\[^]", r"\\\g<0>", part[1:-1].removeprefix("!"))
        made = f"[^/{inner}]" if part[1] == "!" else f"[{inner}]"
        with suppress(re.error):  # `[z-a]` is no class
            return re.compile(made).pattern
    return re.escape(part)


def _is_output(path: Path) -> bool:
    """Whether this command writes to a file: a shell creates it before the command starts (`plan > plan.json`)."""
    with suppress(OSError):
        return any(os.path.samestat(path.stat(), os.fstat(number)) for number in (1, 2))
    return False


def _is_empty_json(path: Path) -> bool:
    """Whether a file is JSON that is still to be written, as by `plan --format json | tee plan.json`."""
    with suppress(OSError):
        return path.suffix == ".json" and path.is_file() and path.stat().st_size == 0
    return False
