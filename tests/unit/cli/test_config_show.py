"""`config show` and `--api-key-file`: where each setting comes from, and a key that is on no command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from canned import Canned
from click.testing import CliRunner, Result

from reconciler.cli import main
from reconciler.settings import Settings
from schemas import conform

KEY = "canary-of-the-key"
FILE = f"""\
url: https://top.example
api_key: {KEY}
timeout: 7
limits: {{deletes: 3}}
proxy: http://user:{KEY}@proxy.example:1
headers: {{X-Gate: "{KEY}"}}
vars: {{TEAM: top, SMTP_PASSWORD: "{KEY}"}}
instances:
  test:
    url: https://test.example
    api_key: !command [pass, {KEY}]
    vars: {{TEAM: test}}
  live: {{url: "https://${{HOST}}", username: bot}}
"""


@pytest.fixture(autouse=True)
def folder(canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a configuration; nothing of it in the environment."""
    for name in ("REDMINE_URL", "REDMINE_API_KEY"):
        monkeypatch.delenv(name)
    Path("reconciler.yaml").write_text(FILE)


def run(*args: str, code: int = 0, **extra: Any) -> Result:
    """A command whose output never has the key."""
    result = CliRunner().invoke(main, args, **extra)
    assert result.exit_code == code, result.output
    assert KEY not in result.stdout + result.stderr
    return result


def data(*args: str, **extra: Any) -> dict[str, Any]:
    """What it prints as JSON, which has the form of its schema."""
    found: dict[str, Any] = json.loads(run("config", "show", "--format", "json", *args, **extra).stdout)
    conform(found, "settings")
    return found


def settings(*args: str, **extra: Any) -> dict[str, Any]:
    """The settings by name."""
    return {setting["name"]: setting for setting in data(*args, **extra)["settings"]}


def test_every_origin_is_told() -> None:
    """An option, a variable, a place in the file, an instance, the default, or nothing at all."""
    found = settings("--instance", "test", "--concurrency", "2", env={"REDMINE_RETRIES": "4"})
    origins = {name: setting["origin"] for name, setting in found.items()}
    assert origins["concurrency"] == {"type": "option", "name": "--concurrency"}
    assert origins["retries"] == {"type": "environment", "name": "REDMINE_RETRIES"}
    assert origins["timeout"] == {"type": "file", "file": "reconciler.yaml", "line": 3, "column": 1}
    assert origins["url"] == {"type": "file", "file": "reconciler.yaml", "line": 10, "column": 5, "instance": "test"}
    assert origins["deadline"] == {"type": "default"} and found["deadline"]["value"] == 120
    assert origins["bearer"] == {"type": "unset"} and found["bearer"]["value"] is None
    assert (found["limits.deletes"]["value"], origins["limits.deletes"]["column"]) == (3, 10)
    assert origins["limits.prune_ratio"] == {"type": "default"}


def test_every_default_is_told() -> None:
    """What the schema says of a default is shown where nothing sets the setting."""
    Path("reconciler.yaml").unlink()
    found, described = settings(), Settings.model_json_schema()["properties"]
    defaults = {name: one["description"].partition(" Default: ")[2].strip(".") for name, one in described.items()}
    shown = {
        name: f"{setting['value']:g}" if name != "prune_users" else setting["value"]
        for name, setting in found.items()
        if defaults.get(name)
    }
    assert shown == {name: default for name, default in defaults.items() if default}


def test_what_is_overridden_is_told() -> None:
    """Each further place that sets the same, in the order of precedence."""
    found = settings("--instance", "test", env={"TEAM": "shell"})
    assert found["vars.TEAM"]["value"] == "shell"
    assert [(o["line"], o.get("instance")) for o in found["vars.TEAM"]["overrides"]] == [(12, "test"), (7, None)]
    assert [o["line"] for o in found["url"]["overrides"]] == [1]


def test_secrets_are_masked_and_programs_do_not_run() -> None:
    """Whatever may be a secret is not shown, also in URLs and variables; a `!command` is named and not run."""
    found = settings("--instance", "test")
    assert found["api_key"]["value"] == "!command [pass, …]"
    assert found["headers.X-Gate"]["secret"] and found["headers.X-Gate"]["value"] is None
    assert found["vars.SMTP_PASSWORD"]["value"] is None
    assert found["proxy"]["value"] == "http://•••@proxy.example:1"
    text = run("config", "show").stdout
    assert "api_key" in text and "•••" in text


HIDDEN = {
    f"url: https://h.example/?key={KEY}": "https://h.example/?•••",
    f"url: https://h.example/#{KEY}": "https://h.example/#•••",
    f"url: amy:{KEY}@h.example": "•••@h.example",
    f"url: https://amy:x/{KEY}@h.example/r": "https://•••@h.example/r",
    f"proxy: http://p.example:1/?{KEY}": "http://p.example:1/?•••",
    "catalog_command: 'PGPASSWORD=${DB_PW} docker exec'": ["/bin/sh", "-c", "PGPASSWORD=••• docker exec"],
    "catalog_command: 'X=1 wrap ${DB_PW}'": ["/bin/sh", "-c", "X=1 wrap •••"],
    f"catalog_command: \"A=1 PGPASSWORD='{KEY} x' docker\"": ["/bin/sh", "-c", "A=1 PGPASSWORD=••• docker"],
    f"catalog_command: 'wrap --token {KEY} --api-key={KEY} -v'": ["/bin/sh", "-c", "wrap --token ••• --api-key=••• -v"],
    f"catalog_command: [docker, -e, 'DB_PASSWORD=a {KEY}', --token, {KEY}, -v]": (
        ["docker", "-e", "DB_PASSWORD=•••", "--token", "•••", "-v"]
    ),
    f"catalog_command: 'docker exec --env=PGPASSWORD={KEY} -v'": [
        "/bin/sh",
        "-c",
        "docker exec --env=PGPASSWORD=••• -v",
    ],
    f"catalog_command: [docker, '--env=PGPASSWORD={KEY}', -v]": ["docker", "--env=PGPASSWORD=•••", "-v"],
    f"catalog_command: 'PGPASSWORD=$(echo {KEY}) docker'": ["/bin/sh", "-c", "PGPASSWORD=••• docker"],
    f"catalog_command: \"wrap -H 'Authorization: Bearer {KEY}' -v\"": (
        ["/bin/sh", "-c", "wrap -H 'Authorization: •••' -v"]
    ),
    f"catalog_command: [wrap, -H, 'X-Api-Key: {KEY}', -v]": ["wrap", "-H", "X-Api-Key: •••", "-v"],
    f"vars: {{SITE: 'https://h.example/?token={KEY}'}}": "https://h.example/?token=•••",
    f"vars: {{DATABASE: 'host=h password={KEY}'}}": "host=h password=•••",
    "switch_user: 'x-${DB_PW}'": "x-•••",
    "client_key: 'keys/${DB_PW}'": None,
    "vars: {API: '${DB_PW}'}": None,
    "vars: {DATABASE: 'db://amy:${DB_PW}@h'}": "db://•••@h",
    "lease: {project: '${DB_PW}'}": None,
}
"""A setting → how its value is shown; None if nothing is left of it."""


@pytest.mark.parametrize("text", HIDDEN)
def test_what_looks_secret_in_a_value_is_masked(text: str) -> None:
    """The rest of a value is shown: a URL without its query, a command without what a secret name gives."""
    Path("reconciler.yaml").write_text(text)
    found = settings(env={"DB_PW": KEY})
    shown = [setting for setting in found.values() if setting["origin"]["type"] == "file"]
    assert [setting["value"] for setting in shown] == [HIDDEN[text]]


def test_the_default_of_a_secret_variable_is_masked() -> None:
    """Where a value is no secret as a whole, only the variable's default is."""
    Path("reconciler.yaml").write_text(f"catalog_command: 'PGPASSWORD=${{DB_PW:-{KEY}}} ${{SHELL_:-sh}} -v'")
    assert settings()["catalog_command"]["expression"] == "PGPASSWORD=••• ${SHELL_:-sh} -v"
    Path("reconciler.yaml").write_text("catalog_command: 'PGPASSWORD=${DB_PW} docker'")
    assert settings(env={"DB_PW": KEY})["catalog_command"]["expression"] == "PGPASSWORD=${DB_PW} docker"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("url: https://h.example/?a=b", "url must not contain a user, password, query or fragment"),
        ("url: h.example", "url is not a URL such as https://redmine.example.net"),
        ("proxy: socks5://h.example", "proxy is not a URL such as"),
        ("url: https://h.example", ""),
    ],
)
def test_a_url_that_cannot_be_used_says_so(text: str, problem: str) -> None:
    """Before a command that needs it is refused."""
    Path("reconciler.yaml").write_text(text)
    found = settings()[text.partition(":")[0]]
    assert (found.get("problem") or "").startswith(problem)
    assert bool(found.get("problem")) == bool(problem)


def test_expressions_and_what_is_missing_for_them() -> None:
    """A value with `${NAME}` shows what the file says; a variable that is not set is a remark, not an error."""
    assert settings("--instance", "live", env={"HOST": "h.example"})["url"]["value"] == "https://h.example"
    url = settings("--instance", "live")["url"]
    assert (url["value"], url["expression"]) == (None, "https://${HOST}")
    assert url["problem"] == "the environment variable HOST is not set"


@pytest.mark.parametrize("environ", [{}, {"GATE": "another-canary"}])
def test_the_default_of_a_secret_is_secret(environ: dict[str, str]) -> None:
    """Of the expression of a secret only the names are shown, whether its default is used or not."""
    gate = f"${{GATE:-{KEY}}}"
    values = {
        "password": gate,
        "headers": {"X-Gate": f"Token {gate}"},
        "vars": {"SMTP_PASSWORD": gate, "TEAM": "${T:-ops}"},
    }
    Path("reconciler.yaml").write_text(json.dumps({"username": "bot", **values}))
    found = settings(env=environ)
    names = ("password", "headers.X-Gate", "vars.SMTP_PASSWORD", "vars.TEAM")
    expected = ["${GATE:-•••}", "•••${GATE:-•••}", "${GATE:-•••}", "${T:-ops}"]
    assert [found[name]["expression"] for name in names] == expected
    assert "another-canary" not in run("config", "show", env=environ).stdout


def test_credentials_that_are_not_used_say_so() -> None:
    """A login in an instance leaves a key of the rest of the file unused; a key for another server is refused."""
    assert settings("--instance", "live")["api_key"]["problem"].startswith("not used, because username and password of")
    other = settings("--url", "https://other.example")["api_key"]["problem"]
    assert "is for https://top.example" in other and "is not sent to https://other.example" in other


def test_instances_are_listed() -> None:
    """With their servers, and which one is chosen by what."""
    found = data("--instance", "test")
    assert found["instances"] == [{"name": "test", "url": "https://test.example"}, {"name": "live", "url": None}]
    assert (found["instance"], found["chosen_by"]) == ("test", "--instance")
    assert data(env={"RECONCILER_INSTANCE": "live"})["chosen_by"] == "RECONCILER_INSTANCE"
    assert data()["instance"] is None
    lines = run("config", "show", "--instance", "test").stdout.splitlines()
    assert lines[:4] == [
        "Configuration: reconciler.yaml",
        "Instance: test (chosen by --instance)",
        "  * test  https://test.example",
        "    live",
    ]


def test_leftovers_are_noted() -> None:
    """What the environment says and is not used is in the JSON, and on stderr."""
    env = {"REDMINE_URL": "https://left.example", "REDMINE_API_KEY": "leftover"}
    result = run("config", "show", "--instance", "test", "--format", "json", env=env)
    [note] = json.loads(result.stdout)["notes"]
    assert note.startswith("REDMINE_URL and REDMINE_API_KEY are not used")
    assert f"Note: {note}" in result.stderr


def test_without_a_file() -> None:
    """The environment and the defaults."""
    Path("reconciler.yaml").unlink()
    assert data(env={"REDMINE_URL": "https://a.example"})["file"] is None
    assert "Configuration: no reconciler.yaml" in run("config", "show").stdout


def test_a_broken_file_is_an_error() -> None:
    """As for every other command."""
    Path("reconciler.yaml").write_text("ulr: x\n")
    assert 'unknown setting "ulr"' in run("config", "show", code=1).stderr


# -- a key from a file -----------------------------------------------------------------------------------------


def sent(canned: Canned, *args: str, **extra: Any) -> Result:
    """A check of the server with a key; the file says nothing."""
    Path("reconciler.yaml").write_text("")
    Path("a.yaml").write_text("projects: [{identifier: shop}]")
    return CliRunner().invoke(main, ["plan", "--url", canned.url, *args], **extra)


def test_a_key_from_a_file_goes_with_the_url(canned: Canned) -> None:
    """`--url` and `--api-key-file` together reach a server that no file and no variable names."""
    Path("key").write_text(f"{canned.api_key}\n")
    assert sent(canned, "--api-key-file", "key").exit_code == 0
    assert sent(canned, "--api-key-file", "-", input=f"{canned.api_key}\n").exit_code == 0
    assert sent(canned).exit_code == 1


def test_it_overrides_every_other_key(canned: Canned) -> None:
    """Of the environment too."""
    Path("key").write_text(KEY)
    found = settings("--api-key-file", "key", env={"REDMINE_API_KEY": "other"})["api_key"]
    assert found["origin"] == {"type": "option", "name": "--api-key-file"}
    assert found["overrides"][0] == {"type": "environment", "name": "REDMINE_API_KEY"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read key: No such file or directory."),
        (b"", "key is empty; expected one line with the key."),
        (f"{KEY}\n{KEY}\n".encode(), "key has several lines; expected one line with the key."),
        (b"\xff\xfe\x00", "key is no text file."),
    ],
)
def test_what_is_no_key(canned: Canned, content: bytes | None, said: str) -> None:
    """The message says why, and never what is in the file."""
    if content is not None:
        Path("key").write_bytes(content)
    result = sent(canned, "--api-key-file", "key")
    assert result.exit_code == 1 and f"--api-key-file: {said}" in result.stderr
    assert KEY not in result.output


def test_standard_input_is_read_once(canned: Canned) -> None:
    """The key and the manifests cannot both come from it."""
    result = sent(canned, "--api-key-file", "-", "-", input="x")
    assert result.exit_code == 1 and "cannot both be standard input" in result.stderr


@pytest.mark.parametrize("text", ["a" * 100_000, "a.b-" * 20_000, "a=b=" * 20_000, "x=$(" * 20_000, "--a " * 20_000])
def test_a_long_text_is_shown_at_once(text: str) -> None:
    """A variable may be the contents of a file."""
    Path("long.txt").write_text(text)
    Path("reconciler.yaml").write_text("vars: {LONG: !file long.txt}")
    assert settings()["vars.LONG"]["value"] == text
