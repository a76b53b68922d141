"""The folder that an export is written to: what an earlier export left there and this one does not have is removed.

`.reconciler-export` lists the files of the last export, so nothing of anybody else's is touched. While an export runs,
`.reconciler-export.new` has what it has added: one that was broken off can be repeated.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from reconciler.errors import ReconcilerError
from reconciler.sources import CONFIG

INDEX = ".reconciler-export"
ADDED = f"{INDEX}.new"


class Folder:
    """An export's folder. Raises ReconcilerError if it holds what is not of an earlier export, nor hidden, nor the
    configuration."""

    def __init__(self, path: Path) -> None:
        self.path = path
        earlier = self._listed()
        self.before = set(earlier or ()) | set(self._added())
        foreign = path.exists() and (not path.is_dir() or any(not _harmless(p) for p in path.iterdir()))
        if earlier is None and not self.before and foreign:
            raise ReconcilerError(
                f"{path} is not empty and holds no earlier export: give another folder, nothing is overwritten."
            )

    def _listed(self) -> list[str] | None:
        """The files of the last export, or None if there was none."""
        try:
            found = json.loads((self.path / INDEX).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return [str(name) for name in found] if isinstance(found, list) else None

    def _added(self) -> list[str]:
        """The files that an export added which did not come to its end."""
        try:
            lines = (self.path / ADDED).read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            return []
        return [name for line in lines if (name := _name(line))]

    def write(self, name: str, content: bytes) -> None:
        """Write one file, all of it or nothing; one that has this content already is left alone, and so is a
        configuration, which people complete. Raises ReconcilerError if somebody else's file has the name."""
        path = self.path / name
        try:
            if path.is_file() and (name == CONFIG or path.read_bytes() == content):
                return
            self._claim(name, path)
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except OSError as error:
            raise ReconcilerError(f"{path} cannot be written: {error.strerror}.") from error

    def _claim(self, name: str, path: Path) -> None:
        """Note a new file before it is there."""
        if not path.resolve().is_relative_to(self.path.resolve()):
            raise ReconcilerError(f"{path} leads out of {self.path}: nothing is written there.")
        if name in self.before or name in (INDEX, CONFIG):
            return
        if path.exists():
            raise ReconcilerError(f"{path} is not of an earlier export: move it away, nothing is overwritten.")
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ADDED).open("a", encoding="utf-8") as file:
            file.write(json.dumps(name) + "\n")
        self.before.add(name)

    def finish(self, names: Iterable[str]) -> None:
        """Remove what the last export wrote and this one does not have, and note what this one wrote."""
        written = sorted({*names} - {CONFIG})
        for name in self.before - {*written, CONFIG}:
            path = self.path / name
            if path.parent.resolve().is_relative_to(self.path.resolve()):
                with suppress(OSError):
                    path.unlink()
                self._tidy(path.parent)
        self.write(INDEX, (json.dumps(written, indent=0, ensure_ascii=False) + "\n").encode())
        with suppress(OSError):
            (self.path / ADDED).unlink()

    def _tidy(self, folder: Path) -> None:
        """Remove folders that have become empty."""
        while folder != self.path:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent


def _name(line: str) -> str:
    """The name in a line of what was added; a line may have been cut off."""
    try:
        return str(json.loads(line))
    except ValueError:
        return ""


def _harmless(path: Path) -> bool:
    """Whether a file may be in a folder before the first export: the configuration, or a hidden one."""
    return path.name.startswith(".") or path.name == CONFIG
