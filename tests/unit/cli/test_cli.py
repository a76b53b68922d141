"""The command line: exit codes, what goes to stdout and what to stderr, in every format, whatever fails."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from commands import (
    MANY,
    PASSWORD,
    SHOP,
    SITUATIONS,
    fake,
    on_a_terminal,
    prepare,
    run,
    server,
    start,
    wait_for,
    written,
)
from fake import Fake
from stub import Stub

from reconciler.cli import COMMANDS, main
from reconciler.reference.json_schema import SCHEMAS
from schemas import conform

__all__ = ["fake", "server"]

# -- the table: format × what happens × exit code ---------------------------------------------------------------

FORMATS = ("text", "json", "markdown", "html", "github")


def check_output(result: Result, command: str, form: str, ends: str) -> None:
    """What must be on stdout and stderr for a format, when the command `ends` so."""
    if form == "json":
        data = json.loads(result.stdout)
        schema = ("plan" if command == "plan" else "results") if ends == "done" else "problems"
        conform(data, schema)
    elif ends == "done":
        plain = "(Plan|Applied): .*"
        said = {"text": plain, "github": plain, "markdown": f"### {plain}", "html": "<!doctype html>"}[form]
        lines = result.stdout.strip().splitlines()
        assert re.fullmatch(said, lines[-1] if form in ("text", "github") else lines[0])
    elif ends == "problems" and form != "text":
        assert "a.yaml" in result.stdout or "no manifests" in result.stdout
    elif ends != "done" and form == "github":
        assert re.fullmatch("::error::.+", result.stdout.strip())
    elif ends != "done":
        assert result.stdout == ""
    assert ends == "done" or "Error: " in result.stderr or "1 problem." in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_plan(situation: str, form: str, fake: Fake, server: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan ends as the table says, in every format, and writes nothing."""
    extra = prepare(situation, fake, monkeypatch)
    code, _, ends = SITUATIONS[situation]
    result = run("plan", "--format", form, *extra)
    assert result.exit_code == code, result.output
    check_output(result, "plan", form, ends)
    changes = ends == "done" and situation != "nothing to do"
    assert run("plan", "--detailed-exitcode", "--format", form, *extra).exit_code == (2 if changes else code)
    assert written(server) == []


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_apply(situation: str, form: str, fake: Fake, server: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Apply ends as the table says, in every format, and creates just what the plan has."""
    extra = prepare(situation, fake, monkeypatch)
    _, code, ends = SITUATIONS[situation]
    result = run("apply", "--yes", "--format", form, *extra)
    assert result.exit_code == code, result.output
    check_output(result, "apply", form, ends)
    changes = ends == "done" and situation != "nothing to do"
    created = [request for request in written(server) if request[0] == "POST"]
    assert created == ([("POST", "/projects.json?include=enabled_modules%2Ctrackers")] if changes else [])
    if form == "json" and code == 4:
        assert json.loads(result.stdout)["summary"]["failed"] == 1


@pytest.mark.parametrize("form", ["text", "json", "github"])
@pytest.mark.parametrize(("text", "code"), [(SHOP, 0), ("projects: [{identifier: shop, nmae: x}]", 3)])
def test_validate(text: str, code: int, form: str, server: Stub) -> None:
    """The problems are the result: on stdout in every format, and without a request."""
    result = run("validate", "--format", form, manifest=text)
    assert (result.exit_code, server.seen) == (code, [])
    assert result.stderr == ""
    assert ("nmae" in result.stdout) == (code == 3)
    if form == "json":
        conform(json.loads(result.stdout), "problems")


def test_validate_says_what_is_valid(server: Stub) -> None:
    """Without problems it counts, so that an empty run is not taken for a good one."""
    assert run("validate", manifest=SHOP).stdout == "Valid: 1 object in 1 file.\n"


def test_validate_reports_an_unset_variable_once(server: Stub) -> None:
    """What the models say about a value that is reported already is noise."""
    result = run("validate", "--format", "json", manifest="projects: [{identifier: '${NOT_SET}', name: x}]")
    assert [p["message"] for p in json.loads(result.stdout)["problems"]] == [
        "the environment variable NOT_SET is not set"
    ]


def test_manifests_from_standard_input(server: Stub) -> None:
    """`-` is a manifest too; problems are shown with its lines."""
    assert "Plan: 1 to create" in run("plan", "-", input=SHOP).stdout
    result = run("plan", "-", input="projects: [{identifier: shop, nmae: x}]")
    assert (result.exit_code, "nmae: x}]" in result.stderr) == (3, True)


# -- apply ------------------------------------------------------------------------------------------------------


def test_apply_without_a_terminal_needs_yes(server: Stub) -> None:
    """Nobody can be asked, so nothing is done; where nothing is to do, nobody need be asked."""
    result = run("apply", manifest=SHOP)
    assert (result.exit_code, written(server), result.stdout) == (1, [], "")
    assert result.stderr.splitlines()[-1] == (
        f"Error: Confirmation needed for 1 change at {server.url}, but there is no terminal; no changes were made: "
        "review `reconciler plan`, then run the same command with --yes."
    )
    assert run("apply", "--yes").exit_code == 0
    assert run("apply").exit_code == 0


def test_an_internal_error_is_one_line_and_the_report_is_kept(
    server: Stub, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug after a write does not lose what is known of it; --debug shows where it is."""

    async def broken(*args: object) -> None:
        raise ZeroDivisionError(PASSWORD)

    monkeypatch.setattr("reconciler.apply.run.verify", broken)
    result = run("apply", "--yes", "--format", "json", manifest=SHOP)
    assert result.exit_code == 1
    assert json.loads(result.stdout)["summary"]["done"] == 1
    assert "Internal error: ZeroDivisionError" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_server_that_goes_away_before_it_is_read_back(
    server: Stub, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written and could not be read back is unknown, not done."""
    from reconciler.errors import Unreachable

    async def gone(*args: object) -> None:
        raise Unreachable("the server is gone")

    monkeypatch.setattr("reconciler.apply.run.verify", gone)
    result = run("apply", "--yes", "--format", "json", manifest=SHOP)
    assert result.exit_code == 4
    (found,) = json.loads(result.stdout)["results"]
    assert found["outcome"] == "unknown"
    assert "reading it back failed: the server is gone" in found["errors"][0]


def test_debug_shows_where_an_error_comes_from(server: Stub) -> None:
    """--debug prints a traceback, before or after the command's name."""
    for args in (["--debug", "plan", "--target", "x"], ["plan", "--debug", "--target", "x"]):
        result = run(*args, manifest=SHOP)
        assert (result.exit_code, "Traceback" in result.stderr) == (1, True)


def test_requests_are_shown_and_counted_with_verbose(server: Stub) -> None:
    """-v prints one line for each request and their number, on stderr."""
    result = run("-v", "plan", "--format", "json", manifest=SHOP)
    assert "GET /users/current.json 200" in result.stderr
    assert f"{len(server.seen)} requests." in result.stderr
    assert json.loads(result.stdout)["requests"] == len(server.seen)


def test_options_of_all_commands_go_before_and_after_the_name(server: Stub, fake: Fake) -> None:
    """`reconciler --config F plan` is `reconciler plan --config F`."""
    Path("other.yaml").write_text("ulr: x", encoding="utf-8")
    Path("m").mkdir()
    Path("m/a.yaml").write_text(SHOP, encoding="utf-8")
    for args in (["--config", "other.yaml", "plan", "m"], ["plan", "m", "--config", "other.yaml"]):
        assert "other.yaml:1:1" in run(*args).stderr


# -- a saved plan -----------------------------------------------------------------------------------------------


def test_a_saved_plan_is_applied(server: Stub, fake: Fake) -> None:
    """What was planned is done, even if the manifests are gone; the file is for its owner only."""
    result = run("plan", "--out", "saved.plan", manifest=SHOP)
    assert "reconciler apply --plan saved.plan" in result.stderr
    assert Path("saved.plan").stat().st_mode & 0o777 == 0o600
    Path("a.yaml").unlink()
    assert run("apply", "--plan", "saved.plan", "--yes").exit_code == 0
    assert fake.projects["shop"]["name"] == "Shop"


def test_a_saved_plan_can_be_read_as_a_plan(server: Stub) -> None:
    """The file has everything that --format json prints."""
    shown = run("plan", "--out", "saved.plan", "--format", "json", manifest=SHOP)
    saved = json.loads(Path("saved.plan").read_text())
    conform(saved, "plan")
    assert json.loads(shown.stdout)["digest"] == saved["digest"]


@pytest.mark.parametrize("form", FORMATS)
def test_a_stale_plan_is_refused(form: str, server: Stub, fake: Fake) -> None:
    """An object that changed meanwhile is named, and nothing is done."""
    fake.projects["shop"] = {"id": 1, "status": 1, "identifier": "shop", "name": "Old"}
    run("plan", "--out", "saved.plan", manifest=SHOP)
    fake.projects["shop"]["name"] = "Foreign"
    result = run("apply", "--plan", "saved.plan", "--yes", "--format", form)
    assert (result.exit_code, written(server)) == (5, [])
    assert "project shop changed: name" in result.stderr
    check_output(result, "apply", form, "error")


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (None, "project shop no longer exists"),
        ({"id": 2, "name": "Old"}, "project shop is a different object now (#2, was #1)"),
        ({"id": 1, "name": "Shop"}, "project shop changed: name"),
    ],
)
def test_how_a_plan_can_be_stale(now: dict[str, Any] | None, said: str, server: Stub, fake: Fake) -> None:
    """Gone, replaced, or already done by somebody else."""
    fake.projects["shop"] = {"id": 1, "status": 1, "identifier": "shop", "name": "Old"}
    run("plan", "--out", "saved.plan", manifest=SHOP)
    fake.projects = {"shop": {**fake.projects["shop"], **now}} if now else {}
    result = run("apply", "--plan", "saved.plan", "--yes")
    assert (result.exit_code, said in result.stderr) == (5, True)


def test_a_plan_to_create_what_exists_by_now_is_refused(server: Stub, fake: Fake) -> None:
    """A create is never done twice."""
    run("plan", "--out", "saved.plan", manifest=SHOP)
    assert run("apply", "--plan", "saved.plan", "--yes").exit_code == 0
    result = run("apply", "--plan", "saved.plan", "--yes")
    assert (result.exit_code, "project shop was created after the plan was made (#1)" in result.stderr) == (5, True)


def test_a_plan_for_another_server_is_refused(server: Stub, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is part of what was agreed on; the other server is not even asked."""
    run("plan", "--out", "saved.plan", manifest=SHOP)
    with Stub(fake.answer) as other:
        monkeypatch.setenv("REDMINE_URL", other.url)
        result = run("apply", "--plan", "saved.plan", "--yes")
        assert (result.exit_code, other.seen) == (5, [])
    assert f"made for {server.url}, not for {other.url}" in result.stderr


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        ('"Shop"', '"Shap"', 5, "was modified after it was saved"),
        ('"action": "create"', '"action": "delete"', 5, "was modified after it was saved"),
        ('"saved": "2.1"', '"saved": "1.1"', 5, "was saved by another version"),
        ('"seal"', '"sael"', 1, "is not a saved plan"),
        ("}\n", "", 1, "is not valid JSON"),
    ],
)
def test_a_file_that_was_not_saved_so(old: str, new: str, code: int, said: str, server: Stub) -> None:
    """A plan that was edited, or cut off, or is none, is not applied."""
    run("plan", "--out", "saved.plan", manifest=SHOP)
    text = Path("saved.plan").read_text()
    assert old in text
    Path("saved.plan").write_text(text.replace(old, new))
    result = run("apply", "--plan", "saved.plan", "--yes")
    assert (result.exit_code, said in result.stderr) == (code, True)
    assert written(server) == []


def test_a_plan_file_that_is_not_there(server: Stub) -> None:
    """The sentence names the file."""
    result = run("apply", "--plan", "none.json", "--yes")
    assert (result.exit_code, "Cannot read the plan none.json: No such file" in result.stderr) == (1, True)


def test_a_plan_is_not_saved_where_it_would_be_read_as_a_manifest(server: Stub) -> None:
    """The next `plan` in this folder would trip over it."""
    Path("m").mkdir()
    for path, args in (("plan.json", []), ("m/plan.yaml", ["m"])):
        result = run("plan", "--out", path, *args, manifest=SHOP)
        assert (result.exit_code, "The next run would read" in result.stderr) == (1, True)
    assert run("plan", "--out", "m/plan.json", "a.yaml").exit_code == 0


def test_the_names_of_manifests_are_those_that_are_looked_for() -> None:
    """The command line knows them without importing the loader."""
    from reconciler.cli.plan import MANIFESTS
    from reconciler.manifest.sources import SUFFIXES

    assert MANIFESTS == SUFFIXES


@pytest.mark.parametrize("path", ["folder", "/dev/null", "missing/saved.plan"])
def test_a_plan_is_saved_as_a_regular_file_or_not_at_all(path: str, server: Stub) -> None:
    """The plan is still shown: one document, in JSON too."""
    Path("folder").mkdir()
    result = run("plan", "--out", path, "--format", "json", manifest=SHOP)
    assert (result.exit_code, json.loads(result.stdout)["summary"]["create"]) == (1, 1)
    assert f"Cannot write {path}" in result.stderr
    assert sorted(p.name for p in Path().iterdir()) == ["a.yaml", "folder"]


@pytest.mark.parametrize("extra", [["a.yaml"], ["--target", "project/*"], ["--exclude", "project/*"]])
def test_a_saved_plan_goes_without_manifests_and_patterns(extra: list[str], server: Stub) -> None:
    """What would be ignored is refused."""
    result = run("apply", "--plan", "saved.plan", *extra)
    assert (result.exit_code, "--plan cannot be combined with PATH" in result.stderr) == (1, True)


# -- colours, help and usage ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "args", "colored"),
    [
        ({}, [], False),
        ({"FORCE_COLOR": "1"}, [], True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, [], False),
        ({"FORCE_COLOR": "1"}, ["--no-color"], False),
        ({"FORCE_COLOR": ""}, [], False),
    ],
)
def test_colours(environ: dict[str, str], args: list[str], colored: bool, server: Stub) -> None:
    """No colours into a file or pipe, unless FORCE_COLOR asks for them; NO_COLOR and --no-color win."""
    assert ("\x1b[" in run("plan", *args, manifest=SHOP, env=environ).stdout) == colored


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["pln"], 'did you mean "plan"?'),
        (["frobnicate"], "No such command"),
        (["plan", "--frmat", "json"], "--frmat"),
        (["plan", "--format", "yaml"], "yaml"),
        (["--concurrency", "0", "plan"], "0 is not in the range"),
        (["new"], "Missing argument"),
        (["explain", "projct"], 'Did you mean "project"?'),
        (["explain", "project.nmae"], 'Did you mean "name"?'),
    ],
)
def test_wrong_usage_ends_with_1(args: list[str], said: str, server: Stub) -> None:
    """2 means that a plan has changes, so nothing else may end with it."""
    result = run(*args)
    assert (result.exit_code, said in result.stderr, result.stdout) == (1, True, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    """`--help` works for every command in the table."""
    result = CliRunner().invoke(main, [command, "--help"])
    assert (result.exit_code, f"Usage: reconciler {command}" in result.stdout) == (0, True)


@pytest.mark.slow
def test_help_imports_nothing_heavy() -> None:
    """`reconciler --help` lists all commands without the libraries that they need."""
    code = (
        "import sys\nfrom reconciler.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'httpx', 'pydantic', 'yaml', 'rich', 'asyncio'} & sys.modules.keys()))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "[]"
    assert all(command in shown for command in COMMANDS)


UNUSED_BY_A_PLAN = {
    *("deepdiff", "rich", "pygments", "reconciler.apply.executor", "reconciler.apply.verify"),
    *("reconciler.export", "reconciler.sandbox", "reconciler.reference", "reconciler.plan.plan_file"),
}
"""What takes long to import, or has nothing to do with a plan."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Shop", "Another"])
def test_a_plan_imports_nothing_that_it_does_not_need(server: Stub, fake: Fake, name: str) -> None:
    """A plan without changes, or with a plain one, starts fast: it imports no library that others need."""
    fake.projects["shop"] = {"id": 1, "identifier": "shop", "name": name, "status": 1}
    Path("a.yaml").write_text(SHOP)
    code = (
        "import sys\nfrom reconciler.cli import main\n"
        "try: main(['plan', '--detailed-exitcode'])\nexcept SystemExit as end: print(end.code)\n"
        f"print(sorted({UNUSED_BY_A_PLAN!r} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["0" if name == "Shop" else "2", "[]"]


# -- the small commands -----------------------------------------------------------------------------------------


def test_check_says_who_and_whether_all_names_are_there(server: Stub) -> None:
    """Reachable, the account, and the manifests' names."""
    result = run("check", manifest=SHOP)
    assert result.exit_code == 0
    assert "Tested with Redmine 5.0, 6.0 and 6.1, and with sample answers of 7.0." in result.stdout
    assert "The account is admin, an administrator." in result.stdout
    assert "Plan: 1 to create" in result.stdout
    assert written(server) == []


def test_check_lists_all_missing_names(server: Stub) -> None:
    """Names without an object are the result, on stdout."""
    result = run("check", manifest="projects: [{identifier: a, parent: no}, {identifier: b, trackers: [Bgu]}]")
    assert result.exit_code == 3
    assert 'there is no project "no"' in result.stdout
    assert 'did you mean "Bug"?' in result.stdout


def test_check_without_manifests(server: Stub, fake: Fake) -> None:
    """Only the server and the account are looked at; a wrong key ends with 1."""
    assert run("check").exit_code == 0
    fake.fault = "key"
    result = run("check")
    assert (result.exit_code, "does not accept the API key" in result.stderr) == (1, True)


def test_graph_shows_what_needs_what(server: Stub) -> None:
    """Offline, in both formats; invalid manifests have no graph."""
    nested = "projects: [{identifier: top}, {identifier: shop, parent: top, versions: [{name: '1.0'}]}]"
    dot = run("graph", manifest=nested)
    assert '"project top" -> "project shop";' in dot.stdout
    assert '"project shop" -> "version shop/1.0";' in dot.stdout
    assert run("graph", "--format", "mermaid").stdout.startswith("graph LR")
    assert run("graph", manifest="projects: [{}]").exit_code == 3
    assert server.seen == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_prints_any_of_the_schemas(name: str, server: Stub) -> None:
    """Each is the one that output and manifests are held against."""
    assert json.loads(run("schema", name).stdout) == SCHEMAS[name]()


def test_schema_writes_them_all(server: Stub) -> None:
    """--out makes the folder; one that cannot be made is said so."""
    result = run("schema", "--out", "s")
    assert result.stdout.split() == [f"s/{name}.schema.json" for name in SCHEMAS]
    assert all(json.loads(Path(path).read_text()) for path in result.stdout.split())
    Path("file").touch()
    assert run("schema", "--out", "file").exit_code == 1


def test_explain_a_kind_and_a_field(server: Stub) -> None:
    """In words, without a server."""
    assert "identifier" in run("explain", "projects").stdout
    assert "due_date" in run("explain", "version.due_date").stdout
    assert server.seen == []


# -- as a process -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_finishes_what_is_under_way(number: int, server: Stub, fake: Fake) -> None:
    """After Ctrl-C nothing new is started, the report says what is left, and the exit code is 130."""
    fake.pause = 0.3
    Path("a.yaml").write_text(MANY)
    args = ["apply", "--yes", "--format", "json", "--concurrency", "2"]
    process = start(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stderr is not None
    wait_for(process.stderr, "Applying 8 changes")
    time.sleep(0.45)
    process.send_signal(number)
    stdout, _ = process.communicate(timeout=20)
    report = json.loads(stdout)
    assert (process.returncode, report["interrupted"]) == (130, True)
    assert report["summary"]["done"] == len(fake.projects) == len(written(server))
    assert 1 <= report["summary"]["done"] < 8
    assert report["summary"]["left"] == 8 - len(fake.projects)


@pytest.mark.slow
def test_a_second_interrupt_stops_at_once(server: Stub, fake: Fake) -> None:
    """What was under way is unknown then; there is a report all the same."""
    fake.pause = 5
    Path("a.yaml").write_text(MANY)
    args = ["apply", "--yes", "--format", "json", "--concurrency", "1"]
    process = start(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stderr is not None
    wait_for(process.stderr, "Applying 8 changes")
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    wait_for(process.stderr, "Interrupt again to stop at once")
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    stdout, _ = process.communicate(timeout=20)
    assert time.monotonic() - began < 4
    assert process.returncode == 130
    assert json.loads(stdout)["summary"] == {"done": 0, "failed": 0, "skipped": 0, "unknown": 1, "left": 7}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "code", "projects"),
    [("y\n", 0, 1), ("yes\n", 0, 1), ("n\n", 1, 0), ("\n", 1, 0), ("\x04", 1, 0), ("\x03", 130, 0)],
)
def test_on_a_terminal_it_asks(answer: str, code: int, projects: int, server: Stub, fake: Fake) -> None:
    """Only a yes applies the plan that was shown; Ctrl-D and Enter are a no, Ctrl-C ends with 130."""
    Path("a.yaml").write_text(SHOP)
    shown, exit_code = on_a_terminal(["apply"], "[y/N] ", answer)
    assert "Plan: 1 to create" in shown
    assert (exit_code, len(fake.projects)) == (code, projects), shown


@pytest.mark.slow
def test_the_question_tells_what_is_at_stake(server: Stub, fake: Fake) -> None:
    """Whoever is asked knows the server, what is deleted (first), created and changed, and what to type."""
    fake.projects["shop"] = {"id": 1, "identifier": "shop", "name": "Shop", "status": 1}
    Path("a.yaml").write_text("projects: [{identifier: shop, state: absent}, {identifier: b, name: B}]")
    shown, _ = on_a_terminal(["apply"], "[y/N] ", "n\n")
    lines = ["", f"  Server    {server.url}", "  Delete    1 project", "  Create    1 project"]
    asked = "Apply this? Type y to go on; anything else cancels. [y/N] "
    assert "\r\n".join([*lines, asked]) in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)


@pytest.mark.slow
def test_the_question_names_the_instance(server: Stub, fake: Fake) -> None:
    """With several servers in the configuration, the question says which of them is meant."""
    Path("reconciler.yaml").write_text(f"instances: {{production: {{url: {server.url}}}}}")
    Path("a.yaml").write_text(SHOP)
    shown, _ = on_a_terminal(["apply", "--instance", "production"], "[y/N] ", "n\n")
    assert f"  Server    {server.url}\r\n  Instance  production\r\n  Create    1 project\r\n" in shown


@pytest.mark.slow
def test_the_first_sign_of_life_comes_before_the_server_answers(server: Stub, fake: Fake) -> None:
    """Something is on stderr while the server still thinks."""
    Path("a.yaml").write_text(SHOP)
    process = start(["plan"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert process.stderr.readline() == "Reading the manifests …\n"
    assert process.stderr.readline() == f"Reading {server.url} …\n"
    process.communicate(timeout=20)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_is_valid_in_every_encoding(encoding: str, server: Stub) -> None:
    """What stdout cannot take is escaped as JSON has it; text is printed with escapes rather than not at all."""
    Path("a.yaml").write_text("projects: [{identifier: shop, name: Zoë 🛒}]", encoding="utf-8")
    environ = {**os.environ, "PYTHONIOENCODING": encoding}
    for form in ("json", "text"):
        args = ["plan", "--format", form]
        process = start(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ, encoding=encoding)
        stdout, stderr = process.communicate(timeout=20)
        assert process.returncode == 0, stderr
        if form == "json":
            assert json.loads(stdout)["changes"][0]["fields"][1]["after"] == "Zoë 🛒"


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error(server: Stub, fake: Fake) -> None:
    """`reconciler apply | head -1` says nothing about it, and still ends with its own exit code."""
    fake.fault = "refuse"
    Path("a.yaml").write_text(SHOP)
    reader, writer = os.pipe()
    os.close(reader)
    process = start(["apply", "--yes"], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    _, stderr = process.communicate(timeout=20)
    assert (process.returncode, "roken" in stderr, "Traceback" in stderr) == (4, False, False)
