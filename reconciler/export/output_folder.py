"""The folder that an export is written to: what an earlier export left there and this one does not have is removed.

    .reconciler-export          what the last export was of, and its files: nothing of anybody else's is touched
    .reconciler-export.new      what an export that is not at its end has added: it can be repeated
    .reconciler-export.tmp/     files that are not complete; what is in it is of an export that was killed
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Self

from reconciler.errors import ReconcilerError
from reconciler.export.inventory import Scope
from reconciler.manifest.sources import CONFIG
from reconciler.model.local_files import folded

INDEX = ".reconciler-export"
ADDED = f"{INDEX}.new"
SCRATCH = f"{INDEX}.tmp"
CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Extent:
    """What an export is of."""

    projects: tuple[str, ...] = ()
    subprojects: bool = False
    kinds: tuple[str, ...] = ()
    sanitized: bool = False

    @classmethod
    def of(cls, scope: Scope, *, sanitized: bool) -> Self:
        """What an export of a scope is of."""
        below = scope.subprojects and bool(scope.projects)
        return cls(tuple(sorted(scope.projects)), below, tuple(sorted(scope.chosen)), sanitized)

    @classmethod
    def read(cls, found: Any) -> Self:
        """The same as it was noted. Raises ValueError for anything else."""
        names = ("projects", "kinds")
        if not isinstance(found, dict) or not all(_texts(found.get(name)) for name in names):
            raise ValueError("no extent")
        projects, chosen = (tuple(found[name]) for name in names)
        return cls(projects, bool(found.get("subprojects")), chosen, bool(found.get("sanitized")))

    def noted(self) -> dict[str, Any]:
        """As it is noted."""
        return {
            "projects": list(self.projects),
            "subprojects": self.subprojects,
            "kinds": list(self.kinds),
            "sanitized": self.sanitized,
        }

    def __str__(self) -> str:
        below = " with what is below" if self.subprojects else ""
        chosen = [f"project {', '.join(self.projects)}{below}"] if self.projects else []
        chosen += [f"kind {', '.join(self.kinds)}"] if self.kinds else []
        return " and ".join(chosen or ["everything"]) + (" without personal data" if self.sanitized else "")


EVERYTHING = Extent()


class Folder:
    """An export's folder. Raises ReconcilerError if it is none, cannot be read, holds what is not of an earlier export,
    nor hidden, nor the configuration, or holds an export of something else."""

    def __init__(self, path: Path, extent: Extent = EVERYTHING) -> None:
        self.path = path
        self.extent = extent
        self.configured = True
        """Whether an export may write the configuration."""
        self._started = 0
        with _sentence(path, "read"):
            self._check_place()
            earlier = self._listed()
            self.earlier = frozenset({*(earlier or ()), *self._added()})
            if earlier is None and not self.earlier and path.exists() and not all(map(_harmless, path.iterdir())):
                raise ReconcilerError(
                    f"{path} is not empty and holds no earlier export: give another folder, nothing is overwritten."
                )
        self.before = set(self.earlier)
        self._spelled = {folded(name): name for name in self.earlier}

    def _check_place(self) -> None:
        """Raise ReconcilerError if there can be no folder, or what is noted in it would be noted elsewhere."""
        there = next(p for p in (self.path, *self.path.absolute().parents) if os.path.lexists(p))
        if not there.is_dir():
            raise ReconcilerError(f"{there} is not a folder: give another one.")
        for name in (INDEX, ADDED, SCRATCH):
            if (self.path / name).is_symlink():
                raise ReconcilerError(f"{self.path / name} is a link, and would be followed: remove it.")

    def _listed(self) -> list[str] | None:
        """The files of the last export, or None if there was none. Raises ReconcilerError if that was of something
        else."""
        try:
            found = json.loads((self.path / INDEX).read_text(encoding="utf-8"))
            extent, files = Extent.read(found["scope"]), [str(name) for name in found["files"]]
        except (FileNotFoundError, ValueError, LookupError, TypeError):
            return None
        if extent != self.extent:
            raise ReconcilerError(
                f"{self.path} holds an export of {extent}, and this one is of {self.extent}: what is not in it would "
                "be removed. Export with the options of that one, or to another folder."
            )
        return files

    def _added(self) -> list[str]:
        """The files that an export added which did not come to its end."""
        try:
            lines = (self.path / ADDED).read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        return [name for line in lines if (name := _name(line))]

    # -- writing -----------------------------------------------------------------------------------------------

    def check(self, names: Iterable[str]) -> None:
        """Raise ReconcilerError for a name that no file can have here."""
        for name in names:
            try:
                os.fsencode(name)
            except UnicodeEncodeError as error:
                raise ReconcilerError(
                    f"There can be no file {name} here, as the names of files are in {sys.getfilesystemencoding()}: "
                    "set LC_ALL=C.UTF-8, and export again."
                ) from error

    def write(self, name: str, content: bytes) -> None:
        """Write one file, as `writing` does."""
        path = self.path / name
        with _sentence(path, "written"):
            same = path.is_file() and path.read_bytes() == content
        if not same:
            with self.writing(name) as file:
                file.write(content)

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """A file that gets this name when all of it is there, or never; one that has this content already is left
        alone. Raises ReconcilerError if it cannot be written, or if somebody else's file has the name."""
        path = self.path / name
        with _sentence(path, "written"):
            temporary = self._scratch()
            try:
                with temporary.open("xb") as file:
                    yield file
                self._place(name, temporary)
            finally:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)
                    temporary.parent.rmdir()

    def _scratch(self) -> Path:
        """A name for a file that is not complete yet. What an export left there that was killed is removed first."""
        place = self.path / SCRATCH
        if not self._started:
            shutil.rmtree(place, ignore_errors=True)
        self._started += 1
        place.mkdir(parents=True, exist_ok=True)
        return place / str(self._started)

    def _place(self, name: str, temporary: Path) -> None:
        path = self.path / name
        if path.is_file() and _equal(path, temporary):
            return
        self._claim(name, path)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(path)

    def _claim(self, name: str, path: Path) -> None:
        """Note a new file before it is there."""
        if not self._inside(path):
            raise ReconcilerError(f"{path} leads out of {self.path}: nothing is written there.")
        if name in self.before or name == INDEX:
            return
        if os.path.lexists(path) and not self._respelled(name, path):
            raise ReconcilerError(f"{path} is not of an earlier export: move it away, nothing is overwritten.")
        with (self.path / ADDED).open("a", encoding="utf-8") as file:
            file.write(json.dumps(name) + "\n")
        self.before.add(name)

    def _respelled(self, name: str, path: Path) -> bool:
        """Whether a file of an earlier export is found under another spelling of its name."""
        spelled = self._spelled.get(folded(name))
        return spelled is not None and path.samefile(self.path / spelled)

    def _inside(self, path: Path) -> bool:
        # Not `resolve`, which fails on a link that leads to itself.
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.path))

    # -- the end -----------------------------------------------------------------------------------------------

    def keep(self, name: str) -> None:
        """Leave a file of an earlier export to people."""
        self.before.discard(name)

    def finish(self, names: Iterable[str]) -> int:
        """Remove what the last export wrote and this one does not have, and note what this one wrote; how many files
        of an earlier export were removed."""
        spelled = {folded(name): name for name in names}
        written = sorted(spelled.values())
        gone = sorted(self.before.difference(written))
        removed = [name for name in gone if self._remove(name, spelled.get(folded(name)))]
        index = {"scope": self.extent.noted(), "files": written}
        self.write(INDEX, (json.dumps(index, indent=0, ensure_ascii=False) + "\n").encode())
        with suppress(OSError):
            (self.path / ADDED).unlink()
        return len(self.earlier.intersection(removed))

    def _remove(self, name: str, other: str | None) -> bool:
        """Remove a file, unless it is this export's `other` one under an earlier spelling; whether it was."""
        path = self.path / name
        with suppress(OSError):
            if not self._inside(path.parent):
                return False
            if other is not None and path.samefile(self.path / other):
                path.rename(self.path / other)
                return False
            path.unlink()
            self._tidy(path.parent)
            return True
        return False

    def _tidy(self, folder: Path) -> None:
        """Remove folders that have become empty."""
        while folder != self.path:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent


@contextmanager
def _sentence(path: Path, what: str) -> Iterator[None]:
    """Raise ReconcilerError for what the system says."""
    try:
        yield
    except OSError as error:
        raise ReconcilerError(f"{path} cannot be {what}: {error.strerror or error}.") from error


def _texts(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(text, str) for text in found)


def _equal(one: Path, other: Path) -> bool:
    """Whether two files have the same content."""
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as left, other.open("rb") as right:
        chunks = (iter(partial(file.read, CHUNK), b"") for file in (left, right))
        return all(a == b for a, b in zip(*chunks, strict=True))


def _name(line: str) -> str:
    """The name in a line of what was added; a line may have been cut off."""
    try:
        return str(json.loads(line))
    except ValueError:
        return ""


def _harmless(path: Path) -> bool:
    """Whether a file may be in a folder before the first export: the configuration, or a hidden one."""
    return path.name.startswith(".") or path.name == CONFIG
