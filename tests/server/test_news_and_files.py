"""News and files on a real Redmine: contents, lost answers, interrupted runs, and what `cases/` cannot say."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from promises import Api, raw_shop, sql
from proxy import DROPPED, REFUSED, Exchange, Fault, Proxy

import reconciler
from reconciler.errors import ManifestError, RefusedError
from reconciler.sandbox import Running

MODULES = ["news", "files", "issue_tracking"]


@pytest.fixture
def api(world: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The bare API, a project, and an empty folder for manifests and files."""
    monkeypatch.chdir(tmp_path)
    with Api(world) as api:
        raw_shop(api, enabled_module_names=MODULES)
        yield api


def declare(world: Running, text: str, url: str = "") -> reconciler.Manifests:
    """A manifest of the project in a folder of its own, with what is in it."""
    Path("manifests").mkdir(exist_ok=True)
    Path("manifests/shop.yaml").write_text(f"projects: [{{identifier: shop, name: shop, {text}}}]")
    return reconciler.load("manifests", environ={"REDMINE_URL": url or world.url, "REDMINE_API_KEY": world.api_key})


def write(name: str, content: str) -> None:
    """A file in the manifests' folder."""
    Path("manifests").mkdir(exist_ok=True)
    Path("manifests", name).write_text(content)


def settle(manifests: reconciler.Manifests) -> list[str]:
    """Apply; all must be done, and nothing left. Returns the paths of what changed."""
    report = manifests.apply()
    assert [r for r in report.results if r.outcome != "done"] == []
    assert manifests.plan().changes == ()
    return [field.path for change in report.plan.changes for field in change.all_fields]


def outcomes(manifests: reconciler.Manifests) -> list[tuple[str, tuple[str, ...]]]:
    """What an apply makes of each change, with its notes."""
    return [(result.outcome, result.notes) for result in manifests.apply().results]


def problem(world: Running, text: str) -> str:
    """The one thing that planning finds wrong."""
    with pytest.raises(ManifestError) as caught:
        declare(world, text).plan()
    (found,) = caught.value.problems
    return str(found)


def methods(proxy: Proxy) -> list[str]:
    """The requests that write, without ids."""
    return [f"{e.method} {e.path.partition('?')[0].removesuffix('.json').rstrip('/0123456789')}" for e in proxy.writes]


def content(world: Running, row: dict[str, Any]) -> str:
    """What Redmine has in an attachment."""
    path = f"{world.url}/attachments/download/{row['id']}/{row['filename']}"
    return httpx.get(path, headers={"X-Redmine-API-Key": world.api_key}, trust_env=False).text


def at(number: int, fault: Fault) -> Any:
    """That fault for the n-th write."""
    return lambda exchange: fault if exchange.write == number else None


# -- news ------------------------------------------------------------------------------------------------------


def test_news_with_attachments(world: Running, api: Api) -> None:
    """News with files take one upload for each and one POST; a file that changes is replaced, a new description is
    written alone, a file that is not mentioned is left alone, and one that shall go is deleted."""
    write("a.txt", "one")
    write("b.txt", "two")
    both = "[{file: a.txt, description: first}, {file: b.txt}]"
    with Proxy(world.url) as proxy:
        declare(world, f"news: [{{title: Open, description: text, attachments: {both}}}]", proxy.url).apply()
        assert methods(proxy) == ["POST /uploads", "POST /uploads", "POST /projects/shop/news"]
    assert declare(world, f"news: [{{title: Open, attachments: {both}}}]").plan().changes == ()

    write("a.txt", "three")
    assert settle(declare(world, "news: [{title: Open, attachments: [{file: a.txt}]}]")) == ["attachments.a.txt"]
    described = "news: [{title: Open, attachments: [{file: a.txt, description: new}]}]"
    assert settle(declare(world, described)) == ["attachments.a.txt"]
    gone = "news: [{title: Open, attachments: [{filename: b.txt, state: absent}]}]"
    assert settle(declare(world, gone)) == ["attachments.b.txt"]
    (row,) = api.get("/news/1?include=attachments")["attachments"]
    assert (row["filename"], row["description"], content(world, row)) == ("a.txt", "new", "three")


@pytest.mark.parametrize("fault", [DROPPED, REFUSED])
def test_trap_30_news_answer_without_an_id(world: Running, api: Api, fault: Fault) -> None:
    """The answer to the POST of news is 204 without an id, and a second POST makes a second one. The tool looks for
    them, and makes one, whether the first POST arrived or only its answer was lost."""
    raw = {"news": {"title": "Raw", "description": "text"}}
    assert [api.send("POST", "/projects/shop/news", raw).content for _ in range(2)] == [b"", b""]
    assert len(api.get("/projects/shop/news")) == 2
    with Proxy(world.url, at(1, fault)) as proxy:
        ((outcome, notes),) = outcomes(declare(world, "news: [{title: Open, description: text}]", proxy.url))
    assert outcome == "done"
    assert bool(notes) is (fault is DROPPED)
    assert len(api.get("/projects/shop/news")) == 3


def test_news_of_the_same_title_are_a_problem(world: Running, api: Api) -> None:
    """Two live news of the title, or of the title that they had, are a problem with both ids; an id settles it."""
    for text in ("one", "two"):
        api.send("POST", "/projects/shop/news", {"news": {"title": "Open", "description": text}})
    assert "several news match: #1, #2 (set `id: 1` to choose one)" in problem(world, "news: [{title: Open}]")
    assert "several news match: #1, #2" in problem(world, "news: [{title: Shut, renamed_from: Open}]")
    assert "there is no news #9" in problem(world, "news: [{id: 9, title: Open, description: text}]")
    (change,) = declare(world, "news: [{id: 2, title: Open, description: new}]").plan().changes
    assert (change.id, [f.before for f in change.fields]) == (2, ["two"])


def test_what_news_need(world: Running, api: Api) -> None:
    """New news without a text, and news in a project without the module, are problems before anything is written."""
    assert "to create it, description must be set" in problem(world, "news: [{title: Open}]")
    off = "enabled_modules: [files], news: [{title: Open, description: text}]"
    assert "requires the module news" in problem(world, off)


def test_deleted_news_take_their_comments_along(world: Running, api: Api) -> None:
    """The plan says what is lost with news; protected ones are not deleted."""
    settle(declare(world, "news: [{title: Open, description: text}]"))
    (change,) = declare(world, "news: [{title: Open, state: absent}]").plan().changes
    assert (change.action, change.reason) == ("delete", "also deletes its comments and attachments")
    with pytest.raises(RefusedError, match="news shop/Open"):
        declare(world, "news: [{title: Open, state: absent, protect: true}]").plan()


# -- files -----------------------------------------------------------------------------------------------------


def test_a_file_is_replaced_when_its_content_changes(world: Running, api: Api) -> None:
    """The new content is uploaded, then the old file is deleted; version and description stay as they were."""
    write("a.txt", "one")
    manifests = declare(world, "versions: [{name: '1.0'}], files: [{path: a.txt, version: '1.0', description: text}]")
    settle(manifests)
    write("a.txt", "two")
    with Proxy(world.url) as proxy:
        assert settle(declare(world, "files: [{path: a.txt, version: '1.0'}]", proxy.url)) == ["path"]
        assert methods(proxy) == ["POST /uploads", "POST /projects/shop/files", "DELETE /attachments"]
    (row,) = api.get("/projects/shop/files")
    assert (row["filename"], row["description"], row["version"]["name"]) == ("a.txt", "text", "1.0")
    assert content(world, row) == "two"
    assert manifests.plan().changes == ()


def test_a_file_is_renamed_and_replaced_at_once(world: Running, api: Api) -> None:
    """A new name, content and description in one apply: one upload, and the old file is deleted."""
    write("a.txt", "one")
    settle(declare(world, "files: [{path: a.txt, description: text}]"))
    write("b.txt", "two")
    changed = settle(declare(world, "files: [{path: {file: b.txt}, renamed_from: a.txt, description: new}]"))
    assert changed == ["filename", "path", "description"]
    (row,) = api.get("/projects/shop/files")
    assert (row["filename"], row["description"], content(world, row)) == ("b.txt", "new", "two")


def test_an_empty_file(world: Running, api: Api) -> None:
    """A file without content is a file, and can get some."""
    write("a.txt", "")
    settle(declare(world, "files: [{path: a.txt}]"))
    write("a.txt", "one")
    settle(declare(world, "files: [{path: a.txt}]"))


@pytest.mark.parametrize("fault", [DROPPED, REFUSED])
def test_trap_30_files_answer_without_an_id(world: Running, api: Api, fault: Fault) -> None:
    """The answer to the POST of a file is 204 without an id. The tool looks for the file, and makes one."""
    write("a.txt", "one")
    with Proxy(world.url, at(2, fault)) as proxy:
        ((outcome, _),) = outcomes(declare(world, "files: [{path: a.txt}]", proxy.url))
    assert outcome == "done"
    assert [content(world, row) for row in api.get("/projects/shop/files")] == ["one"]


@pytest.mark.parametrize("fault", [DROPPED, REFUSED])
def test_the_answer_to_a_replacement_is_lost(world: Running, api: Api, fault: Fault) -> None:
    """The old file is only deleted when the new one is there, and there is one in the end."""
    write("a.txt", "one")
    settle(declare(world, "files: [{path: a.txt, description: text}]"))
    write("a.txt", "two")
    with Proxy(world.url, at(2, fault)) as proxy:
        ((outcome, _),) = outcomes(declare(world, "files: [{path: a.txt}]", proxy.url))
    assert outcome == "done"
    ((row),) = api.get("/projects/shop/files")
    assert (row["description"], content(world, row)) == ("text", "two")


@pytest.mark.parametrize("last", [1, 2, 3])
def test_a_replacement_that_was_interrupted_is_finished(world: Running, api: Api, last: int) -> None:
    """Whichever write the server saw last, the next apply ends with the one new file, and says what it deletes."""
    write("a.txt", "one")
    settle(declare(world, "files: [{path: a.txt}]"))
    write("a.txt", "two")

    def dead(exchange: Exchange) -> Fault | None:
        return REFUSED if len(proxy.writes) > last else None

    with Proxy(world.url, dead) as proxy:
        outcomes(declare(world, "files: [{path: a.txt}]", proxy.url))
    manifests = declare(world, "files: [{path: a.txt}]")
    reasons = [change.reason for change in manifests.plan().changes]
    assert reasons == {1: [None], 2: ["also deletes #1, earlier files of the same name"], 3: []}[last]
    settle(manifests)
    assert [content(world, row) for row in api.get("/projects/shop/files")] == ["two"]


def test_files_of_the_same_name_are_a_problem(world: Running, api: Api) -> None:
    """Two live files of one name, of which the newer is not the declared one, are a problem with both ids."""
    write("a.txt", "one")
    for text in ("one", "two"):
        token = api.send("POST", "/uploads?filename=a.txt", content=text, headers=BINARY).json()["upload"]["token"]
        assert api.send("POST", "/projects/shop/files", {"file": {"token": token}}).status_code == 204
    assert "several files match: #1, #2" in problem(world, "files: [{path: a.txt}]")
    assert "several files match: #1, #2" in problem(world, "files: [{filename: a.txt, state: absent}]")
    assert "several files match: #1, #2" in problem(world, "files: [{filename: a.txt, description: new}]")


BINARY = {"Content-Type": "application/octet-stream"}


def test_a_file_from_before_sha256(world: Running, api: Api) -> None:
    """Where Redmine only knows an MD5, the file is downloaded to be compared, if it has the same size."""
    write("a.txt", "one")
    manifests = declare(world, "files: [{path: a.txt}]")
    settle(manifests)
    sql(world, f"UPDATE attachments SET digest = '{hashlib.md5(b'one').hexdigest()}'")
    assert manifests.plan().changes == ()
    assert settle(declare(world, "files: [{path: a.txt, description: new}]")) == ["description"]
    write("a.txt", "two")
    assert settle(manifests) == ["path"]


def test_a_file_in_a_closed_project(world: Running, api: Api) -> None:
    """A closed project is opened for a new file, and closed again."""
    write("a.txt", "one")
    settle(declare(world, "status: closed"))
    settle(declare(world, "status: closed, files: [{path: a.txt}]"))
    assert api.get("/projects/shop")["status"] == 5


def test_a_refused_file_fails_by_itself(world: Running, api: Api) -> None:
    """A file that the server does not allow fails with the server's sentence, and the others are there."""
    sql(world, "DELETE FROM settings WHERE name = 'attachment_extensions_denied'")
    sql(world, "INSERT INTO settings (name, value) VALUES ('attachment_extensions_denied', 'exe')")
    write("a.txt", "one")
    write("a.exe", "one")
    results = declare(world, "files: [{path: a.txt}, {path: a.exe}]").apply().results
    said = {result.change.address.key: (result.outcome, tuple(map(str, result.errors))) for result in results}
    assert said["shop/a.txt"] == ("done", ())
    assert said["shop/a.exe"][0] == "failed"
    assert "exe is not allowed" in said["shop/a.exe"][1][0]
    assert [row["filename"] for row in api.get("/projects/shop/files")] == ["a.txt"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("files: [{path: gone.txt}]", "path: there is no file"),
        ("files: [{path: ../outside.txt}]", "is outside the manifests' folder"),
        ("files: [{filename: a.txt}]", "to create it, path must be set"),
        ("files: [{path: a.txt, version: '9'}]", 'there is no version "9"'),
        ("enabled_modules: [news], files: [{path: a.txt}]", "requires the module files"),
    ],
)
def test_what_files_need(world: Running, api: Api, text: str, said: str) -> None:
    """What is not there, here or on the server, is a problem before anything is written."""
    write("a.txt", "one")
    assert said in problem(world, text)


def test_a_version_of_another_project(world: Running, api: Api) -> None:
    """A file belongs to expected a version of the same project, even where another one's is shared."""
    write("a.txt", "one")
    write("more.yaml", "projects: [{identifier: hq, name: HQ, versions: [{name: '1.0', sharing: system}]}]")
    assert "expected a version of the same project" in problem(world, "files: [{path: a.txt, version: '1.0'}]")
