"""The text of manifest files: found, read within bounds, and as libyaml takes it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn, TextIO

from reconciler.errors import ConfigError, Location, ManifestError, Problem
from reconciler.manifest.excerpt import BREAKS, json_as_yaml, suggest

STDIN = "<stdin>"
CONFIG = "reconciler.yaml"
SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class File:
    """A manifest file: the name it is shown by, its path ("" for the standard input), the real folder it may read."""

    name: str
    path: str
    root: str

    def text(self, max_bytes: int, stdin: TextIO | BinaryIO | None) -> str:
        """What the file says; raises ManifestError when it cannot be read or is not text in UTF-8."""
        if self.path:
            return read_text(Path(self.path), max_bytes)
        stream = stdin or sys.stdin
        data = getattr(stream, "buffer", stream).read(max_bytes + 1)
        return _decode(data.encode() if isinstance(data, str) else data, self.name, max_bytes)

    def is_json(self, text: str) -> bool:
        """Whether it is JSON: by its suffix; from the standard input, by how it begins."""
        return self.name.endswith(".json") or (not self.path and text.lstrip()[:1] in ("{", "["))

    def yaml(self, text: str) -> str:
        """The text as libyaml takes it."""
        return json_as_yaml(text) if self.is_json(text) else text


def find(paths: Sequence[str | Path], problems: list[Problem]) -> list[File]:
    """The manifest files that paths name, each once; adds a Problem for each path that leads to none."""
    files: dict[str, File] = {}
    for path in map(str, paths):
        if path == "-":
            files.setdefault(path, File(STDIN, "", str(Path.cwd())))
        elif Path(path).is_dir():
            found = sorted(_manifests(path, problems))
            if not found:
                message = "there is no manifest in this folder"
                problems.append(Problem(Location(shown(path)), message, hint=f"it looks for {', '.join(SUFFIXES)}"))
            for name in found:
                _add(files, str(name), os.path.realpath(path))
        else:
            _add(files, path, os.path.realpath(Path(path).parent))
    return list(files.values())


def _add(files: dict[str, File], path: str, root: str) -> None:
    """Take a file; of two ways to the same file the one with the wider root counts."""
    real = os.path.realpath(path)
    if real not in files or root in map(str, Path(files[real].root).parents):
        files[real] = File(shown(path), path, root)


def shown(path: str) -> str:
    absolute, here = Path(path).absolute(), Path.cwd()
    return os.path.normpath(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)


def _manifests(top: str, problems: list[Problem]) -> Iterator[Path]:
    """The manifests below a folder. Links to folders are followed, each real folder once."""

    def unreadable(error: OSError) -> None:
        problems.append(Problem(Location(shown(error.filename)), f"the folder cannot be read: {error.strerror}"))

    seen: set[str] = set()
    for folder, folders, names in os.walk(top, followlinks=True, onerror=unreadable):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(folder, name)
            wanted = name.endswith(SUFFIXES) and not name.startswith(".") and name != CONFIG
            if wanted and (path.is_file() or path.is_symlink()):
                yield path


def read_text(path: Path, max_bytes: int) -> str:
    """The text of a file in UTF-8; raises ManifestError with a place in that file."""
    name = shown(str(path))
    try:
        with path.open("rb") as handle:
            size = os.fstat(handle.fileno()).st_size
            data = handle.read(max_bytes + 1) if size <= max_bytes else b""
    except FileNotFoundError:
        siblings = path.parent.iterdir() if path.parent.is_dir() else ()
        _refuse(Location(name), "there is no such file or folder", suggest(path.name, (s.name for s in siblings)))
    except OSError as error:
        _refuse(Location(name), f"the file cannot be read: {error.strerror}")
    return _decode(data, name, max_bytes, size)


def _decode(data: bytes, name: str, max_bytes: int, size: int = 0) -> str:
    if max(size, len(data)) > max_bytes:
        found = f"the file has {size:,} bytes" if size else "there are too many bytes"
        _refuse(Location(name), f"{found}; the limit is {max_bytes:,}", "split it into several files")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:2]:
        _refuse(Location(name), "the text is in UTF-16 or UTF-32, not UTF-8", "save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        lines = BREAKS.split(error.object[: error.start].decode())
        message = f"the text is not UTF-8: byte 0x{error.object[error.start]:02x}"
        _refuse(Location(name, len(lines), len(lines[-1]) + 1), message, "save it as UTF-8")


def beside(file: str, root: str, name: str) -> Path:
    """The regular file that a path in a manifest names, with links resolved.

    Raises ManifestError for a path that leads out of `root`, the manifests' folder, or to no regular file.
    """
    if not name or "\0" in name:
        _refuse(Location(file), "no file is named", "write a path relative to this manifest")
    real = Path(os.path.realpath(Path(file).parent / name))
    if Path(name).is_absolute() or not real.is_relative_to(root):
        above = not Path(name).is_absolute()
        hint = f"move the file below {shown(root)}" if above else "write a path relative to this manifest"
        _refuse(Location(file), "the path leads out of the manifests' folder", hint)
    if real.exists() and not real.is_file():
        _refuse(Location(file), "it is not a regular file")
    return real


def _refuse(location: Location, message: str, hint: str = "") -> NoReturn:
    raise ManifestError([Problem(location, message, hint=hint)])


def find_config(paths: Sequence[str | Path]) -> Path | None:
    """The `reconciler.yaml` for manifests: in their folder or above, up to the repository's root (with `.git`).

    Raises ConfigError when there are several.
    """
    starts = [Path.cwd() if str(p) == "-" else Path(os.path.abspath(p)) for p in paths or (".",)]  # noqa: PTH100
    found = {_above(p if p.is_dir() else p.parent) for p in starts} - {None}
    if len(found) > 1:
        several = ", ".join(sorted(shown(str(p)) for p in found))
        raise ConfigError(f"The manifests belong to several configurations ({several}): say which one with --config.")
    return next(iter(found), None)


def _above(folder: Path) -> Path | None:
    for candidate in (folder, *folder.parents):
        if (candidate / CONFIG).is_file():
            return candidate / CONFIG
        if (candidate / ".git").exists():
            break
    return None


def says_something(path: Path) -> bool:
    """Whether a file has more in it than comments; one that cannot be read might."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return True
    return any(line.strip() not in (b"", b"---") and not line.lstrip().startswith(b"#") for line in lines)
