"""`--report [FORMAT=]FILE`: reports that are there whatever ends the run, in each format."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from canned import Canned
from commands import KEY, MANY, SHOP, SITUATIONS, fake, on_a_terminal, prepare, run, server, start, wait_for, written
from fake import Fake
from samples import at, change, new, plan_of
from stub import Stub

from reconciler.cli.documents import Document, from_root
from reconciler.cli.options import State
from reconciler.cli.reports import Reports, Target
from reconciler.errors import one_line
from reconciler.model.address import Address
from reconciler.plan.operations import Create
from schemas import conform

__all__ = ["fake", "server"]

LEFT_NOTHING = {"failed": 0, "skipped": 0, "unknown": 0, "left": 0}


def report(name: str = "report.json") -> dict[str, Any]:
    """The file as data."""
    data: dict[str, Any] = json.loads(Path(name).read_text(encoding="utf-8"))
    return data


def cases(name: str) -> list[tuple[str, str]]:
    """(name, outcome) of each test case of a JUnit file."""
    suite = ElementTree.parse(name).getroot()[0]
    return [(case.attrib["name"], case[0].tag if len(case) else "passed") for case in suite]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_report_of_every_end(situation: str, fake: Fake, server: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever an apply ends with, the file has the results, or the problems and errors that were there instead."""
    extra = prepare(situation, fake, monkeypatch)
    _, code, ends = SITUATIONS[situation]
    for name in ("report.json", "report.xml"):
        fake.projects.pop("shop", None) if situation != "nothing to do" else None
        assert run("apply", "--yes", "--report", name, *extra).exit_code == code
        assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600
    conform(report(), "results" if ends == "done" else "problems")
    outcomes = {0: "passed", 4: "failure"}
    expected = [] if situation == "nothing to do" else [outcomes.get(code, "failure")]
    assert [outcome for _, outcome in cases("report.xml")] == expected


def test_a_run_that_loses_its_account(fake: Fake, server: Stub) -> None:
    """When the key is revoked, the run ends: one change has failed, the others are left, not tried one by one."""
    fake.fault = "revoke"
    result = run("apply", "--yes", "--concurrency", "1", "--report", "report.json", manifest=MANY)
    assert result.exit_code == 4
    assert report()["summary"] == {"done": 3, "failed": 1, "skipped": 0, "unknown": 0, "left": 4}
    assert report()["ended"] == "The run ended early, because the server no longer accepts the credentials."
    assert "Not started: 4" in result.stdout
    assert result.stdout.endswith("Applied: 3 done, 1 failed, 0 skipped, 0 unknown, 4 not started.\n")
    assert len(written(server)) == 4


@pytest.mark.slow
@pytest.mark.parametrize(("number", "ended"), [(signal.SIGINT, "The run was interrupted."), (signal.SIGKILL, None)])
def test_a_run_that_is_stopped(number: int, ended: str | None, fake: Fake, server: Stub) -> None:
    """The file says what is left; that of a process that was killed, that the run has not ended."""
    fake.pause = 0.3
    Path("a.yaml").write_text(MANY)
    args = ["apply", "--yes", "--concurrency", "1", "--report", "report.json"]
    process = start(args, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    wait_for(process.stderr, "Applying 8 changes")
    time.sleep(0.45)
    process.send_signal(number)
    process.communicate(timeout=20)
    assert report()["ended"] == (ended or "The run has not ended.")
    summary = report()["summary"]
    assert isinstance(summary, dict)
    assert summary["left"] >= 5


@pytest.mark.slow
def test_a_plan_that_is_not_confirmed(fake: Fake, server: Stub) -> None:
    """Everything is left."""
    Path("a.yaml").write_text(SHOP)
    on_a_terminal(["apply", "--report", "report.json"], "[y/N] ", "n\n")
    assert report()["ended"] == "The plan was not confirmed."
    assert report()["summary"] == {"done": 0, "failed": 0, "skipped": 0, "unknown": 0, "left": 1}


def test_deletions_beyond_the_limit(fake: Fake, server: Stub) -> None:
    """What is refused before anything is written is in the file as the reason why all is left."""
    fake.projects["shop"] = {"id": 1, "status": 1, "identifier": "shop", "name": "Shop"}
    manifest = "projects: [{identifier: shop, state: absent}]"
    files = ["--report", "report.json", "--report", "report.md", "--report", "report.xml"]
    result = run("apply", "--yes", "--max-deletes", "0", *files, "--format", "github", manifest=manifest)
    assert result.exit_code == 5
    assert report()["summary"] == {"done": 0, "failed": 0, "skipped": 0, "unknown": 0, "left": 1}
    assert "more than --max-deletes 0" in str(report()["ended"])
    assert result.stdout.startswith("::error::The plan deletes 1 object, more than --max-deletes 0")
    # It would be refused again.
    assert "Run the same command again" not in Path("report.md").read_text()
    suite = ElementTree.parse("report.xml").getroot()
    assert (suite.get("errors"), suite.get("skipped")) == ("1", "1"), "not shown as a run in which all was well"


@pytest.mark.parametrize("variable", ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"])
def test_places_are_those_of_the_repository(
    variable: str, server: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job may run in a folder of it: annotations and code quality are about files from its root, above and below."""
    monkeypatch.setenv(variable, str(tmp_path))
    (tmp_path / "b.yaml").write_text("usres: []\n")
    (tmp_path / "redmine").mkdir()
    monkeypatch.chdir(tmp_path / "redmine")
    args = ("validate", "a.yaml", "../b.yaml", "--format", "github", "--report", "gitlab-codequality=q.json")
    result = run(*args, manifest="projcts: []\n")
    assert re.findall("file=([^,]*),", result.stdout) == ["b.yaml", "redmine/a.yaml"]
    found = json.loads(Path("q.json").read_text())
    assert [issue["location"]["path"] for issue in found] == ["b.yaml", "redmine/a.yaml"]


def test_a_file_outside_of_the_repository_keeps_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no other; and without a repository, paths are those of the messages."""
    monkeypatch.delenv("CI_PROJECT_DIR", raising=False)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path / "checkout"))
    assert (from_root("/etc/a.yaml"), from_root(""), from_root("a.yaml")) == ("/etc/a.yaml", "", "a.yaml")
    monkeypatch.delenv("GITHUB_WORKSPACE")
    assert from_root("a.yaml") == "a.yaml"


def test_a_reason_of_several_lines_is_one_sentence() -> None:
    """Where there is one line only: in a report, and in an annotation."""
    assert (
        one_line("Out of date:\n  issue a changed\n  issue b changed")
        == "Out of date: issue a changed; issue b changed"
    )
    assert one_line("Plain.") == "Plain."


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mine.json", '{"a": 1}'),
        ("tf.json", '{"format_version": "1.2", "terraform_version": "1.9.0", "planned_values": {}}'),
        ("empty.json", "{}"),
        ("counts.json", '{"update": 1}'),
        ("log.json", '{"format_version": "1.2", "url": "x", "results": []}'),
        ("mine.md", "# Notes\n"),
        ("mine.html", "<!doctype html>\n<p>x"),
        ("mine.xml", "<testsuites/>"),
    ],
)
def test_only_a_report_is_overwritten(name: str, content: str, fake: Fake, server: Stub) -> None:
    """A file of something else stays, and nothing is asked of the server."""
    Path(name).write_text(content)
    for command in (["apply", "--yes"], ["plan"], ["validate"], ["check"]):
        result = run(*command, "--report", name, manifest=SHOP)
        assert (result.exit_code, server.seen) == (1, [])
        assert f"{name} exists and is not a report, so it was not overwritten" in result.stderr
    assert Path(name).read_text() == content


def test_a_saved_plan_is_no_report(fake: Fake, server: Stub) -> None:
    """Neither is overwritten by the other, although both begin alike."""
    result = run("plan", "--out", "saved.plan", "--report", "json=report.plan", manifest=SHOP)
    assert result.exit_code == 0, result.stderr
    before = [Path(name).read_text() for name in ("saved.plan", "report.plan")]
    assert "saved.plan exists and is not a report" in run("plan", "--report", "json=saved.plan").stderr
    assert "report.plan exists and is not a saved plan" in run("plan", "--out", "report.plan").stderr
    Path("mine.plan").write_text('{"saved": true}')
    assert "mine.plan exists and is not a saved plan" in run("plan", "--out", "mine.plan").stderr
    assert [Path(name).read_text() for name in ("saved.plan", "report.plan")] == before


NAMES = {
    "json": "r.json",
    "junit": "r.xml",
    "markdown": "r.md",
    "html": "r.html",
    "gitlab-codequality": "gl-code-quality-report.json",
    "gitlab-terraform": "tfplan.json",
}
"""The formats, each with the name of a file."""
EARLIER = {
    "json": '{"format_version": "1.4", "problems": []}',
    "junit": '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="reconciler" tests="0" />',
    "markdown": "### No problems.\n<!-- reconciler -->",
    "html": "<!doctype html>\n<!-- reconciler -->",
    "gitlab-codequality": "[]",
    "gitlab-terraform": '{"create": 0, "update": 0, "delete": 0}',
}
"""The beginnings of reports of an earlier run."""
REPORTS = [word for form, name in NAMES.items() for word in ("--report", f"{form}={name}")]


def check_file(form: str, command: str, ends: str, changes: bool) -> None:
    """What a file of a format must have, when a command `ends` so."""
    text = Path(NAMES[form]).read_text(encoding="utf-8")
    planned = ends == "done" and command in ("plan", "apply")
    if form == "json":
        name = {"plan": "plan", "apply": "results"}[command] if planned else "problems"
        conform(json.loads(text), name)
        assert planned or bool(json.loads(text)["problems"]) == (ends != "done")
    elif form == "junit":
        outcomes = [outcome for _, outcome in cases(NAMES[form])]
        assert ends == "done" or outcomes == ["failure"]
        assert ends != "done" or command == "apply" or outcomes == ["passed"]
    elif form == "markdown":
        title = (
            {"plan": "Plan: ", "apply": "Applied: "}[command]
            if planned
            else "No problems"
            if ends == "done"
            else "1 problem"
        )
        assert text.startswith(f"### {title}")
        assert text.splitlines()[1] == "<!-- reconciler -->"
    elif form == "html":
        assert text.startswith("<!doctype html>\n<!-- reconciler -->\n")
        title = {"plan": "Plan: ", "apply": "Applied: "}.get(command, "")
        assert (f"<h1>{title}" in text) == planned if title else "<h1>" in text
    elif form == "gitlab-codequality":
        assert ends == "done" or [issue["severity"] for issue in json.loads(text)] == ["major"]
    else:
        counts = {"create": int(changes), "update": 0, "delete": 0}
        assert json.loads(text) == counts if planned else "create" not in json.loads(text)


@pytest.mark.parametrize(
    ("command", "situation"),
    # Patterns are for plan and apply only.
    [
        (c, s)
        for c in ("validate", "plan", "check", "apply")
        for s in SITUATIONS
        if "pattern" not in s or c in ("plan", "apply")
    ],
)
def test_every_format_of_every_end(
    situation: str, command: str, fake: Fake, server: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run writes all formats, each with what the exit code stands for, and replaces those of an earlier run."""
    extra = prepare(situation, fake, monkeypatch)
    plan_code, code, ends = SITUATIONS[situation]
    if command in ("plan", "check"):
        code = plan_code
    if command == "validate":
        code, ends = (code, ends) if situation in ("invalid", "no manifest", "faulty configuration") else (0, "done")
    if command == "check" and situation == "no manifest":
        code, ends = 0, "done"
    yes = ["--yes"] if command == "apply" else []
    changes = situation != "nothing to do"
    for form, name in NAMES.items():
        Path(name).write_text(EARLIER[form])
    assert run(command, *yes, *extra, *REPORTS).exit_code == code
    for form, name in NAMES.items():
        assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600
        check_file(form, command, ends, changes)


@pytest.mark.parametrize("command", ["validate", "plan"])
def test_reports_beside_the_manifests(command: str, server: Stub) -> None:
    """The next run takes none of them for a manifest, and says nothing about them."""
    first = run(command, *REPORTS, manifest="projects: [{identifier: shop, name: '${NONE}'}]")
    second = run(command, *REPORTS)
    assert (first.exit_code, second.stdout, second.stderr) == (3, first.stdout, first.stderr)
    good = run(command, *REPORTS, manifest=SHOP)
    assert good.exit_code == 0
    assert "Not manifests" not in run(command).stderr


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("a.txt", "name the format, such as markdown=FILE"),
        ("a", "name the format"),
        ("jnuit=a.xml", "name the format"),
        ("markdown=", "the name of the file is missing"),
        ("html=a.json", ""),
        ("./a=b.json", ""),
    ],
)
def test_the_format_of_a_report(value: str, said: str, server: Stub) -> None:
    """It is named, or told by the ending; anything else is a usage error."""
    result = run("validate", "--report", value, manifest=SHOP)
    assert result.exit_code == (1 if said else 0)
    assert said in result.stderr


def test_a_file_for_two_reports(server: Stub) -> None:
    """Each report has a file of its own."""
    result = run("validate", "--report", "a.json", "--report", "html=./a.json", manifest=SHOP)
    assert result.exit_code == 1
    assert "the same file twice" in result.stderr


@pytest.mark.parametrize("path", ["none/a.json", ".", "/dev/null", "a" * 300, "b" * 300 + "/a.json"])
def test_a_report_that_cannot_be_written(path: str, server: Stub) -> None:
    """That is said before the server is asked."""
    result = run("plan", "--report", f"json={path}", manifest=SHOP)
    assert (result.exit_code, server.seen) == (1, [])
    assert "Cannot write" in result.stderr


def test_a_report_that_cannot_be_written_any_more(server: Stub, fake: Fake) -> None:
    """The other files are written, and the result stays on stdout."""
    fake.fault = ""
    Path("sub").mkdir()

    def remove(*_: object) -> None:
        Path("sub").rmdir() if Path("sub").exists() else None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reconciler.cli.output.plan", lambda *args: remove() or "the plan")
        result = run("plan", "--report", "sub/a.json", "--report", "b.json", manifest=SHOP)
    assert result.exit_code == 1
    assert result.stdout == "the plan\n"
    assert "Cannot write sub/a.json" in result.stderr
    assert json.loads(Path("b.json").read_text())["summary"]["create"] == 1


@pytest.fixture
def sub(canned: Canned) -> Path:
    """A folder for a report, which is gone when the first request writes."""
    folder = Path("sub")
    folder.mkdir()

    def before(method: str, path: str) -> None:
        if method == "POST" and folder.exists():
            shutil.rmtree(folder)

    canned.before = before
    return folder


def test_an_apply_goes_on_without_its_report(sub: Path, canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that cannot be written while the run goes on stops nothing; that it is not there is said once."""
    monkeypatch.setattr("reconciler.cli.run_report.PAUSE", 0)
    result = run("apply", "--yes", "--report", f"{sub}/a.json", "--report", "b.json", manifest=MANY)
    assert (result.exit_code, report("b.json")["summary"]) == (1, {**LEFT_NOTHING, "done": 8})
    assert result.stdout.endswith("Applied: 8 done, 0 failed, 0 skipped, 0 unknown.\n")
    assert result.stderr.count("Cannot write sub/a.json") == 1


def test_a_report_that_is_back_in_time(sub: Path, canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written while the run went on is written at its end."""
    monkeypatch.setattr("reconciler.apply.run.say_what_is_left", lambda applier: sub.mkdir())
    result = run("apply", "--yes", "--report", f"{sub}/a.json", manifest=MANY)
    assert (result.exit_code, report(f"{sub}/a.json")["summary"]) == (0, {**LEFT_NOTHING, "done": 8})
    assert "Cannot write" not in result.stderr


def test_failed_changes_without_a_report(sub: Path, canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is still that of the apply."""
    refused = 422, b'{"errors": ["no"]}'
    monkeypatch.setattr(canned, "_write", lambda *given: refused)
    result = run("apply", "--yes", "--report", f"{sub}/a.json", manifest=MANY)
    assert result.exit_code == 4
    assert result.stderr.count("Cannot write sub/a.json") == 1


def test_a_report_that_cannot_be_written_before_the_first_change(
    sub: Path, canned: Canned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then nothing is changed, and that is said once."""
    monkeypatch.setattr("reconciler.cli.steps.within_limits", lambda *given: shutil.rmtree(sub))
    result = run("apply", "--yes", "--report", f"{sub}/a.json", manifest=MANY)
    assert (result.exit_code, [method for method, _ in canned.seen if method != "GET"]) == (1, [])
    assert result.stderr.count("Cannot write sub/a.json") == 1


@pytest.mark.parametrize("command", ["validate", "check"])
def test_problems_without_a_report(command: str, sub: Path, canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found is printed although the report cannot be written, with the exit code that stands for it."""
    writable = Reports.write
    monkeypatch.setattr(Reports, "write", lambda *given: shutil.rmtree(sub) or writable(*given))
    args = [command, "--format", "json", "--report", f"{sub}/a.json"]
    result = run(*args, manifest="projects: [{identifiers: shop}]")
    assert (result.exit_code, len(json.loads(result.stdout)["problems"])) == (3, 2)
    assert result.stderr.count("Cannot write sub/a.json") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["validate", "plan", "check", "apply"])
def test_a_signal_leaves_a_report(command: str, number: int, canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM, which ends a job that was cancelled, is as Ctrl-C: the report says so, and the exit code is 130."""

    def end(*given: object) -> None:
        os.kill(os.getpid(), number)

    canned.before = end
    monkeypatch.setattr("reconciler.state.overlays.read", end) if command == "validate" else None
    result = run(command, "--report", "report.json", manifest=SHOP)
    assert result.exit_code == 130, result.output
    assert [problem["message"] for problem in report()["problems"]] == ["The run was interrupted."]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize("command", ["validate", "plan", "apply"])
def test_a_signal_leaves_a_document(command: str, canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --format json, stdout has one document after Ctrl-C, too."""

    def end(*given: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    canned.before = end
    monkeypatch.setattr("reconciler.state.overlays.read", end) if command == "validate" else None
    result = run(command, "--format", "json", manifest=SHOP)
    assert result.exit_code == 130
    assert [problem["message"] for problem in json.loads(result.stdout)["problems"]] == ["The run was interrupted."]
    assert result.stderr.endswith("Interrupted.\n")


def test_sigterm_after_the_changes(canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends an apply as Ctrl-C does until the end, also when what is done meanwhile has handled it otherwise."""
    monkeypatch.setattr("reconciler.cli.apply.exit_code", lambda done: os.kill(os.getpid(), signal.SIGTERM) or 0)
    result = run("apply", "--yes", "--report", "report.json", manifest=MANY)
    assert (result.exit_code, report()["summary"]) == (130, {**LEFT_NOTHING, "done": 8})


# -- the summary of a step ---------------------------------------------------------------------------------------


@pytest.fixture
def summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the step, to which another program has written."""
    path = tmp_path / "summary"
    path.write_text("# Tests\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    return path


def test_the_summary_of_a_step_is_appended_to(summary: Path, server: Stub, fake: Fake) -> None:
    """What is there stays; each run adds its own report, once, however often it writes it."""
    mode = summary.stat().st_mode
    args = ["--report", f"markdown={summary}"]
    assert run("plan", *args, manifest=SHOP).exit_code == 0
    assert run("apply", "--yes", *args).exit_code == 0
    text = summary.read_text()
    assert re.findall("^#+ .*", text, re.M) == [
        "# Tests",
        "### Plan: 1 to create, 0 to change, 0 to delete, 0 unchanged.",
        "### Applied: 1 done, 0 failed, 0 skipped, 0 unknown.",
    ]
    assert summary.stat().st_mode == mode


def test_problems_in_the_summary_of_a_step(summary: Path, server: Stub) -> None:
    """They are there too."""
    assert run("plan", "--report", f"markdown={summary}", manifest="projects: [{}]").exit_code == 3
    assert "### 1 problem." in summary.read_text()


def test_a_summary_has_room_for_no_more(summary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """GitHub shows nothing of a file with more than 1 MiB: less is written, or nothing."""
    made = [change(Create, Address("issue", f"p/{n}"), None, at(n), new(subject="ä" * 200)) for n in range(6000)]
    summary.write_text("x" * 300_000)
    add_to(summary, Document(plan=plan_of(*made)))
    assert 700_000 < summary.stat().st_size < 1 << 20
    assert "+ issue p/5999" in summary.read_text()
    summary.write_text("x" * ((1 << 20) - 1000))
    add_to(summary, Document(plan=plan_of(*made)))
    assert "has no room for the report" in capsys.readouterr().err
    assert summary.stat().st_size == (1 << 20) - 1000


def add_to(summary: Path, document: Document) -> None:
    """Report a document at the end of a command."""
    with Reports((Target("markdown", summary),), State()) as written:
        written.document = document


# -- long texts ------------------------------------------------------------------------------------------------


LONG = "projects: [{identifier: shop, name: Shop, description: '%s'}]"


def test_long_texts_in_json(server: Stub) -> None:
    """They are cut to a form that programs can tell, in JSON and reports; --full gives all; a saved plan has all."""
    text = "word " * 14_000
    cut = run("plan", "--format", "json", "--report", "r.json", manifest=LONG % text)
    for data in (json.loads(cut.stdout), report("r.json")):
        conform(data, "plan")
        (field,) = [f for f in data["changes"][0]["fields"] if f["path"] == "description"]  # type: ignore[index]
        assert field["after"]["$text"] == text[:200]
        assert field["after"]["length"] == len(text)
        assert len(field["after"]["sha256"]) == 64
    full = run("plan", "--format", "json", "--full", "--report", "r.json", "--out", "r.plan")
    for data in (json.loads(full.stdout), report("r.json"), report("r.plan")):
        assert text in [f["after"] for f in data["changes"][0]["fields"]]  # type: ignore[index]
    applied = run("apply", "--yes", "--plan", "r.plan", "--format", "json")
    assert applied.exit_code == 0, applied.output
    assert len(applied.stdout) < 5_000


def test_a_secret_in_a_long_text(server: Stub) -> None:
    """No part of it is left where a text is cut."""
    for form, place in (("json", 195), ("markdown", 295), ("github", 795)):
        text = "x" * (place - 1) + " " + KEY + "\n" + "y" * 70_000
        shown = run("plan", "--format", form, manifest=(LONG % text).replace("\n", " ")).stdout
        assert "canary" not in shown, form


def test_full_is_about_json(server: Stub) -> None:
    """Without JSON it would do nothing, which is a usage error."""
    result = run("plan", "--full", manifest=SHOP)
    assert result.exit_code == 1
    assert "--full is about JSON" in result.stderr
