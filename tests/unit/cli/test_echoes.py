"""Servers, gateways and people's mistakes that repeat secrets: no output has one, in any form."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from click.testing import CliRunner, Result
from stub import Answer, Stub

from reconciler import ReconcilerError, load
from reconciler.apply import writer
from reconciler.cli import main
from reconciler.masking import MASK

KEY, BASIC, HEADER, TOKEN = "canary-key-5d1/+", 'canary "basic" & 5d2', "canary-header-5d3", "canary-token-5d4"
LITERAL, OUTSIDE, INSIDE = "canary<literal>5d5", "canary+outside=5d6", "canary-inside-5d7"
SECRETS = (KEY, BASIC, HEADER, TOKEN, LITERAL, OUTSIDE, INSIDE)
FORMS = [
    *SECRETS,
    *(base64.b64encode(text.encode()).decode().rstrip("=") for text in (f"gate:{BASIC}", BASIC, KEY)),
    *(quote(text, safe="") for text in SECRETS),
    *(html.escape(text) for text in SECRETS),
    *(json.dumps(text)[1:-1] for text in SECRETS),
]
"""What is echoed, and must not be seen."""
CONFIG = """
api_key: ${THE_KEY}
username: gate
password: ${THE_PASSWORD}
headers: {X-Gate: "canary-header-5d3", X-Auth: "Bearer ${THE_TOKEN}"}
retries: 0
"""
MANIFEST = """
users:
  - {login: amy, firstname: Amy, lastname: Ames, mail: amy@example.net, password: "canary<literal>5d5"}
  - {login: bob, firstname: Bob, lastname: Boo, mail: bob@example.net, password: "${OUTSIDE}"}
  - {login: cleo, firstname: Cleo, lastname: Cool, mail: cleo@example.net, password: "x${INSIDE}y"}
"""
ECHO = " ".join(FORMS)
LONG = ("x" * 489 + " ") + ECHO
"""What is shown of it ends in the middle of a secret."""
PAGE = {"Content-Type": f"text/html; charset={KEY}", "Reason": quote(KEY), "WWW-Authenticate": f'Basic realm="{KEY}"'}
ECHOES: dict[str, Answer] = {
    "422": (422, json.dumps({"errors": [ECHO, *FORMS, LONG]}).encode()),
    "422 escaped": (422, json.dumps({"errors": [html.escape(ECHO)]}).replace("/", "\\/").encode()),
    "401": (401, json.dumps({"errors": FORMS}).encode(), {"WWW-Authenticate": f'Basic realm="Redmine API {KEY}"'}),
    "403 page": (403, f"<html><title>Sign in</title>{ECHO}</html>".encode(), PAGE),
    "500": (500, json.dumps({"error": LONG}).encode()),
    "502 page": (502, f"<html>{ECHO}</html>".encode(), PAGE),
    "404": (404, json.dumps({"errors": FORMS}).encode()),
    "redirect": (302, ECHO.encode(), {"Location": f"https://gate:{quote(BASIC)}@sso/{quote(KEY)}/x?k={quote(KEY)}"}),
    "redirect of the path": (301, b"", {"Location": "http://x/" + "y" * 475 + quote(KEY, safe="") + TOKEN}),
    "broken JSON": (200, b'{"user": ' + ECHO.encode(), {"Content-Type": f"application/json; {HEADER}"}),
    "header": (200, b"{}", {"Content-Type": f"{'x' * 490}{HEADER}"}),
    "bad header": (200, b"{}", {f"X {KEY}": KEY}),
    "not gzip": (200, ECHO.encode(), {"Content-Encoding": "gzip"}),
}
STAGES = {"account": "/users/current", "list": "/users", "write": "POST /users"}
EXITS = {1, 3, 4}


def answer(method: str, path: str, stage: str, echo: Answer) -> Answer:
    """A server without users that echoes at one place."""
    route = urlsplit(path).path.removesuffix(".json")
    at = f"{method} {route}" if method != "GET" else route
    if at == STAGES[stage]:
        return echo
    if route == "/users/current":
        return 200, b'{"user": {"id": 1, "login": "admin", "admin": true, "updated_on": ""}}'
    if route == "/trackers":
        return 200, b'{"trackers": [{"id": 1, "name": "Bug", "enabled_standard_fields": []}]}'
    empty = {route.strip("/"): [], "total_count": 0, "offset": 0, "limit": 100}
    return (200, json.dumps(empty).encode()) if route in ("/users", "/groups", "/custom_fields") else (404, b"")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration and manifests, as the current one."""
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith(("REDMINE_", "RECONCILER_"))]:
        monkeypatch.delenv(name)
    for name, value in {"THE_KEY": KEY, "THE_PASSWORD": BASIC, "THE_TOKEN": TOKEN, "OUTSIDE": OUTSIDE}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("INSIDE", INSIDE)
    monkeypatch.setattr(writer, "PAUSES", (0,))
    (tmp_path / "reconciler.yaml").write_text(CONFIG)
    (tmp_path / "a.yaml").write_text(MANIFEST)
    return tmp_path


def run(*args: str) -> Result:
    """One command, whose output has no secret."""
    result = CliRunner().invoke(main, args)
    assert [form for form in (*FORMS, "canary", "Internal error") if form in result.output] == []
    return result


@pytest.fixture(params=ECHOES)
def echo(request: pytest.FixtureRequest) -> Answer:
    """One of the answers."""
    return ECHOES[request.param]


@pytest.fixture
def server(request: pytest.FixtureRequest, echo: Answer) -> Iterator[Stub]:
    """A server that gives it, to one request."""
    with Stub(lambda method, path, body: answer(method, path, request.param, echo)) as stub:
        yield stub


@pytest.mark.parametrize("form", ["text", "json", "markdown", "html", "github"])
@pytest.mark.parametrize("server", ["write"], indirect=True)
def test_what_a_server_repeats(form: str, server: Stub, folder: Path) -> None:
    """Whichever answer repeats all secrets, no format of a report or an error has one, nor the log, nor a traceback."""
    result = run("apply", "--yes", "--debug", "--verbose", "--url", server.url, "--format", form)
    assert result.exit_code in EXITS
    if form == "json":
        json.loads(result.stdout)


@pytest.mark.parametrize("args", [["plan", "--format", "json"], ["check"]])
@pytest.mark.parametrize("server", ["account", "list"], indirect=True)
def test_what_a_server_repeats_to_a_reader(args: list[str], server: Stub, folder: Path) -> None:
    """The same for commands that only read."""
    run(*args, "--debug", "--verbose", "--url", server.url)


def test_what_a_server_repeats_to_an_export(echo: Answer, folder: Path) -> None:
    """An export, which reads no manifests, masks the secrets of the configuration."""
    status, content, *more = echo
    mine = content
    for text in (LITERAL, OUTSIDE, INSIDE):
        for form in (text, quote(text, safe=""), html.escape(text), html.escape(html.escape(text))):
            mine = mine.replace(form.encode(), b"-")
    with Stub(lambda method, path, body: answer(method, path, "account", (status, mine, *more))) as stub:
        run("export", "-o", "out", "--debug", "--verbose", "--url", stub.url)


def test_the_rest_of_a_message_stays(folder: Path) -> None:
    """Only the secret is masked: what Redmine says about it can be read."""
    echo = 422, json.dumps({"errors": [f"Password {LITERAL} is too weak"]}).encode()
    with Stub(lambda method, path, body: answer(method, path, "write", echo)) as stub:
        result = run("apply", "--yes", "--url", stub.url, "--format", "json")
    messages = re.findall(r"Password .* is too weak", result.stdout)
    assert set(messages) == {f"Password {MASK} is too weak"}


@pytest.mark.parametrize("command", ["plan", "check", "apply"])
@pytest.mark.parametrize(
    "url", ["http://a:canary@127.0.0.1:1", "http://canary@h", "http://a:canary@h b", "a:canary@h", "http://a:cn@h"]
)
@pytest.mark.parametrize("origin", ["--url", "REDMINE_URL", "reconciler.yaml", "instance", "other"])
def test_the_password_in_a_url(
    command: str, url: str, origin: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A URL with a password is refused without it, wherever the URL comes from and whichever credentials there are."""
    (folder / "reconciler.yaml").write_text("retries: 0")
    args = [command, "--debug"]
    if origin == "--url":
        args += ["--url", url]
    elif origin == "REDMINE_URL":
        monkeypatch.setenv("REDMINE_URL", url)
    elif origin == "reconciler.yaml":
        (folder / "reconciler.yaml").write_text(f"url: {url}")
    elif origin == "instance":
        (folder / "reconciler.yaml").write_text(f"instances: {{one: {{url: '{url}', api_key: x}}}}")
        args += ["--instance", "one"]
    else:
        (folder / "reconciler.yaml").write_text(f"url: '{url}'\napi_key: x")
        args += ["--url", "http://127.0.0.1:1"]
    result = run(*args)
    assert result.exit_code == 1
    assert "cn@" not in result.output


@pytest.mark.parametrize(
    "text",
    [
        "timeout: ${THE_KEY}\napi_key: ${THE_KEY}",
        "timeout: canary-key-5d1\napi_key: canary-key-5d1",
        "retries: canary-key-5d1\nheaders: {X-A: Basic canary-key-5d1}",
        "api_key: [canary-key-5d1]\nlimits: {deletes: canary-key-5d1}",
        "api_key: {a: canary-key-5d1}\nissue_key_field: [canary-key-5d1]\nlimits: canary-key-5d1",
        "proxy: http://a:canary-key-5d1@h\ntimeout: canary-key-5d1",
        "proxy: 'http://a:canary-key-5d1@h x'",
        "instances: {a: {api_key: canary-key-5d1}, b: {timeout: canary-key-5d1}}",
        'api_key: "canary-key-5d1',
        "api_key: canary-key-5d1: 1",
        "password: canary-key-5d1\n  username: x",
        "headers: {X-A: canary-key-5d1",
        "headers:\n  X-A: *canary-key-5d1",
    ],
)
@pytest.mark.parametrize("args", [["plan"], ["validate"], ["validate", "reconciler.yaml"]])
def test_mistakes_in_the_configuration(text: str, args: list[str], folder: Path) -> None:
    """A secret in the wrong setting, in one of the wrong type, or beside a syntax error is not repeated."""
    (folder / "reconciler.yaml").write_text(text)
    # A proxy that is no URL is noticed where it is used.
    codes = (0,) if "h x" in text and args == ["validate"] else (1, 3)
    assert run(*args, "--debug").exit_code in codes


@pytest.mark.parametrize("form", ["text", "json", "github"])
@pytest.mark.parametrize(
    "wrong",
    [
        'status: "${OUTSIDE}", password: "${OUTSIDE}"',
        'status: "canary<literal>5d5", password: "canary<literal>5d5"',
        'status: [canary-x-1], pasword: "canary-x-1"',
        'admin: "${INSIDE}", password: "x${INSIDE}y"',
        'password: ["canary-x-1"], mail_notification: canary-x-1',
        'password: {is: "canary-x-1"}, language: [canary-x-1]',
        'password: "canary-x-1", zzz: [canary-x-1, "' + "y" * 80 + ' canary-x-1"]',
        'password: !file pw.txt, status: "canary-x-1"',
    ],
)
def test_mistakes_in_a_manifest(form: str, wrong: str, folder: Path) -> None:
    """Nor is one that is written to the wrong field of a user, neither in a message nor in the line that is quoted."""
    (folder / "pw.txt").write_text("canary-x-1\n")
    (folder / "a.yaml").write_text(f"users: [{{login: amy, firstname: A, lastname: B, mail: a@b.c, {wrong}}}]")
    assert run("validate", "--format", form, "--debug").exit_code == 3


def test_an_argument_that_is_refused(folder: Path) -> None:
    """The words of a command line that cannot be understood are repeated without the password of a URL."""
    for args in (["schema", "http://a:canary@h"], ["plan", "--urll=http://a:canary@h"], ["http://a:canary@h"]):
        assert run(*args).exit_code == 1


def test_live_values_that_repeat_a_secret(folder: Path) -> None:
    """A plan shows a live value that has a secret in it without the secret, and is not saved."""

    def show(method: str, path: str, body: bytes) -> Answer:
        if urlsplit(path).path == "/projects.json":
            row = {"id": 1, "identifier": "shop", "name": f"Key {KEY}", "status": 1}
            return 200, json.dumps({"projects": [row], "total_count": 1, "offset": 0, "limit": 100}).encode()
        return answer(method, path, "write", (500, b""))

    (folder / "a.yaml").write_text("projects: [{identifier: shop, name: Shop}]")
    with Stub(show) as stub:
        for form in ("text", "json", "markdown", "html"):
            assert f"Key {MASK}" in run("plan", "--url", stub.url, "--format", form).stdout
        result = run("plan", "--url", stub.url, "--out", "saved.plan")
    assert result.exit_code == 5
    assert "name of project shop repeats a secret" in result.output
    assert not Path("saved.plan").exists()


def test_what_a_server_repeats_to_a_program(echo: Answer, folder: Path) -> None:
    """A report of the Python API has none either, nor has the traceback of an error."""
    for stage in STAGES:
        with Stub(lambda method, path, body, at=stage: answer(method, path, at, echo)) as stub:  # type: ignore[misc]
            manifests = load("a.yaml", environ={**os.environ, "REDMINE_URL": stub.url})
            try:
                seen = repr(manifests.apply())
            except ReconcilerError as error:
                seen = "".join(traceback.format_exception(error))
        assert [form for form in FORMS if form in seen] == []


def test_a_secret_that_a_program_prints(folder: Path) -> None:
    """A secret that is computed is masked like any other."""
    Path("reconciler.yaml").write_text(f"api_key: !command [printf, '%s', '{KEY}']\nretries: 0")
    echo = 500, json.dumps({"error": f"you sent {KEY}"}).encode()
    with Stub(lambda method, path, body: answer(method, path, "account", echo)) as stub:
        result = run("plan", "--url", stub.url)
    assert f"you sent {MASK}" in result.output
