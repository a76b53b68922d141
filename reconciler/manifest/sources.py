"""Finds and reads manifest files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NoReturn, TextIO

from msgspec.structs import replace

from reconciler.errors import ConfigError, Location, ManifestError, Problem
from reconciler.manifest.excerpt import BREAKS, json_as_yaml, suggest
from reconciler.manifest.rules import ALL, Rules
from reconciler.natural import natural
from reconciler.record import Record

STDIN = "<stdin>"
CONFIG = "reconciler.yaml"
SUFFIXES = (".yaml", ".yml", ".json")


class File(Record):
    """A manifest file: its display name, its path ("" for standard input), the real folder that `!file` may read.

    `found` is true if it was found in a folder, false if it was named.
    """

    name: str
    path: str
    root: str
    found: bool = False

    def text(self, max_bytes: int, stdin: TextIO | BinaryIO | None) -> str:
        """The text of the file. Raises ManifestError if it cannot be read or is not UTF-8.

        Raises ConfigError for standard input that cannot be read.
        """
        if self.path:
            return read_text(Path(self.path), max_bytes)
        # One more shows that the limit is exceeded.
        return _decode(_read(stdin or sys.stdin, max_bytes + 1), self.name, max_bytes)

    def is_json(self, text: str) -> bool:
        """Whether it is JSON: by its suffix; standard input, by its first character."""
        return self.name.endswith(".json") or (not self.path and text.lstrip()[:1] in ("{", "["))

    def yaml(self, text: str) -> str:
        """The text in a form that libyaml accepts."""
        return json_as_yaml(text) if self.is_json(text) else text


def _read(stream: TextIO | BinaryIO | None, size: int) -> bytes:
    """The beginning of standard input. Raises ConfigError, also if the program was started without one."""
    try:
        if stream is None:
            raise OSError
        # Bytes where there are any, so that the encoding of the locale does not matter.
        data: str | bytes = getattr(stream, "buffer", stream).read(size)
    except OSError as error:
        raise ConfigError(f"Cannot read standard input: {error.strerror or 'it is closed'}.") from error
    return data.encode() if isinstance(data, str) else data


def find(paths: Sequence[str | Path], problems: list[Problem], rules: Rules = ALL) -> list[File]:
    """The manifest files at `paths`, each once; adds a Problem for each path without any. `rules` are for folders."""
    # By real path: a file that is given twice is read once, or all its objects would be duplicates.
    files: dict[str, File] = {}
    roots = [os.path.realpath(path) for path in paths]
    for path in map(str, paths):
        if path == "-":
            files.setdefault(path, File(STDIN, "", str(Path.cwd())))
        elif Path(path).is_dir():
            names = sorted(_manifests(path, roots, problems, rules), key=lambda found: natural(str(found)))
            if not names:
                message = "no manifests in this folder"
                problems.append(Problem(Location(shown(path)), message, hint=f"expected {', '.join(SUFFIXES)} files"))
            for name in names:
                _add(files, str(name), os.path.realpath(path), found=True)
        else:
            _add(files, path, os.path.realpath(Path(path).parent))
    return list(files.values())


def _add(files: dict[str, File], path: str, root: str, *, found: bool = False) -> None:
    """Add a file. If the same file is given twice (by path and by folder), the wider root counts."""
    real = os.path.realpath(path)
    named = real in files and not files[real].found
    if real not in files or root in map(str, Path(files[real].root).parents):
        files[real] = File(shown(path), path, root, found and not named)
    elif not found and not named:
        files[real] = replace(files[real], found=False)


def shown(path: str) -> str:
    """A path for messages: relative to the current folder, if it is below it."""
    absolute, here = Path(path).absolute(), Path.cwd()
    return os.path.normpath(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)


def _manifests(top: str, roots: Sequence[str], problems: list[Problem], rules: Rules) -> Iterator[Path]:
    """The manifests below a folder. Links are followed; each real folder is visited once, so loops end.

    Adds a Problem for each link that leads out of all `roots`, the real paths that the user named: manifests may come
    from people who must not read other files of the machine.
    """

    def unreadable(error: OSError) -> None:
        problems.append(Problem(Location(shown(error.filename)), f"cannot read the folder: {error.strerror}"))

    seen: set[str] = set()
    for folder, folders, names in os.walk(top, followlinks=True, onerror=unreadable):
        real = os.path.realpath(folder)
        if real in seen:  # a link back up would never end
            folders.clear()
            continue
        seen.add(real)
        # In place: `os.walk` goes on with what is left in this list.
        entered = sorted((name for name in folders if rules.enters(Path(folder, name), top)), key=natural)
        folders[:] = [name for name in entered if _stays(Path(folder, name), roots, problems)]
        for name in names:
            path = Path(folder, name)
            wanted = name.endswith(SUFFIXES) and not name.startswith(".") and name != CONFIG
            # A broken link counts, so that reading it is reported; sockets and devices do not.
            if wanted and (path.is_file() or path.is_symlink()) and rules.reads(path, top):
                yield from [path] if _stays(path, roots, problems) else ()


def _stays(path: Path, roots: Sequence[str], problems: list[Problem]) -> bool:
    """Whether a path is, with links resolved, below one of `roots`; adds a Problem if not."""
    if not path.is_symlink():  # nothing else leads out of a folder
        return True
    real = os.path.realpath(path)
    if any(Path(real).is_relative_to(root) for root in roots):
        return True
    message = f"the link leads out of the manifests' folder, to {shown(real)}"
    problems.append(Problem(Location(shown(str(path))), message, hint="name that file or folder as a path of its own"))
    return False


def read_text(path: Path, max_bytes: int) -> str:
    """The text of a UTF-8 file. Raises ManifestError with a place in that file."""
    name = shown(str(path))
    try:
        with path.open("rb") as handle:
            # The size first, so that a huge file is not read; and no more than that, as it may grow or be a device.
            size = os.fstat(handle.fileno()).st_size
            data = handle.read(max_bytes + 1) if size <= max_bytes else b""
    except FileNotFoundError:
        siblings = path.parent.iterdir() if path.parent.is_dir() else ()
        _fail(Location(name), "no such file or folder", suggest(path.name, (s.name for s in siblings)))
    except OSError as error:
        _fail(Location(name), f"cannot read the file: {error.strerror}")
    return _decode(data, name, max_bytes, size)


def _decode(data: bytes, name: str, max_bytes: int, size: int = 0) -> str:
    if max(size, len(data)) > max_bytes:
        actual = f"the file has {size:,} bytes" if size else "the input is too large"
        _fail(Location(name), f"{actual}; the limit is {max_bytes:,} bytes", "split it into several files")
    # A byte order mark, or the zero byte that an ASCII character has in UTF-16 and UTF-32.
    # Before decoding: UTF-16 with ASCII text is often valid UTF-8, with zeros in it.
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:2]:
        _fail(Location(name), "the file is UTF-16 or UTF-32, not UTF-8", "save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        lines = BREAKS.split(error.object[: error.start].decode())
        message = f"the file is not UTF-8: byte 0x{error.object[error.start]:02x}"
        _fail(Location(name, len(lines), len(lines[-1]) + 1), message, "save it as UTF-8")


def beside(file: str, root: str, name: str) -> Path:
    """The regular file that a path in a manifest refers to, with symbolic links resolved.

    Raises ManifestError for a path outside `root`, the manifests' folder, also by a link: manifests may come from
    people who must not read other files of the machine that runs `apply`.
    """
    relative = f"write a path relative to {Path(file).name or 'the current folder'}"
    if not name or "\0" in name:
        _fail(Location(file), "the file name is missing", relative)
    real = Path(os.path.realpath(Path(file).parent / name))  # links count: where they lead must be below `root` too
    # After the links are resolved: `..` and a link can both lead out.
    if Path(name).is_absolute() or not real.is_relative_to(root):
        above = not Path(name).is_absolute()
        hint = f"move the file below {shown(root)}" if above else relative
        _fail(Location(file), "the path is outside the manifests' folder", hint)
    if real.exists() and not real.is_file():
        _fail(Location(file), "not a regular file")
    return real


def _fail(location: Location, message: str, hint: str = "") -> NoReturn:
    raise ManifestError([Problem(location, message, hint=hint)])


def find_config(paths: Sequence[str | Path]) -> Path | None:
    """The `reconciler.yaml` for manifests: in their folder or above, up to the root of the repository (`.git`).

    Raises ConfigError if the paths belong to different ones.
    """
    # abspath, not resolve: a linked folder belongs to the place that the user named.
    starts = [Path.cwd() if str(p) == "-" else Path(os.path.abspath(p)) for p in paths or (".",)]  # noqa: PTH100
    # A set: several folders below one configuration are fine.
    configs = {_search_upward(p if p.is_dir() else p.parent) for p in starts} - {None}
    if len(configs) > 1:
        several = ", ".join(sorted(shown(str(p)) for p in configs))
        raise ConfigError(f"The manifests belong to several configurations ({several}): choose one with --config.")
    return next(iter(configs), None)


def _search_upward(folder: Path) -> Path | None:
    for candidate in (folder, *folder.parents):
        if (candidate / CONFIG).is_file():
            return candidate / CONFIG
        if (candidate / ".git").exists():
            break  # what is above the repository belongs to something else
    return None


def has_content(path: Path) -> bool:
    """Whether a file has more than comments and blank lines. An unreadable file counts, so that reading it fails."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return True
    return any(line.strip() not in (b"", b"---") and not line.lstrip().startswith(b"#") for line in lines)
