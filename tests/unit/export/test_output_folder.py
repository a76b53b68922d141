"""The folder of an export: nothing is half written, nothing of anybody else's is touched, nothing goes in silence."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from exports import contents

from reconciler.errors import ReconcilerError
from reconciler.export.inventory import Scope
from reconciler.export.output_folder import EVERYTHING, Extent, Folder
from reconciler.manifest import sources
from reconciler.model.codecs import digest

SCRATCH = ".reconciler-export.tmp"


def written(path: Path, files: dict[str, bytes], extent: Extent = EVERYTHING) -> int:
    """An export of these files; how many of an earlier one it removed."""
    folder = Folder(path, extent)
    for name, content in files.items():
        folder.write(name, content)
    return folder.finish(files)


def shown(path: Path) -> dict[str, bytes]:
    """What is in a folder, without the index."""
    return {name: content for name, content in contents(path).items() if name != ".reconciler-export"}


# -- names -----------------------------------------------------------------------------------------------------


@pytest.fixture
def caseless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder below which upper and lower case are the same, as on macOS and Windows."""
    top = f"{tmp_path}/"

    def folding(call: Callable[..., object]) -> Callable[..., object]:
        def folded(*args: object, **more: object) -> object:
            return call(*(top + str(a)[len(top) :].lower() if str(a).startswith(top) else a for a in args), **more)

        return folded

    for name in ("stat", "lstat", "open", "unlink", "remove", "replace", "rename", "mkdir", "rmdir"):
        monkeypatch.setattr(os, name, folding(getattr(os, name)))
    monkeypatch.setattr("io.open", folding(open))
    return tmp_path / "out"


@pytest.mark.parametrize("content", [b"same", b"another"])
def test_another_case_of_a_name_where_case_does_not_count(caseless: Path, content: bytes) -> None:
    """A file whose name changes its case alone is there after each further export, with what is in it now."""
    written(caseless, {"a/Wiki.txt": b"same", "b.txt": b"b"})
    for _ in range(2):
        assert written(caseless, {"a/wiki.txt": content, "b.txt": b"b"}) == 0
        assert (caseless / "a/wiki.txt").read_bytes() == content


def test_another_case_of_a_name_where_case_counts(tmp_path: Path) -> None:
    """The file of the old name is another one, and goes."""
    written(tmp_path / "out", {"Wiki.txt": b"a"})
    assert written(tmp_path / "out", {"wiki.txt": b"a"}) == 1
    assert shown(tmp_path / "out") == {"wiki.txt": b"a"}


def test_somebody_elses_file_of_another_case(tmp_path: Path) -> None:
    """It is not taken for one of an earlier export, although that has one whose name differs in case alone."""
    written(tmp_path / "out", {"Wiki.txt": b"a"})
    (tmp_path / "out/wiki.txt").write_text("mine")
    with pytest.raises(ReconcilerError, match=r"wiki\.txt is not part of an earlier export"):
        written(tmp_path / "out", {"wiki.txt": b"a"})
    assert (tmp_path / "out/wiki.txt").read_text() == "mine"


def test_names_that_the_system_cannot_have(tmp_path: Path) -> None:
    """In a locale without letters beyond ASCII a sentence says how to go on, before anything is written."""
    code = (
        "import sys; from pathlib import Path; from reconciler.export.output_folder import Folder\n"
        "try: Folder(Path(sys.argv[1])).check(['a.txt', '\\xfcber.txt'])\n"
        "except Exception as error: print(type(error).__name__, ascii(str(error)))\n"
    )
    environ = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    args = [sys.executable, "-c", code, str(tmp_path)]
    said = subprocess.run(args, env=environ, capture_output=True, text=True, check=True).stdout
    assert said.startswith("ReconcilerError 'Cannot create the file \\xfcber.txt: ")
    assert "Set LC_ALL=C.UTF-8 and export again" in said


# -- what is there already -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (Scope(), Scope(frozenset({"shop"})), "of everything, but this one is of project shop,"),
        (
            Scope(frozenset({"a", "b"}), True),
            Scope(),
            "of project a, b with subprojects, but this one is of everything,",
        ),
        (
            Scope(frozenset({"a"}), True),
            Scope(frozenset({"a"})),
            "of project a with subprojects, but this one is of project a,",
        ),
        (Scope(), Scope(frozenset(), False, frozenset({"issue"})), "of everything, but this one is of kind issue,"),
    ],
)
def test_an_export_of_something_else(tmp_path: Path, first: Scope, second: Scope, said: str) -> None:
    """It would remove what it is not of: both are named, nothing is changed; the same scope again is taken."""
    written(tmp_path / "out", {"a.yaml": b"a"}, Extent.of(first, sanitized=False))
    before = contents(tmp_path / "out")
    with pytest.raises(ReconcilerError, match=f"out contains an export {said} so .* or another folder"):
        Folder(tmp_path / "out", Extent.of(second, sanitized=False))
    assert contents(tmp_path / "out") == before
    Folder(tmp_path / "out", Extent.of(first, sanitized=False))


def test_an_export_without_personal_data_is_something_else(tmp_path: Path) -> None:
    """Neither takes the place of the other."""
    written(tmp_path / "out", {"a.yaml": b"a"}, Extent.of(Scope(), sanitized=True))
    with pytest.raises(ReconcilerError, match="of everything, sanitized, but this one is of everything,"):
        Folder(tmp_path / "out")


def test_subprojects_of_all_projects_are_all_projects() -> None:
    """An option that says nothing makes no other export."""
    assert Extent.of(Scope(frozenset(), True), sanitized=False) == EVERYTHING


@pytest.mark.parametrize(
    "text", ["[]", "{", "[" * 200_000, '{"files": []}', '{"scope": [], "files": []}', '{"scope": {}, "files": 1}']
)
def test_a_damaged_index(tmp_path: Path, text: str) -> None:
    """It says nothing of any export, so what is in the folder is somebody else's."""
    written(tmp_path / "out", {"a.yaml": b"a"})
    (tmp_path / "out/.reconciler-export").write_text(text)
    with pytest.raises(ReconcilerError, match="is not empty and contains no earlier export"):
        Folder(tmp_path / "out")


def test_what_was_edited_is_known(tmp_path: Path) -> None:
    """A text that is no longer as the last export wrote it is named when it is replaced or removed; one that was edited
    to what the server has by now is not, nor one that another tool rewrote alike."""
    written(tmp_path / "out", {"a.yaml": b"a", "b.yaml": b"b", "c.yaml": b"c", "d.yaml": b"d"})
    for name, text in {"a.yaml": "mine", "b.yaml": "new", "c.yaml": "mine", "d.yaml": "d"}.items():
        (tmp_path / "out" / name).write_text(text)
    folder = Folder(tmp_path / "out")
    for name, content in {"a.yaml": b"new", "b.yaml": b"new", "d.yaml": b"new"}.items():
        folder.write(name, content)
    folder.finish(["a.yaml", "b.yaml", "d.yaml"])
    assert folder.edited == {"a.yaml", "c.yaml"}
    assert not Folder(tmp_path / "out").edited


def test_how_many_files_were_removed(tmp_path: Path) -> None:
    """Those of the earlier export are counted; not what this one wrote and took back, nor what was gone already."""
    written(tmp_path / "out", {"a.yaml": b"a", "b.yaml": b"b", "c.yaml": b"c"})
    (tmp_path / "out/c.yaml").unlink()
    folder = Folder(tmp_path / "out")
    folder.write("d.yaml", b"d")
    assert folder.finish(["a.yaml"]) == 1
    assert shown(tmp_path / "out") == {"a.yaml": b"a"}


@pytest.mark.parametrize("name", [".reconciler-export", ".reconciler-export.new", SCRATCH])
def test_a_link_in_the_place_of_the_folders_own_files(tmp_path: Path, name: str) -> None:
    """It would lead out of the folder: it is refused, and what it leads to stays as it is."""
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(tmp_path / "mine")
    with pytest.raises(ReconcilerError, match="is a symbolic link; remove it"):
        Folder(tmp_path / "out")
    assert (tmp_path / "mine").read_text() == "mine"


# -- what is in the way ----------------------------------------------------------------------------------------


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    """A file where the folder or one above it would be is a sentence."""
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(ReconcilerError, match="file is not a folder; choose another path"):
            Folder(path)


def test_links_that_lead_to_themselves(tmp_path: Path) -> None:
    """In the place of the folder, and in it, they are a sentence and no internal error."""
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ReconcilerError, match="loop is not a folder"):
        Folder(tmp_path / "loop")
    written(tmp_path / "out", {"a.yaml": b"a", "projects/a.yaml": b"a"})
    (tmp_path / "out/projects/a.yaml").unlink()
    (tmp_path / "out/projects").rmdir()
    (tmp_path / "out/projects").symlink_to(tmp_path / "out/projects")
    with pytest.raises(ReconcilerError, match=r"projects/a\.yaml cannot be written: "):
        written(tmp_path / "out", {"a.yaml": b"a", "projects/a.yaml": b"a"})
    assert written(tmp_path / "out", {"a.yaml": b"a"}) == 0


@contextmanager
def nobody() -> Iterator[None]:
    """Without the rights of root, whom nothing is forbidden."""
    if os.getuid() == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(os.getuid())


@pytest.mark.parametrize("mode", [0o000, 0o111])
def test_a_folder_that_cannot_be_read(mode: int) -> None:
    """A folder that one may not list, or not enter, is a sentence."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / ".reconciler-export.new").write_text("")
        (place / ".reconciler-export.new").chmod(0)
        place.chmod(mode)
        with nobody(), pytest.raises(ReconcilerError, match="cannot be read: Permission denied"):
            Folder(place)
        place.chmod(0o700)


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    """It is a sentence, and leaves nothing behind."""
    written(tmp_path / "out", {"a.yaml": b"a"})
    (tmp_path / "out/a.yaml").unlink()
    (tmp_path / "out/a.yaml").mkdir()
    with pytest.raises(ReconcilerError, match=r"a\.yaml cannot be written: Is a directory"):
        written(tmp_path / "out", {"a.yaml": b"b"})
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [".reconciler-export", "a.yaml"]


# -- files that are not complete -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            OSError(28, "No space left on device"),
            (ReconcilerError, r"a\.txt cannot be written: No space left on device\."),
        ),
        (KeyboardInterrupt("stopped"), (KeyboardInterrupt, "stopped")),
        (ReconcilerError("The server is gone."), (ReconcilerError, "The server is gone")),
    ],
)
def test_a_file_that_breaks_off(
    tmp_path: Path, error: BaseException, expected: tuple[type[BaseException], str]
) -> None:
    """Whatever happens, what is there keeps its content, and nothing is left of the new one."""
    written(tmp_path / "out", {"a.txt": b"old"})
    before = contents(tmp_path / "out")
    with pytest.raises(expected[0], match=expected[1]), Folder(tmp_path / "out").writing("a.txt") as file:
        file.write(b"half")
        raise error
    assert contents(tmp_path / "out") == before
    assert not (tmp_path / "out" / SCRATCH).exists()


def test_what_a_killed_export_left_is_swept(tmp_path: Path) -> None:
    """The next export removes files that were not complete, and finds no manifests in them meanwhile."""
    folder = Folder(tmp_path / "out")
    code = (
        "import os, sys; from pathlib import Path; from reconciler.export.output_folder import Folder\n"
        "with Folder(Path(sys.argv[1])).writing('projects/a.yaml') as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(folder.path)]).returncode == -9
    assert list(contents(folder.path).values()) == [b"half"]
    assert sources.find([folder.path], []) == []
    written(folder.path, {"projects/b.yaml": b"b"})
    assert shown(folder.path) == {"projects/b.yaml": b"b"}


def test_a_large_file_that_is_as_it_was_is_left_alone(tmp_path: Path) -> None:
    """What comes in pieces is compared with what is there; of the same length it is another one all the same."""
    content = b"x" * 200_000
    written(tmp_path / "out", {"a.bin": content})
    before = (tmp_path / "out/a.bin").stat().st_mtime_ns
    for new in (content, content[:-1] + b"y", content[:-1]):
        with Folder(tmp_path / "out").writing("a.bin") as file:
            file.write(new)
        assert (tmp_path / "out/a.bin").read_bytes() == new
        assert ((tmp_path / "out/a.bin").stat().st_mtime_ns == before) == (new == content)


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_the_rights_of_files(tmp_path: Path, mask: int) -> None:
    """They are what the umask leaves."""
    old = os.umask(mask)
    try:
        written(tmp_path / "out", {"a/b.yaml": b"a"})
    finally:
        os.umask(old)
    rights = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "out").rglob("*")}
    assert rights == {".reconciler-export": 0o666 & ~mask, "a": 0o777 & ~mask, "b.yaml": 0o666 & ~mask}


def test_the_index(tmp_path: Path) -> None:
    """It says what the export was of, and what it wrote, in one order."""
    written(tmp_path / "out", {"b.yaml": b"b", "a.yaml": b"a"}, Extent.of(Scope(frozenset({"shop"})), sanitized=True))
    assert json.loads((tmp_path / "out/.reconciler-export").read_text()) == {
        "scope": {"projects": ["shop"], "subprojects": False, "kinds": [], "sanitized": True},
        "files": ["a.yaml", "b.yaml"],
        "digests": {"a.yaml": digest(b"a"), "b.yaml": digest(b"b")},
    }
