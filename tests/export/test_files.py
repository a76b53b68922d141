"""What an export does with files: attachments that cannot be had, its own configuration, and earlier exports."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from exports import Exports, contents, left, run
from promises import KEY, Api, project, raw_issue, raw_shop, shop, tool
from proxy import TRUNCATED, Exchange, Fault, Proxy

import reconciler
from reconciler.errors import Answered, Denied, Unreachable
from reconciler.export.yaml_writer import dump
from reconciler.redmine import transport
from reconciler.sandbox import Running

pytestmark = pytest.mark.custom_fields("Issue attachment")

LARGE = b"0123456789abcdef" * 20_000
PLACES = {
    "a.txt": "projects/shop/issues/one/a.txt",
    "b.txt": "projects/shop/issues/one/b.txt",
    "c.txt": "projects/shop/issues/one/c.txt",
    "d.txt": "projects/shop/files/d.txt_/d.txt",
}


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    with Api(world) as api:
        yield api


@pytest.fixture
def numbers(there: Path, world: Running, api: Api) -> dict[str, str]:
    """A project with a file, an issue with two attachments and a file in a custom field; their download paths."""
    for name in PLACES:
        (there / name).write_bytes(LARGE if name == "b.txt" else name.encode())
    files = [{"file": "a.txt"}, {"file": "b.txt"}]
    one = {"subject": "One", "attachments": files, "custom_fields": {"Issue attachment": {"file": "c.txt"}}}
    tool(world).settle(shop(issues=[one], files=[{"path": "d.txt"}], enabled_modules=["issue_tracking", "files"]))
    return stored(world)


def stored(world: Running) -> dict[str, str]:
    """The download paths of all files of the server, by name."""
    with closing(sqlite3.connect(world.folder / "redmine.sqlite3")) as database:
        rows = database.execute("SELECT filename, id FROM attachments").fetchall()
    return {name: f"/attachments/download/{number}" for name, number in rows}


def exported(world: Running, folder: Path, fault: Callable[[Exchange], Fault | None], **scope: Any) -> Any:
    """An export through a proxy with this fault, and how often each file was asked for."""
    with Proxy(world.url, fault) as proxy:
        environ: Mapping[str, str] = {
            "REDMINE_URL": proxy.url,
            "REDMINE_API_KEY": world.api_key,
            "REDMINE_RETRIES": "1",
        }
        done = reconciler.export_to(folder, environ=environ, **scope)
    return done, Counter(e.path for e in proxy.exchanges if e.path.startswith("/attachments/download/"))


def test_files_of_any_size(
    there: Path, world: Running, numbers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is larger than an answer may be is exported as well, and each file is downloaded once."""
    monkeypatch.setattr(transport, "MAX_BODY", len(LARGE) - 1)
    _, asked = exported(world, there / "out", lambda e: None)
    found = contents(there / "out")
    assert {name: found[place] for name, place in PLACES.items()} == {n: (there / n).read_bytes() for n in PLACES}
    assert asked == Counter(numbers.values())
    assert left("out") == []


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, "the server denies access to the content of the file (403)"),
        (404, "the server has lost the content of the file"),
    ],
)
def test_files_that_cannot_be_had(
    there: Path, world: Running, numbers: dict[str, str], name: str, status: int, said: str
) -> None:
    """One that the server does not give is left out with the reason; nothing is downloaded a second time."""
    fault = Fault(forward=False, status=status)
    done, asked = exported(world, there / "out", lambda e: fault if e.path == numbers[name] else None)
    assert [text for _, text in done.left_out if said in text] != []
    assert PLACES[name] not in contents(there / "out")
    assert asked == Counter(numbers.values())
    assert left("out") == []


@pytest.mark.parametrize("name", PLACES)
def test_files_of_another_size(there: Path, world: Running, numbers: dict[str, str], name: str) -> None:
    """What answers with something else is asked once more; the file is left out then, and its sizes are named."""
    fault = Fault(status=200)
    done, asked = exported(world, there / "out", lambda e: fault if e.path == numbers[name] else None)
    said = f"the server sent 0 bytes, but lists the file with {(there / name).stat().st_size:,} bytes"
    assert [text for _, text in done.left_out if text.endswith(said)] != []
    assert PLACES[name] not in contents(there / "out")
    assert asked == Counter({**dict.fromkeys(numbers.values(), 1), numbers[name]: 2})


def test_a_file_of_another_size_that_comes_at_last(there: Path, world: Running, numbers: dict[str, str]) -> None:
    """The second answer is taken if it is right."""
    faults = {numbers["a.txt"]: [Fault(status=200)], numbers["b.txt"]: [TRUNCATED]}
    done, _ = exported(world, there / "out", lambda e: faults[e.path].pop() if faults.get(e.path) else None)
    found = contents(there / "out")
    assert [found[PLACES[name]] for name in ("a.txt", "b.txt")] == [b"a.txt", LARGE]
    assert [text for _, text in done.left_out if "the server" in text] == []


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault(status=401), Denied), (Fault(status=500), Answered), (TRUNCATED, Unreachable)],
)
def test_a_server_that_fails_at_a_file(
    there: Path, world: Running, numbers: dict[str, str], fault: Fault, error: type[Exception]
) -> None:
    """What may be otherwise next time ends the export, and nothing incomplete is left in the folder."""
    with pytest.raises(error):
        exported(world, there / "out", lambda e: fault if e.path == numbers["b.txt"] else None)
    assert PLACES["b.txt"] not in contents(there / "out")
    assert not (there / "out" / ".reconciler-export.tmp").exists()


def test_a_name_that_is_free_once_another_file_is_lost(there: Path, world: Running, api: Api) -> None:
    """The file that gets it is the right one, also if it had been written under another name."""
    for name in ("x.txt", "X.txt"):
        (there / name).write_bytes(name.encode())
    one = {"subject": "One", "attachments": [{"file": "x.txt"}, {"file": "X.txt"}]}
    tool(world).settle(shop(issues=[one]))
    lost = stored(world)["X.txt"]
    exported(world, there / "out", lambda e: Fault(forward=False, status=404) if e.path == lost else None)
    kept = {name: content for name, content in contents(there / "out").items() if name.endswith(".txt")}
    assert kept == {"projects/shop/issues/one/x.txt": b"x.txt"}


# -- earlier exports -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--project", "shop"), "project shop"),
        (("--project", "shop", "--with-subprojects"), "project shop with subprojects"),
        (("--kind", "issues"), "kind issue"),
        (("--sanitize",), "everything, sanitized"),
    ],
)
def test_a_narrower_export_into_the_same_folder(
    there: Path, world: Running, api: Api, options: tuple[str, ...], said: str
) -> None:
    """It is refused before anything is read or written: it would remove the rest."""
    raw_shop(api)
    run("export", "-o", "out")
    before = contents(there / "out")
    with Proxy(world.url) as proxy:
        result = run("export", "-o", "out", "--url", proxy.url, *options, code=1)
    assert (
        f"out contains an export of everything, but this one is of {said}, so files would be removed" in result.stderr
    )
    assert proxy.exchanges == []
    assert contents(there / "out") == before


def test_what_was_removed_is_said(there: Path, api: Api) -> None:
    """The summary has the number of files of the earlier export that are no more, as text and as JSON."""
    raw_shop(api)
    raw_issue(api, "one")
    raw_shop(api, "other")
    assert "Removed" not in run("export", "-o", "out").stdout
    api.delete("/projects/other")
    assert "\nRemoved: 1 file of the earlier export.\n" in run("export", "-o", "out").stdout
    assert json.loads(run("export", "-o", "out", "--format", "json").stdout)["removed"] == 0
    api.delete("/projects/shop")
    assert json.loads(run("export", "-o", "out", "--format", "json").stdout)["removed"] == 2


def test_the_folder_is_shown_without_what_a_terminal_would_obey(there: Path, api: Api) -> None:
    """Control characters in its name are escaped."""
    raw_shop(api)
    shown = run("export", "-o", "o\x1b[31mut").stdout
    assert "\x1b" not in shown
    assert re.match(r"Exported to o\S+ut: ", shown)


# -- the configuration -----------------------------------------------------------------------------------------


def config(folder: Path, key: str | None, more: str = "") -> Path:
    """A configuration with this key field."""
    folder.mkdir(exist_ok=True)
    file = folder / "reconciler.yaml"
    file.write_text((f"issue_key_field: {key}\n" if key else "") + more)
    return file


OWN = "out/reconciler.yaml"


def test_a_configuration_above_is_not_hidden(
    there: Path, api: Api, world: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one above names the key field, the export writes none, and commands in the folder know the server."""
    raw_shop(api)
    monkeypatch.delenv("REDMINE_URL")
    config(there, KEY, f"url: {world.url}\n")
    run("export", "-o", "out")
    assert not (there / OWN).exists()
    assert left("out") == []


@pytest.mark.custom_fields("Bugs only")
def test_a_configuration_is_written_where_none_says_the_same(there: Path, api: Api) -> None:
    """Without one above, or below a repository's root, manifests with keys could not be read; and it is removed when
    one above says it, or when there are no keys any more."""
    raw_shop(api)
    keyed, plain = config(there / "keyed", KEY), config(there / "plain", None)
    for _ in range(2):
        run("export", "-o", "out", "--config", str(keyed))
        assert yaml.safe_load((there / OWN).read_text()) == {"issue_key_field": KEY}
    run("export", "-o", "out", "--config", str(config(there / "other", "Bugs only")))
    assert yaml.safe_load((there / OWN).read_text()) == {"issue_key_field": "Bugs only"}
    run("export", "-o", "out", "--config", str(plain))
    assert not (there / OWN).exists()
    run("export", "-o", "out", "--config", str(keyed))
    config(there, KEY)
    run("export", "-o", "out")
    assert not (there / OWN).exists()
    (there / "out/.git").mkdir()
    run("export", "-o", "out")
    assert yaml.safe_load((there / OWN).read_text()) == {"issue_key_field": KEY}


def test_a_configuration_that_people_have_completed(there: Path, world: Running, api: Api) -> None:
    """It stays as it is; an export with another key field is refused before anything is read or written."""
    raw_shop(api)
    keyed, plain = config(there / "keyed", KEY), config(there / "plain", None)
    run("export", "-o", "out", "--config", str(keyed))
    config(there / "out", KEY, "limits: {deletes: 3}\n")
    before = contents(there / "out")
    run("export", "-o", "out", "--config", str(keyed))
    run("export", "-o", "out", "--config", str(there / OWN))
    assert (there / OWN).read_bytes() == before["reconciler.yaml"]
    now = contents(there / "out")
    with Proxy(world.url) as proxy:
        said = run("export", "-o", "out", "--url", proxy.url, "--config", str(plain), code=1).stderr
    assert f'{OWN} sets issue_key_field "{KEY}", but this export uses no issue_key_field' in said
    assert proxy.exchanges == []
    assert contents(there / "out") == now


def test_a_configuration_that_people_have_begun(there: Path, api: Api) -> None:
    """A first export leaves alone the one that is in its folder, even if an export would write just that."""
    raw_shop(api)
    own = config(there / "out", None, dump({"issue_key_field": KEY}))
    plain = config(there / "plain", None)
    said = run("export", "-o", "out", "--config", str(plain), code=1).stderr
    assert "use the same one in both, or choose another folder" in said
    run("export", "-o", "out", "--config", str(own))
    run("export", "-o", "out", "--config", str(own))
    assert own.read_text() == dump({"issue_key_field": KEY})


# -- from Python -----------------------------------------------------------------------------------------------


def test_a_text_is_one_name(world: Running, api: Api, tmp_path: Path) -> None:
    """A project and a kind need no list around them."""
    raw_shop(api)
    raw_issue(api, "one")
    assert Exports(world).write(tmp_path / "out", projects="shop", kinds="issue").counts == {"issue": 1}


def test_inside_an_event_loop(world: Running, tmp_path: Path) -> None:
    """`export_to_async` does what `export_to` does."""
    tool(world).settle({"projects": [project("shop")]})
    environ = {"REDMINE_URL": world.url, "REDMINE_API_KEY": world.api_key}

    async def both() -> list[Mapping[str, int]]:
        folders = (tmp_path / "a", tmp_path / "b")
        done = [
            await reconciler.export_to_async(f, projects="shop", kinds=["project"], environ=environ) for f in folders
        ]
        return [each.counts for each in done]

    assert asyncio.run(both()) == [{"project": 1}] * 2
    assert contents(tmp_path / "a") == contents(tmp_path / "b") != {}
