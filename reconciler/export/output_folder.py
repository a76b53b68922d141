"""The output folder of an export. Files of an earlier export that this one lacks are removed; no others are touched.

.reconciler-export          the scope of the last export, its files, and digests of their texts
.reconciler-export.new      the files that an unfinished export has added, so that it can be repeated
.reconciler-export.tmp/     incomplete files; leftovers are from an export that was killed
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Self

from reconciler.errors import ReconcilerError
from reconciler.export.inventory import Scope
from reconciler.manifest.sources import CONFIG
from reconciler.model.codecs import digest
from reconciler.model.local_files import folded
from reconciler.record import Record

INDEX = ".reconciler-export"
ADDED = f"{INDEX}.new"
SCRATCH = f"{INDEX}.tmp"
CHUNK = 1 << 16


class Extent(Record):
    """The scope and options of an export."""

    projects: tuple[str, ...] = ()
    subprojects: bool = False
    kinds: tuple[str, ...] = ()
    sanitized: bool = False
    catalog: bool = False

    @classmethod
    def of(cls, scope: Scope, *, sanitized: bool) -> Self:
        """The extent of an export of `scope`."""
        below = scope.subprojects and bool(scope.projects)
        return cls(tuple(sorted(scope.projects)), below, tuple(sorted(scope.chosen)), sanitized, scope.catalog)

    @classmethod
    def read(cls, data: Any) -> Self:
        """The extent in the data of `stored`. Raises ValueError for anything else."""
        names = ("projects", "kinds")
        if not isinstance(data, dict) or not all(_is_strings(data.get(name)) for name in names):
            raise ValueError("not an extent")
        projects, chosen = (tuple(data[name]) for name in names)
        return cls(
            projects, bool(data.get("subprojects")), chosen, bool(data.get("sanitized")), bool(data.get("catalog"))
        )

    def stored(self) -> dict[str, Any]:
        """The data that the folder stores."""
        return {
            "projects": list(self.projects),
            "subprojects": self.subprojects,
            "kinds": list(self.kinds),
            "sanitized": self.sanitized,
            **({"catalog": True} if self.catalog else {}),
        }

    def __str__(self) -> str:
        below = " with subprojects" if self.subprojects else ""
        chosen = [f"project {', '.join(self.projects)}{below}"] if self.projects else []
        chosen += [f"kind {', '.join(self.kinds)}"] if self.kinds else []
        more = (", with the catalog" if self.catalog else "") + (", sanitized" if self.sanitized else "")
        return " and ".join(chosen or ["everything"]) + more


EVERYTHING = Extent()


class Folder:
    """The output folder of an export.

    Raises ReconcilerError if the path is not a folder, cannot be read, contains an export of another extent, or is not
    empty without an earlier export (hidden files and the configuration do not count).
    """

    def __init__(self, path: Path, extent: Extent = EVERYTHING) -> None:
        self.path = path
        self.extent = extent
        self.configured = True
        """Whether the export writes a configuration."""
        self._started = 0
        self._digests: dict[str, str] = {}
        """Those of the texts of the last export, and of this one."""
        with _readable_errors(path, "read"):
            self._check_place()
            earlier = self._indexed()
            self.earlier = frozenset({*(earlier or ()), *self._added()})
            if earlier is None and not self.earlier and path.exists() and not all(map(_is_ignored, path.iterdir())):
                raise ReconcilerError(
                    f"{path} is not empty and contains no earlier export. Nothing was overwritten; "
                    "choose another folder."
                )
        self.before = set(self.earlier)
        """The files that may be overwritten or removed."""
        self.edited = set[str]()
        """The files that were edited since the last export, and are replaced or removed by this one."""
        self._spelled = {folded(name): name for name in self.earlier}

    def _check_place(self) -> None:
        """Raise ReconcilerError if there can be no folder, or if a link would lead the index elsewhere."""
        # `lexists`: a link that leads nowhere is in the way, too.
        existing = next(p for p in (self.path, *self.path.absolute().parents) if os.path.lexists(p))
        if not existing.is_dir():
            raise ReconcilerError(f"{existing} is not a folder; choose another path.")
        for name in (INDEX, ADDED, SCRATCH):
            if (self.path / name).is_symlink():
                raise ReconcilerError(f"{self.path / name} is a symbolic link; remove it.")

    def _indexed(self) -> list[str] | None:
        """The files of the last export, or None if there was none. Raises ReconcilerError for another extent."""
        try:
            index = json.loads((self.path / INDEX).read_text(encoding="utf-8"))
            extent, files = Extent.read(index["scope"]), [str(name) for name in index["files"]]
            self._digests = dict(index.get("digests", {}))
        # A damaged index counts as none: files of unknown origin are not overwritten (test_a_damaged_index).
        except (FileNotFoundError, ValueError, LookupError, TypeError, RecursionError):
            return None
        if extent != self.extent:
            raise ReconcilerError(
                f"{self.path} contains an export of {extent}, but this one is of {self.extent}, so files would be "
                "removed. Use the options of the earlier export, or another folder."
            )
        return files

    def _added(self) -> list[str]:
        """The files that an unfinished export added."""
        try:
            lines = (self.path / ADDED).read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        return [name for line in lines if (name := _name(line))]

    # -- writing -----------------------------------------------------------------------------------------------

    def check(self, names: Iterable[str]) -> None:
        """Raise ReconcilerError for a file name that cannot be encoded on this system."""
        for name in names:
            try:
                os.fsencode(name)
            except UnicodeEncodeError as error:
                raise ReconcilerError(
                    f"Cannot create the file {name}: file names are encoded as {sys.getfilesystemencoding()}. "
                    "Set LC_ALL=C.UTF-8 and export again."
                ) from error

    def write(self, name: str, content: bytes) -> None:
        """Write one file, as `writing` does."""
        path = self.path / name
        with _readable_errors(path, "written"):
            # Checked before anything is written: most files of a repeated export have not changed.
            same = path.is_file() and path.read_bytes() == content
        if not same:
            self._note_edits(name)
            with self.writing(name) as file:
                file.write(content)
        # Not of the files that are for the next export alone.
        if not name.startswith("."):
            self._digests[name] = digest(content)

    def _note_edits(self, name: str) -> None:
        """Note a text that is not as the last export wrote it any more."""
        with suppress(OSError):
            if name in self._digests and digest((self.path / name).read_bytes()) != self._digests[name]:
                self.edited.add(name)

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """A file that replaces the one with this name when it is complete; one with equal content is left unchanged.

        Raises ReconcilerError if it cannot be written, or if the existing file is not of an earlier export.
        """
        path = self.path / name
        with _readable_errors(path, "written"):
            temporary = self._temporary()
            try:
                # `x`: never through a link that already exists.
                with temporary.open("xb") as file:
                    yield file
                self._place(name, temporary)
            finally:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)
                    # Fails as long as other downloads have files there; the last one removes the folder.
                    temporary.parent.rmdir()

    def _temporary(self) -> Path:
        """A path for an incomplete file. Leftovers of a killed export are removed first."""
        place = self.path / SCRATCH
        # Later leftovers are files of this run that are still being written.
        if not self._started:
            shutil.rmtree(place, ignore_errors=True)
        self._started += 1
        place.mkdir(parents=True, exist_ok=True)
        return place / str(self._started)

    def _place(self, name: str, temporary: Path) -> None:
        path = self.path / name
        # An unchanged file keeps its time stamp, also for tools that watch the folder.
        if path.is_file() and _equal(path, temporary):
            return
        # Recorded before it exists: a killed export leaves no file that the next one would refuse to overwrite.
        self._claim(name, path)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(path)

    def _claim(self, name: str, path: Path) -> None:
        """Record a new file before it is created, so that a killed export can be repeated."""
        if not self._inside(path):
            raise ReconcilerError(f"{path} is outside {self.path}; nothing was written there.")
        if name in self.before or name == INDEX:
            return
        if os.path.lexists(path) and not self._respelled(name, path):
            raise ReconcilerError(f"{path} is not part of an earlier export. Nothing was overwritten; move it away.")
        with (self.path / ADDED).open("a", encoding="utf-8") as file:
            file.write(json.dumps(name) + "\n")
        self.before.add(name)

    def _respelled(self, name: str, path: Path) -> bool:
        """Whether a file of an earlier export exists under another spelling of its name."""
        spelled = self._spelled.get(folded(name))
        # Where case counts, the other spelling is another file, and not ours
        # (test_somebody_elses_file_of_another_case).
        return spelled is not None and path.samefile(self.path / spelled)

    def _inside(self, path: Path) -> bool:
        # Not `Path.resolve`, which raises for a link to itself.
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.path))

    # -- the end -----------------------------------------------------------------------------------------------

    def keep(self, name: str) -> None:
        """Keep a file of an earlier export that people have edited."""
        self.before.discard(name)

    def finish(self, names: Iterable[str]) -> int:
        """Remove the files of the last export that this one lacks, and store the index.

        Returns the number of removed files of earlier exports. The index comes last, so that a killed export can be
        repeated.
        """
        spelled = {folded(name): name for name in names}
        written = sorted(spelled.values())
        obsolete = sorted(self.before.difference(written))
        for name in obsolete:
            self._note_edits(name)
        removed = [name for name in obsolete if self._remove(name, spelled.get(folded(name)))]
        digests = {name: self._digests[name] for name in written if name in self._digests}
        index = {"scope": self.extent.stored(), "files": written, "digests": digests}
        self.write(INDEX, (json.dumps(index, indent=0, ensure_ascii=False) + "\n").encode())
        with suppress(OSError):
            (self.path / ADDED).unlink()
        return len(self.earlier.intersection(removed))

    def _remove(self, name: str, other: str | None) -> bool:
        """Remove a file, or rename it if it is an earlier spelling of `other`. Returns whether it was removed."""
        path = self.path / name
        with suppress(OSError):
            # The parent, because a link in place of the file is removed itself, wherever it leads.
            if not self._inside(path.parent):
                return False
            # A file system without case finds the new file under the old spelling.
            if other is not None and path.samefile(self.path / other):
                path.rename(self.path / other)
                return False
            path.unlink()
            self._tidy(path.parent)
            return True
        return False

    def _tidy(self, folder: Path) -> None:
        """Remove empty folders."""
        while folder != self.path:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent


@contextmanager
def _readable_errors(path: Path, what: str) -> Iterator[None]:
    """Raise ReconcilerError for an OSError."""
    try:
        yield
    except OSError as error:
        raise ReconcilerError(f"{path} cannot be {what}: {error.strerror or error}.") from error


def _is_strings(data: Any) -> bool:
    return isinstance(data, list) and all(isinstance(item, str) for item in data)


def _equal(one: Path, other: Path) -> bool:
    """Whether two files have the same content."""
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as left, other.open("rb") as right:
        chunks = (iter(partial(file.read, CHUNK), b"") for file in (left, right))
        return all(a == b for a, b in zip(*chunks, strict=True))


def _name(line: str) -> str:
    """The name in a line of the list of added files, or "" for a line that was cut off."""
    try:
        return str(json.loads(line))
    except (ValueError, RecursionError):
        return ""


def _is_ignored(path: Path) -> bool:
    """Whether a file may exist before the first export: the configuration, or a hidden one."""
    return path.name.startswith(".") or path.name == CONFIG
