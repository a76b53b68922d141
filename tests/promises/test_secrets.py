"""Secrets stay secret: promise 10. Canaries in every secret, then a search in everything that can be seen."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from json import dumps
from pathlib import Path
from typing import Any

import pytest
from promises import Api, Tool, setting, troubles
from proxy import DROPPED, Exchange, Fault, Proxy

from reconciler.apply import writer
from reconciler.apply.executor import Applier
from reconciler.errors import ManifestError, ReconcilerError, RefusedError
from reconciler.model.capabilities import Creation
from reconciler.model.name_index import Names
from reconciler.plan import plan_file
from reconciler.plan.operations import Plan
from reconciler.redmine.client import Client
from reconciler.render import github, html, json, markdown, text
from reconciler.sandbox import Running

LITERAL, FROM_OUTSIDE = "canary-literal-8c1f", "canary-outside-2b7e"
ENV = {"PASSWORD": FROM_OUTSIDE}


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    with Api(world) as api:
        yield api


def user(login: str, password: Any, **more: Any) -> dict[str, Any]:
    """A user with a password."""
    named = {"firstname": login, "lastname": "Test", "mail": f"{login}@example.net"}
    return {"login": login, **named, "password": password, **more}


USERS = {"users": [user("amy", LITERAL), user("bob", "${PASSWORD}")]}


def leaks(world: Running, *shown: str) -> list[str]:
    """What is secret and in one of these texts, of which none is empty."""
    assert all(shown)
    secrets = {"literal password": LITERAL, "password from outside": FROM_OUTSIDE, "API key": world.api_key}
    return [name for name, secret in secrets.items() if any(secret in text for text in shown)]


def rendered(plan: Plan) -> list[str]:
    """A plan in every form that a person, a file or a program gets."""
    return [
        text.plan(plan, color=False),
        text.plan(plan, color=True),
        json.dumps(json.plan_json(plan)),
        markdown.plan(plan),
        html.plan(plan),
        repr(plan),
        plan.digest,
    ]


def test_10_passwords_arrive_and_are_not_seen(world: Running) -> None:
    """The passwords reach Redmine, which lets the users in; the plan, the report and their every form lack them."""
    tool = Tool(world.url, world.api_key, env=ENV)
    plan = tool.plan(USERS)
    report = tool.apply(USERS)
    assert troubles(report) == {}
    shown = [text.results(report, color=False, verbose=True), json.dumps(json.results_json(report)), repr(report)]
    assert not leaks(world, *rendered(plan), *shown, markdown.results(report), html.results(report))
    for login, password in (("amy", LITERAL), ("bob", FROM_OUTSIDE)):
        with Api(world, {}) as anybody:
            assert anybody.send("GET", "/users/current", auth=(login, password)).status_code == 200


def test_10_a_saved_plan_has_no_secret(world: Running) -> None:
    """A saved plan has the `${NAME}` of a secret in its place, and one that the manifest holds itself is not saved."""
    tool = Tool(world.url, world.api_key, env=ENV)
    kept = plan_file.save(tool.plan({"users": [user("bob", "${PASSWORD}")]}), Names())
    assert "${PASSWORD}" in kept
    with pytest.raises(RefusedError) as caught:
        plan_file.save(tool.plan(USERS), Names())
    assert not leaks(world, kept, str(caught.value))


def test_10_the_log_has_no_secret(world: Running) -> None:
    """The line for each request shows neither the key nor a body."""
    lines: list[str] = []
    Tool(world.url, world.api_key, env=ENV, log=lines.append).apply(USERS)
    assert [line.partition(" 2")[0] for line in lines].count("POST /users.json") == 2
    assert not leaks(world, *lines)


def test_10_objects_in_memory_show_no_secret(world: Running) -> None:
    """What a debugger or a log of ours would print of the connection, the manifest and the run has no secret in it."""
    seen: list[str] = []

    def watch(applier: Applier) -> None:
        seen.extend(map(repr, (applier.plan, applier.progress, applier.names, applier.client.connection)))

    tool = Tool(world.url, world.api_key, env=ENV)
    tool.apply(USERS, watch)
    assert len(seen) == 4
    assert not leaks(world, *seen, repr(tool.desired(USERS)), repr(tool.connection))


def test_10_a_refusal_shows_no_secret(world: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Users whom Redmine refuses, and one whose creation ends as unknown: no secret in the report."""
    monkeypatch.setattr(writer, "PAUSES", (0,))

    def fault(exchange: Exchange) -> Fault | None:
        return Fault(forward=False, status=500) if b'"bob"' in exchange.body else None

    setting(world, "email_domains_denied", "denied.example")
    users = [user("amy", LITERAL, mail="amy@denied.example"), user("bob", "${PASSWORD}"), user("cleo", LITERAL[:3])]
    with Proxy(world.url, fault) as proxy:
        report = Tool(proxy.url, world.api_key, env=ENV, retries=0).apply({"users": users})
    assert sorted(troubles(report)) == ["user amy", "user bob", "user cleo"]
    shown = [text.results(report, color=False, verbose=True), github.results(report), repr(report)]
    assert not leaks(world, *shown, json.dumps(json.results_json(report)), markdown.results(report))


@pytest.mark.parametrize(
    "wrong",
    [
        user("amy", LITERAL, firstnam="Amy"),
        user("amy", LITERAL, generate_password=True),
        user("amy", [LITERAL]),
        user("amy", {"is": LITERAL}),
        user("amy", "${PASSWORD}", password2="${PASSWORD}"),
    ],
    ids=["misspelt field", "two passwords", "list", "mapping", "unknown secret"],
)
def test_10_problems_show_no_secret(world: Running, wrong: dict[str, Any]) -> None:
    """A user with a mistake is reported without the password, even if the password is the mistake."""
    tool = Tool(world.url, world.api_key, env=ENV)
    with pytest.raises(ManifestError) as caught:
        tool.plan({"users": [wrong]})
    problems = caught.value.problems
    shown = [str(caught.value), json.dumps(json.problems_json(problems)), github.problems(problems), repr(problems)]
    assert not leaks(world, *shown, "".join(traceback.format_exception(caught.value)))


@pytest.mark.parametrize("status", [None, 401, 403, 404, 422, 500])
def test_10_errors_and_tracebacks_show_no_secret(world: Running, status: int | None) -> None:
    """Whatever ends a run early, its text and its whole chain of tracebacks have no secret in them."""
    fault = DROPPED if status is None else Fault(forward=False, status=status)
    with Proxy(world.url, lambda exchange: fault) as proxy, pytest.raises(ReconcilerError) as caught:
        Tool(proxy.url, world.api_key, env=ENV, retries=0).apply(USERS)
    chain = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [str(frame.locals) for frame in chain.stack if "/reconciler/" in frame.filename]
    assert ours
    assert not leaks(world, str(caught.value), *ours, "".join(traceback.format_exception(caught.value)))


def test_10_a_mistake_of_the_program_shows_no_secret(world: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The traceback of an error that nobody expected, in the middle of writing a user, has no secret in it."""

    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(Creation, "sent_after", broken)
    with pytest.raises(ZeroDivisionError) as caught:
        Tool(world.url, world.api_key, env=ENV).apply(USERS)
    assert not leaks(world, "".join(traceback.format_exception(caught.value)))


def test_10_a_changed_password_is_neither_compared_nor_sent(world: Running, api: Api) -> None:
    """Another password in the manifest of a user who is there changes nothing, and is not even in the plan."""
    tool = Tool(world.url, world.api_key, env=ENV)
    tool.apply(USERS)
    before = [api.get(f"/users/{row['id']}")["passwd_changed_on"] for row in api.get("/users")]
    changed = {"users": [user("amy", "another-canary-1"), user("bob", "another-canary-2")]}
    assert tool.apply(changed).results == ()
    assert [api.get(f"/users/{row['id']}")["passwd_changed_on"] for row in api.get("/users")] == before


def test_10_the_client_names_no_secret(world: Running) -> None:
    """The client's own representation and those of its parts keep the key to themselves."""
    client = Client(Tool(world.url, world.api_key).connection)
    assert not leaks(world, repr(client), repr(client.connection), repr(vars(client)))


def test_10_no_command_line_and_no_file_has_a_secret(world: Running, tmp_path: Path) -> None:
    """While commands run, no process has a secret in its arguments, that of the sandbox neither; nor has any file that
    they write. A saved plan and a report can be read by their owner only."""
    manifest = tmp_path / "a.yaml"
    manifest.write_text(dumps(USERS))
    environ = {**os.environ, **ENV, "REDMINE_URL": world.url, "REDMINE_API_KEY": world.api_key}
    commands = [
        ["plan", "--format", "html"],
        ["apply", "--yes", "--report", "report.json"],
        ["export", "--output", "export"],
        ["plan", "--target", "user/bob", "--out", "saved.plan"],
    ]
    seen = set[str]()
    for command in commands:
        arguments = [sys.executable, "-m", "reconciler", *command, *([] if command[0] == "export" else ["a.yaml"])]
        with (tmp_path / f"{command[0]}.out").open("a") as output:
            process = subprocess.Popen(arguments, cwd=tmp_path, env=environ, stdout=output, stderr=output)
            while process.poll() is None:
                seen |= command_lines()
                time.sleep(0.1)
        assert process.returncode == 0, (tmp_path / f"{command[0]}.out").read_text()
    assert any("reconciler" in line for line in seen)
    assert any("puma" in line for line in seen)
    manifest.unlink()
    files = [path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size]
    assert len(files) > len(commands)
    assert leaks(world, *seen, *files) == []
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("report.json", "saved.plan")} == {0o600}


def command_lines() -> set[str]:
    """The arguments of all processes that can be seen."""
    lines = set[str]()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            lines.add(path.read_text(errors="replace"))
    return lines - {""}
