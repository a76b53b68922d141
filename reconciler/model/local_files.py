"""Files that a manifest names: `{file: PATH}`, relative to the manifest and never outside the manifests' folder; and
when two names mean the same file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reconciler.errors import ManifestError
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
