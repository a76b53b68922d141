"""How the program inside Redmine is reached: every command, every end, and every answer that is none."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from paths import HELPERS

from reconciler.catalog import dialog
from reconciler.catalog.session import Item, Session
from reconciler.catalog.transport import Command, program, script
from reconciler.errors import AnswerLost, CatalogError
from reconciler.masking import Secrets

STANDIN = str(HELPERS / "standin.py")
READ = {"op": "read", "kinds": []}
WRITE = {"op": "write", "items": []}


def standin(way: str, *more: str) -> tuple[str, ...]:
    """The command that answers in one of the ways of `standin.py`."""
    return (sys.executable, "-IS", STANDIN, way, *more)


def call(argv: Sequence[str], request: dict[str, Any] = READ, timeout: float = 20, **more: Any) -> dict[str, Any]:
    """The answer of a command."""
    return asyncio.run(Command(tuple(argv), timeout, **more).call(request))


def refused(way: str, request: dict[str, Any] = READ, **more: Any) -> str:
    """The message of a call that certainly wrote nothing."""
    with pytest.raises(CatalogError) as caught:
        call(standin(way), request, **more)
    return str(caught.value)


def lost(way: str, request: dict[str, Any] = WRITE, **more: Any) -> str:
    """The message of a call that may have written."""
    with pytest.raises(AnswerLost) as caught:
        call(standin(way), request, **more)
    return str(caught.value)


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pids: Sequence[int]) -> bool:
    """Whether all of these have ended, within two seconds."""
    until = time.monotonic() + 2
    while any(map(is_running, pids)) and time.monotonic() < until:
        time.sleep(0.01)
    return not any(map(is_running, pids))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not answered any more is waited for half a second."""
    monkeypatch.setattr(dialog, "GRACE", 0.5)


# The request


def test_the_program_is_one_that_every_shell_and_locale_lets_through() -> None:
    """The program is ASCII without control characters, in lines that a terminal does not cut, and ends with one."""
    text = program()
    assert text.isascii() and text.endswith("\n")
    assert all(char.isprintable() or char == "\n" for char in text)
    assert max(map(len, text.splitlines())) < 4_095
    # Ruby 2.7 and 3.0 have these first; Redmine 5.0 runs on older ones.
    newer = re.compile(r"filter_map|tally\b|def [a-z_?!]+(\(.*?\))? = |\b_1\b|\bit\.[a-z]|in \[.*\] *$")
    assert [line for line in text.splitlines() if newer.search(line)] == []


def test_a_request_is_the_first_lines_of_the_script(tmp_path: Path) -> None:
    """The request arrives as it was sent, before the program as it is, whatever characters it has."""
    odd = {"op": "read", "text": "a'b\"c`d$e\\f#{g}\nh\r\n\t\0 ü 😀 \u2028 \ud800 CATALOG_REQUEST='"}
    call(standin("good", str(tmp_path / "got")), odd)
    got = json.loads((tmp_path / "got").read_text())
    assert got["request"].items() >= odd.items() and got["rest"] == "\n" + program()
    assert max(map(len, script(odd).partition(program())[0].splitlines())) < 100


def test_a_request_of_some_megabytes_arrives(tmp_path: Path) -> None:
    """A large request is written while the answer is read."""
    large = {**READ, "text": "x" * 2_800_000}
    call(standin("good", str(tmp_path / "got")), large)
    assert json.loads((tmp_path / "got").read_text())["request"]["text"] == large["text"]


def test_a_program_elsewhere_knows_how_long_it_is_waited_for(tmp_path: Path) -> None:
    """Half of the timeout goes with the request: after it, the program does not write any more."""
    call(standin("good", str(tmp_path / "got")), timeout=30)
    assert json.loads((tmp_path / "got").read_text())["request"]["within"] == 15


# Answers


@pytest.mark.parametrize("way", ["good", "noise", "prefixed", "bad-exit", "orphan"])
def test_an_answer_is_found(way: str, tmp_path: Path) -> None:
    """An answer counts among noise, behind a prefix, with any exit code, and while something holds the pipes open."""
    began = time.monotonic()
    assert call(standin(way, str(tmp_path / "got"), str(tmp_path / "pids")))["request"] == "read"
    assert time.monotonic() - began < 10


NO_ANSWER = {
    "none": "ended with exit code 0 and no answer: nothing to say",
    "failed": "ended with exit code 1 and no answer: boom: no database",
    "killed": "ended with signal SIGKILL and no answer",
    "cut": "ended with exit code 0 and no answer",
    "stranger": "ended with exit code 0 and no answer",
    "protocol": "answered with another protocol than that of this version",
    "no-base64": "answered with something that is not an answer",
    "no-json": "answered with something that is not an answer",
    "no-utf8": "answered with something that is not an answer",
    "no-mapping": "answered with something that is not an answer",
    "deep": "answered with something that is not an answer",
    "unsure": "could not tell what was written: the disk is full",
}


@pytest.mark.parametrize(("way", "why"), NO_ANSWER.items(), ids=NO_ANSWER)
def test_what_is_no_answer_is_told(way: str, why: str) -> None:
    """Without an answer, a read has failed, and the outcome of a write is unknown."""
    assert refused(way).startswith(f"catalog_command {why}")
    assert lost(way).startswith(f"catalog_command {why}")


def test_a_refusal_of_the_program_means_that_nothing_was_written() -> None:
    """What the program says that it did not do, it did not do, writes as well."""
    assert refused("refused", WRITE) == "catalog_command: there is no active administrator"


def test_an_answer_without_its_parts_is_none() -> None:
    """A session does not stumble over an answer that lacks what was asked for."""
    session = Session(Command(standin("empty"), 20))
    with pytest.raises(CatalogError, match="answered with something else than what was asked for"):
        asyncio.run(session.read(["tracker"]))
    with pytest.raises(AnswerLost, match="answered with something else than what was asked for"):
        asyncio.run(session.write([Item("create", "tracker", {"name": "Bug"})]))


# Bounds


def test_endless_output_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that prints and prints is ended at a limit; what was written by then is unknown."""
    monkeypatch.setattr(dialog.Dialog, "LARGEST", 8 << 20)
    assert "printed more than 8 MiB and no answer" in refused("endless")
    assert "printed more than 8 MiB and no answer" in lost("endless")


def test_noise_is_not_kept() -> None:
    """Only so much noise is kept as can be quoted."""

    async def hear() -> dialog.Dialog:
        heard = dialog.Dialog(b"0" * 32)
        for fd in (1, 2):
            for _ in range(300):
                heard.pipe_data_received(fd, b"x" * 65536)
        return heard

    heard = asyncio.run(hear())
    assert max(len(heard.noise), len(heard.said)) < 1 << 20


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
def test_an_answer_may_come_in_any_parts(size: int) -> None:
    """An answer is the same, however its bytes are spread over reads."""
    said = b"noise" * 50_000 + b"\nNONCE" + b"QUJD" * 5_000 + b".\r\nmore.\n"

    async def hear() -> dialog.Dialog:
        heard = dialog.Dialog(b"NONCE")
        for at in range(249_000, len(said), size):
            heard.pipe_data_received(1, said[at : at + size])
        return heard

    assert asyncio.run(hear()).answer == b"QUJD" * 5_000


@pytest.mark.slow
def test_endless_errors_end_with_the_timeout() -> None:
    """Standard error has no limit but time."""
    assert "did not answer within 1 seconds" in lost("endless-errors", timeout=1)


def test_both_ends_of_long_messages_are_quoted() -> None:
    """Of long messages, the beginning and the end are shown."""
    said = refused("loud")
    assert "first words" in said and said.endswith("last words.") and len(said) < 3_000


@pytest.mark.slow
@pytest.mark.parametrize("shell", [False, True], ids=["plain", "through-a-shell"])
def test_a_timeout_leaves_nothing_running(shell: bool, tmp_path: Path) -> None:
    """After the timeout, the command and all that it started are ended."""
    argv = standin("silent", str(tmp_path / "got"), str(tmp_path / "pids"))
    with pytest.raises(AnswerLost, match="did not answer within 2 seconds"):
        call(("sh", "-c", f"{shlex.join(argv)}; true") if shell else argv, WRITE, timeout=2)
    assert gone([int(pid) for pid in (tmp_path / "pids").read_text().split()])


def test_a_command_that_ends_leaves_nothing_writing(tmp_path: Path) -> None:
    """What a command without an answer leaves behind might go on writing: it is ended, too."""
    argv = standin("orphan-without-answer", str(tmp_path / "got"), str(tmp_path / "pids"))
    with pytest.raises(AnswerLost, match="ended with exit code 0 and no answer"):
        call(argv, WRITE)
    assert gone([int((tmp_path / "pids").read_text())])


def test_a_canceled_call_leaves_nothing_running(tmp_path: Path) -> None:
    """Ctrl-C ends the command, and all that it started."""

    async def cancel() -> None:
        command = Command(standin("silent", str(tmp_path / "got"), str(tmp_path / "pids")))
        task = asyncio.create_task(command.call(WRITE))
        while not (tmp_path / "pids").exists() or not (tmp_path / "pids").read_text():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert gone([int(pid) for pid in (tmp_path / "pids").read_text().split()])


# Hostile words


def test_messages_are_on_one_line_without_control_characters() -> None:
    """What a command says cannot clear a terminal, ring its bell or begin a line."""
    said = refused("hostile")
    assert said.isprintable() and "::error::" in said


def test_passwords_of_a_request_are_in_no_message() -> None:
    """A password that a command prints is masked, in plain text and in a terminal's echo of the request."""
    item = {"n": 0, "kind": "auth_source", "set": {"account_password": "hunter2-hunter2", "host": "ldap"}}
    request = {"op": "write", "items": [item]}
    said = lost("hostile", request)
    assert "hunter2" not in said and "•••" in said and "ldap" in said
    assert lost("echo", request) == "catalog_command ended with exit code 0 and no answer"


def test_other_secrets_are_in_no_message() -> None:
    """The secrets of the run are masked, too."""
    hidden = Secrets()
    hidden.add("no database")
    assert "boom: •••" in refused("failed", secrets=hidden)


# Commands


def test_a_command_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A command that is missing, not executable or impossible has written nothing."""
    (tmp_path / "plain").write_text("")
    (tmp_path / "broken").write_text("#!/nowhere/sh\n")
    (tmp_path / "broken").chmod(0o755)
    for argv, why in {
        ("no-such-command",): "no-such-command cannot be run: No such file or directory",
        (str(tmp_path / "plain"),): "plain cannot be run: Permission denied",
        (str(tmp_path),): "cannot be run: Permission denied",
        (str(tmp_path / "broken"),): "broken cannot be run: No such file or directory",
        ("sh", "a\0b"): "catalog_command cannot be run: embedded null byte",
    }.items():
        with pytest.raises(CatalogError, match=why):
            call(argv, WRITE)


def _nested(argv: Sequence[str]) -> Sequence[str]:
    return ("sh", "-c", f"exec sh -c {shlex.quote('exec ' + shlex.join(argv))}")


def _clean(argv: Sequence[str]) -> Sequence[str]:
    return ("env", "-i", *argv)


def _ssh(argv: Sequence[str]) -> Sequence[str]:
    """As ssh does: a banner comes first; the words are joined by blanks, and a shell reads the result."""
    return ("sh", "-c", 'echo "Welcome" >&2; exec sh -c "$*"', "ssh", *map(shlex.quote, argv))


def _docker(argv: Sequence[str]) -> Sequence[str]:
    """As `docker exec -i` does: the pipes are copied, and the command is in a session of its own."""
    return ("sh", "-c", 'cat | setsid -w "$@" | cat', "docker", *argv)


def _terminal(argv: Sequence[str]) -> Sequence[str]:
    """A terminal on the way (`ssh -tt`, `docker exec -t`): it echoes, and ends lines in its own way."""
    return (sys.executable, "-IS", str(HELPERS / "terminal.py"), *argv)


WRAPPERS = [_nested, _clean, _ssh, _docker, _terminal]


@pytest.mark.parametrize("wrapped", WRAPPERS, ids=["nested", "clean", "ssh", "docker", "terminal"])
def test_a_request_goes_through_wrappers(wrapped: Callable[[Sequence[str]], Sequence[str]], tmp_path: Path) -> None:
    """Nothing on the way changes a request or its answer: shells, an empty environment, pipes, a terminal."""
    argv = wrapped(standin("noise", str(tmp_path / "it's")))
    request = {**READ, "text": 'it\'s #{1} "$HOME" `id` 😀\n' * 500}
    assert call(argv, request)["request"] == "read"
    assert json.loads((tmp_path / "it's").read_text())["request"]["text"] == request["text"]


def test_the_environment_is_handed_on() -> None:
    """`DOCKER_HOST`, `SSH_AUTH_SOCK` and `KUBECONFIG` are of use to the command."""
    os.environ["RECONCILER_TEST_HANDED_ON"] = "yes"
    try:
        assert call(("sh", "-c", f'test "$RECONCILER_TEST_HANDED_ON" = yes && {shlex.join(standin("good"))}'))
    finally:
        del os.environ["RECONCILER_TEST_HANDED_ON"]


# Another Redmine


def test_another_redmine_is_told_by_its_names() -> None:
    """The program and the API must show the same trackers, statuses and roles; what differs is named."""
    session = Session(Command(standin("good"), 20))
    asyncio.run(session.read([]))
    session.prove({"tracker": {}, "issue_status": {}, "role": {}})
    with pytest.raises(CatalogError, match=r"another Redmine than `url`: it has other trackers \(Bug\)"):
        session.prove({"tracker": {1: "Bug"}, "issue_status": {}, "role": {}})


def test_a_write_goes_to_the_redmine_that_was_read(tmp_path: Path) -> None:
    """A write says which Redmine it is for, so that the program refuses it elsewhere."""
    session = Session(Command(standin("good", str(tmp_path / "got")), 20))
    asyncio.run(session.read([]))
    asyncio.run(session.write([]))
    assert json.loads((tmp_path / "got").read_text())["request"]["site"] == "here"
