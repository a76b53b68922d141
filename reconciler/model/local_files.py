"""Files that a manifest names: `{file: PATH}`, relative to the manifest and never outside the manifests' folder; and
when two names mean the same file."""

from __future__ import annotations

import errno
import os
import re
import tempfile
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from reconciler.errors import ManifestError, ReconcilerError
from reconciler.manifest.loader import Map
from reconciler.manifest.sources import beside, shown
from reconciler.model.address import Unresolved


def stored_name(name: str) -> str:
    """The name under which Redmine stores a file (`Attachment#sanitize_filename`, 5.0 to 7.0)."""
    # One `_` for each run of such characters, as Redmine does.
    return re.sub(r"""[/?%*:|"'<>\n\r]+""", "_", name)


def folded(path: str) -> str:
    """The same text for paths that some file system takes for one: in another case, or with composed letters."""
    return unicodedata.normalize("NFC", path).casefold()


def write_private(path: Path, text: str, what: str, replaceable: Callable[[Path], bool]) -> None:
    """Write a file that only its owner can read, completely or not at all. `what` is `a saved plan`.

    Raises ReconcilerError, also for an existing file that is not `replaceable`: nothing else is overwritten.
    """
    real = check_writable(path, what, replaceable)
    try:
        # In the same folder, because a rename cannot cross file systems. `mkstemp` makes it readable for its owner
        # only.
        handle, name = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(name).replace(real)
        # Also after Ctrl-C, no temporary file stays.
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise ReconcilerError(f"Cannot write {path}: {error.strerror}.") from error


def check_writable(path: Path, what: str, replaceable: Callable[[Path], bool]) -> Path:
    """The real path of a file to write. Raises ReconcilerError for one that must not or cannot be written."""
    try:
        return _writable(path, what, replaceable)
    except OSError as error:  # a name that is too long, a folder that nobody may enter
        raise ReconcilerError(f"Cannot write {path}: {error.strerror}.") from error


def _writable(path: Path, what: str, replaceable: Callable[[Path], bool]) -> Path:
    # Renaming onto a link would replace the link instead of the file that it leads to.
    real = Path(os.path.realpath(path))
    if real.exists() and not real.is_file():
        raise ReconcilerError(f"Cannot write {path}: not a regular file.")
    if real.exists() and not replaceable(real):
        raise ReconcilerError(f"{path} exists and is not {what}, so it was not overwritten. Choose another file.")
    if not real.parent.is_dir():
        raise ReconcilerError(f"Cannot write {path}: {os.strerror(errno.ENOENT)}.")
    return real


def is_file(value: Any) -> bool:
    """Whether a manifest's or canonical value names a file."""
    return isinstance(value, Mapping) and "file" in value


def fault(value: Mapping[str, Any]) -> Unresolved | None:
    """What is wrong with the file that a manifest's value names, if anything."""
    try:
        path_of(value)
    except Unresolved as error:
        return error
    return None


def path_of(value: Mapping[str, Any]) -> Path:
    """The file that a manifest's or a canonical value names, as seen from the current folder.

    Raises Unresolved if it is not there, or outside the manifests' folder.
    """
    path = Path(str(value["file"]))
    # A manifest's mapping knows its place, which its path is relative to; a canonical value has the resolved path.
    if isinstance(value, Map):
        try:
            path = Path(shown(str(beside(value.file, value.root, str(path)))))
        except ManifestError as error:
            raise Unresolved(f"{path}: {error.problems[0].message}", error.problems[0].hint) from error
    if not path.is_file():
        raise Unresolved(f"there is no file {path}")
    return path
