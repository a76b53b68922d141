"""Credentials that are computed when they are used: `!command` and `!keyring`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import NoKeyringError

from reconciler import config
from reconciler.config import load
from reconciler.errors import ConfigError
from reconciler.manifest import loader

CANARY = "canary-4d7"
URL = "url: http://redmine.test\n"


class Memory(KeyringBackend):
    """A keyring with one password."""

    priority = 1.0

    def get_password(self, service: str, username: str) -> str | None:
        return CANARY if (service, username) == ("redmine.test", "jsmith") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError

    def delete_password(self, service: str, username: str) -> None:
        raise NotImplementedError


def loaded(text: str, folder: Path, **environ: str) -> config.Config:
    """A configuration with this text."""
    (folder / "reconciler.yaml").write_text(URL + text)
    return load([folder], environ)


def refused(text: str, folder: Path) -> str:
    """Why there is no connection."""
    with pytest.raises(ConfigError) as caught:
        loaded(text, folder).connection()
    assert CANARY not in str(caught.value)
    return str(caught.value)


def command(code: str) -> str:
    """The key as what a Python program prints."""
    return f"api_key: !command [{sys.executable}, -c, {code!r}]"


def test_a_key_is_what_a_program_prints(tmp_path: Path) -> None:
    """It runs in the folder of the configuration, without a shell, and its last line break does not count."""
    (tmp_path / "key").write_text(CANARY + "\n")
    connection = loaded("api_key: !command [cat, key]", tmp_path).connection()
    assert connection.headers()["X-Redmine-API-Key"] == CANARY
    assert CANARY not in repr(loaded("api_key: !command [cat, key]", tmp_path))


def test_a_program_runs_once(tmp_path: Path) -> None:
    """However often a run connects, with a key and a header each."""
    text = "api_key: !command [sh, -c, 'echo key >>ran; echo key']\nheaders: {X-A: !command [sh, -c, 'echo a >>ran; echo a']}"
    found = loaded(text, tmp_path)
    assert found.connection().headers() == found.connection().headers()
    assert (tmp_path / "ran").read_text().split() == ["key", "a"]


def test_standard_input_is_not_the_programs(tmp_path: Path) -> None:
    """What waits there is a manifest."""
    reading, writing = os.pipe()
    os.write(writing, b"manifest")
    os.close(writing)
    before = os.dup(0)
    os.dup2(reading, 0)
    try:
        loaded("api_key: !command [sh, -c, 'cat; echo key']", tmp_path).connection()
        assert os.read(0, 100) == b"manifest"
    finally:
        os.dup2(before, 0)


def test_a_keyring_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why is told in sentences, each with one full stop."""

    def fails(service: str, username: str) -> str:
        raise NoKeyringError("No backend. See the documentation.")

    monkeypatch.setattr(keyring, "get_password", fails)
    said = refused("api_key: !keyring [redmine.test, jsmith]", tmp_path)
    assert said == "`api_key`: the keyring cannot be read: No backend. See the documentation."


def test_a_key_of_the_keyring(tmp_path: Path) -> None:
    """A password of the system's keyring, by service and user."""
    keyring.set_keyring(Memory())
    connection = loaded("api_key: !keyring [redmine.test, jsmith]", tmp_path).connection()
    assert connection.headers()["X-Redmine-API-Key"] == CANARY
    said = refused("api_key: !keyring [redmine.test, bob]", tmp_path)
    assert "store it with `keyring set redmine.test bob`" in said


def test_every_credential_can_be_computed(tmp_path: Path) -> None:
    """A password, a token and the value of a header."""
    text = "username: amy\npassword: !command [echo, pw]\nheaders: {X-Gate: !command [echo, gate]}"
    connection = loaded(text, tmp_path).connection()
    assert connection.headers()["X-Gate"] == "gate"
    assert connection.password is not None
    assert connection.password.get_secret_value() == "pw"
    assert "Bearer token" in loaded("bearer: !command [echo, token]", tmp_path).connection().headers().values()


def test_nothing_runs_before_it_is_used(tmp_path: Path) -> None:
    """Commands that need no server run no program, nor is that of another instance run."""
    text = "instances:\n  a: {url: 'http://a.test', api_key: !command [touch, ran]}\n  b: {url: 'http://b.test', api_key: k}"
    (tmp_path / "reconciler.yaml").write_text(text)
    load([tmp_path], {}, instance="b").connection()
    assert not (tmp_path / "ran").exists()


def test_the_environment_wins(tmp_path: Path) -> None:
    """A key in the environment is used instead, and the program is not run."""
    connection = loaded("api_key: !command [touch, ran]", tmp_path, REDMINE_API_KEY="k").connection()
    assert connection.headers()["X-Redmine-API-Key"] == "k"
    assert not (tmp_path / "ran").exists()


REFUSED: dict[str, str] = {
    "api_key: !command [no-such-program]": "cannot run no-such-program: No such file or directory",
    command("print()"): "!command gave nothing; expected one line with the secret",
    command(f"print('{CANARY}'); print('{CANARY}')"): "!command gave several lines",
    command(f"print('{CANARY}'); import sys; sys.exit('not in the store')"): "status 1: not in the store",
    "api_key: !command []": "!command needs a list: the program and its arguments",
    "api_key: !keyring [one]": "!keyring needs a list of two",
    "api_key: !command pass show redmine": "write api_key: !command [PROGRAM, ARGUMENT]",
    "issue_key_field: !command [echo, x]": "issue_key_field: expected a string",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_gives_no_secret(text: str, tmp_path: Path) -> None:
    """A program that fails, or gives no single line, is an error that names the setting and no secret."""
    assert REFUSED[text] in refused(text, tmp_path)


def test_a_program_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up after a minute."""
    monkeypatch.setattr("reconciler.credentials.TIMEOUT", 0.2)
    assert "sleep did not end within 0.2 seconds" in refused("api_key: !command [sleep, 5]", tmp_path)


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is named with what to install."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert "install redmine-reconciler[keyring]" in refused("api_key: !keyring [a, b]", tmp_path)


def test_manifests_run_no_programs(tmp_path: Path) -> None:
    """In a manifest the tags are a problem: whoever may change manifests must not run programs."""
    (tmp_path / "a.yaml").write_text("users: [{login: amy, password: !command [touch, ran]}]")
    (problem,) = loader.load([tmp_path], {}).problems
    assert problem.message == "unsupported tag !command"
    assert "only in reconciler.yaml" in problem.hint
