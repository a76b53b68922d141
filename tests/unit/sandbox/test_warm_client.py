"""How a program gets into the process that has Redmine loaded, and what happens if that does not start."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from reconciler.sandbox import warm, warm_client


def call(folder: Path, start: list[str], text: str = "") -> subprocess.CompletedProcess[str]:
    """A call of the client, with `cat` for the way without the process."""
    job = json.dumps({"env": {"GIVEN": "one"}, "start": start, "cold": ["/bin/cat"]})
    argv = [sys.executable, "-I", str(warm.CLIENT), str(folder), job]
    return subprocess.run(argv, input=text, capture_output=True, text=True, check=False)


def answer(server: socket.socket, code: str) -> None:
    """What the process does: writes to the caller's output, and tells how the program ended."""
    caller, _ = server.accept()
    with caller:
        files = [socket.recv_fds(caller, 1, 1)[1][0] for _ in range(3)]
        given = json.loads(caller.makefile().readline())
        os.write(files[1], given["GIVEN"].encode() + os.read(files[0], 99))
        for file in files:
            os.close(file)
        caller.sendall(code.encode())


@pytest.mark.parametrize(("code", "ended"), [("0\n", 0), ("3\n", 3), ("-15\n", -15), ("", -9)])
def test_the_client_ends_as_the_program_does(tmp_path: Path, code: str, ended: int) -> None:
    """Exit codes and signals are the program's; a process that ends on the way counts as killed."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / warm_client.SOCKET))
        server.listen()
        process = threading.Thread(target=answer, args=(server, code))
        process.start()
        ran = call(tmp_path, ["/bin/false"], "sent")
        process.join()
    assert (ran.stdout, ran.returncode) == ("onesent", ended)


def test_a_process_that_does_not_start_is_not_needed(tmp_path: Path) -> None:
    """If Rails cannot be loaded, the program runs without the process."""
    (tmp_path / warm_client.SOCKET).touch()
    gone = ["/bin/sh", "-c", f"echo 999999999 > {warm_client.PID_FILE}"]
    ran = call(tmp_path, gone, "sent")
    assert (ran.stdout, ran.returncode) == ("sent", 0)
