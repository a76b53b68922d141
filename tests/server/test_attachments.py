"""Attachments of issues: by name and content, against a real Redmine, with files beside the manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine import apply_to, offline, plan_of, problems_of, rows, via
from plans import live_of
from promises import setting as set_value
from proxy import Proxy

from reconciler.apply.report import Report
from reconciler.errors import RefusedError
from reconciler.plan.plan_file import check
from reconciler.plan.planner import make
from reconciler.sandbox import Running, Sandbox

MANIFEST = "projects: [{identifier: shop, name: Shop}]\nissues: [{project: shop, subject: a, attachments: [%s]}]"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The manifests' folder, with two files."""
    monkeypatch.chdir(tmp_path)
    Path("note.txt").write_text("first")
    Path("blob.bin").write_bytes(bytes(range(256)) * 40)
    return tmp_path


def attach(world: Running, *items: str) -> Report:
    """Apply an issue with these attachments."""
    return apply_to(world, MANIFEST % ", ".join(items))


def stored(world: Running) -> dict[str, tuple[int, str]]:
    """The issue's files: name → bytes, description; two of one name are an error of the test."""
    found = rows(world, "/issues/1.json?include=attachments", "issue")["attachments"]
    by_name = {f["filename"]: (f["filesize"], f.get("description") or "") for f in found}
    assert len(by_name) == len(found)
    return by_name


def failures(report: Report) -> list[str]:
    """The errors of what is not done."""
    return [error.message for result in report.results for error in result.errors]


def test_files_are_attached_with_the_issue(world: Running) -> None:
    """New files go with the POST of the issue, under the name and with the description that the manifest gives."""
    items = ("{file: note.txt, description: A note}", "{file: blob.bin, filename: 'data?.bin'}")
    with Proxy(world.url) as proxy:
        assert failures(attach(via(world, proxy), *items)) == []
        assert [e.method for e in proxy.writes] == ["POST"] * 4  # the project, two uploads, the issue
        proxy.clear()
        assert attach(via(world, proxy), *items).plan.changes == ()
        assert proxy.writes == []
    assert stored(world) == {"note.txt": (5, "A note"), "data_.bin": (10240, "")}


def test_a_changed_file_replaces_the_old_one(world: Running) -> None:
    """A file with other content is uploaded and the old one deleted; an equal one, and one of no manifest, stay."""
    attach(world, "{file: note.txt}", "{file: blob.bin}")
    attach(world, "{file: note.txt, filename: by-hand.txt}")
    Path("note.txt").write_text("other")
    with Proxy(world.url) as proxy:
        report = attach(via(world, proxy), "{file: note.txt}", "{file: blob.bin}")
        paths = [(e.method, e.path.partition("?")[0]) for e in proxy.writes]
    assert failures(report) == []
    assert [f.path for c in report.plan.changes for f in c.fields] == ["attachments.note.txt"]
    assert [method for method, _ in paths] == ["POST", "PUT", "DELETE"]
    assert sorted(stored(world)) == ["blob.bin", "by-hand.txt", "note.txt"]
    assert attach(world, "{file: note.txt}", "{file: blob.bin}").plan.changes == ()


def test_a_description_is_changed_without_an_upload(world: Running) -> None:
    """Another description of an equal file is one PUT of the attachment."""
    attach(world, "{file: note.txt, description: old}")
    with Proxy(world.url) as proxy:
        assert failures(attach(via(world, proxy), "{file: note.txt, description: new}")) == []
        assert [e.method for e in proxy.writes] == ["PUT"]
        assert "/attachments/" in proxy.writes[0].path
    assert stored(world) == {"note.txt": (5, "new")}


def test_a_file_is_removed_when_it_is_declared_absent(world: Running) -> None:
    """`state: absent` deletes the one file; a list that leaves it out does not."""
    attach(world, "{file: note.txt}", "{file: blob.bin}")
    assert attach(world).plan.changes == ()
    attach(world, "{filename: note.txt, state: absent}", "{filename: never.txt, state: absent}")
    assert sorted(stored(world)) == ["blob.bin"]
    assert attach(world, "{filename: note.txt, state: absent}").plan.changes == ()


def test_an_interrupted_replacement_is_completed(world: Running, redmine: Sandbox) -> None:
    """Two files of one name, as a killed run leaves them, become the one of the manifest."""
    attach(world, "{file: note.txt}")
    redmine.run(
        "a = Issue.first.attachments.first; "
        "Attachment.create!(container: Issue.first, author: User.find_by(login: 'admin'), "
        "file: StringIO.new('older'), filename: a.filename)"
    )
    with Proxy(world.url) as proxy:
        assert failures(attach(via(world, proxy), "{file: note.txt}")) == []
        assert [e.method for e in proxy.writes] == ["DELETE"]
    assert stored(world) == {"note.txt": (5, "")}
    assert attach(world, "{file: note.txt}").plan.changes == ()


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [("attachment_max_size", "5", "blob.bin: "), ("attachment_extensions_denied", "bin", "blob.bin: ")],
)
def test_what_redmine_does_not_take_fails_on_its_issue(world: Running, setting: str, value: str, said: str) -> None:
    """A file that is too large or of a type that is not allowed is named with Redmine's sentence; others go on."""
    set_value(world, setting, value)
    report = apply_to(world, text_two("blob.bin"))
    errors: dict[str, Any] = {
        str(r.change.address): [*map(str, r.errors)] for r in report.results if r.outcome != "done"
    }
    assert list(errors) == ["issue shop/a"]
    assert errors["issue shop/a"][0].startswith(said)


def text_two(name: str) -> str:
    """Two issues, the first with a file."""
    issues = f"[{{project: shop, subject: a, attachments: [{{file: {name}}}]}}, {{project: shop, subject: b}}]"
    return f"projects: [{{identifier: shop, name: Shop}}]\nissues: {issues}"


def test_what_is_wrong_with_a_file_is_said_before_anything_is_written(world: Running) -> None:
    """A file that is not there, or outside the manifests' folder, is a problem at its place, all of them at once."""
    found = problems_of(world, MANIFEST % "{file: never.txt}, {file: ../../etc/passwd}")
    assert len(found) == 2
    assert "there is no file never.txt" in found[0].message or "there is no file never.txt" in found[1].message
    assert all(p.location.line == 2 for p in found)


def test_only_files_of_equal_name_and_size_are_downloaded(world: Running) -> None:
    """A plan downloads no file whose size tells that it is another one."""
    attach(world, "{file: note.txt}", "{file: blob.bin}")
    Path("note.txt").write_text("a longer text")
    with Proxy(world.url) as proxy:
        plan_of(via(world, proxy), MANIFEST % "{file: note.txt}, {file: blob.bin}")
        downloads = [e.path for e in proxy.exchanges if "download" in e.path]
    held = rows(world, "/issues/1.json?include=attachments", "issue")["attachments"]
    assert downloads == [f"/attachments/download/{f['id']}" for f in held if f["filename"] == "blob.bin"]


def test_a_saved_plan_is_refused_when_a_local_file_has_changed(world: Running) -> None:
    """What a saved plan would upload is compared with what it was made from before anything is written."""
    desired = offline(MANIFEST % "{file: note.txt}, {file: blob.bin}")
    live = live_of(desired)
    plan = make(desired, live, world.url)
    Path("note.txt").write_text("changed")
    Path("blob.bin").unlink()
    with pytest.raises(RefusedError) as caught:
        check(plan, live)
    assert "needs the file note.txt, which has changed" in str(caught.value)
    assert "needs the file blob.bin, which no longer exists" in str(caught.value)
