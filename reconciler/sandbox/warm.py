"""A process that has Redmine loaded, for programs that run inside it: a call takes a tenth of a second, not three.

It belongs to a running server: it is started by the first program (`warm_client`), and stopped with the server.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from reconciler.sandbox import inside, process
from reconciler.sandbox.warm_client import PID_FILE, SOCKET

PROGRAM, LOG = "warm.rb", "warm.log"
CLIENT = Path(__file__).with_name("warm_client.py")
DOWN_TIMEOUT = 5.0  # seconds


def command(root: Path, folder: Path, env: Mapping[str, str], cold: Sequence[str]) -> tuple[str, ...]:
    """The command that runs Ruby from its standard input inside the Redmine of `folder`.

    `cold` is the command that does so without the process: the way out if it does not start.
    """
    (folder / PROGRAM).write_text(files(__package__).joinpath(PROGRAM).read_text(encoding="utf-8"), encoding="utf-8")
    within = "/" + str(folder.relative_to(root))
    rails = ["bin/rails", "runner", f"{within}/{PROGRAM}", f"{within}/{SOCKET}"]
    argv = process.recorded(f"{within}/{PID_FILE}", rails)
    start = process.daemon(folder / LOG, inside.command(root, argv, {"REDMINE_INSTANCE": folder.name}))
    job = {"env": dict(env), "start": start, "cold": list(cold)}
    # Isolated: no setting of the caller's Python, and no module of its current folder, has a say in it.
    return sys.executable, "-I", str(CLIENT), str(folder), json.dumps(job)


def pid(folder: Path) -> int | None:
    """The number of the process, or None if it does not run."""
    with suppress(OSError, ValueError):
        number = int((folder / PID_FILE).read_text())
        if process.has(number, PROGRAM.encode()):
            return number
    return None


def stop(folder: Path) -> None:
    """Stop the process and its programs, if it runs."""
    deadline = time.monotonic() + DOWN_TIMEOUT
    while (number := pid(folder)) is not None:
        with suppress(ProcessLookupError):
            # While Rails is being loaded, TERM ends it too.
            os.kill(number, signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL)
        time.sleep(0.02)
    for name in (SOCKET, PID_FILE):
        (folder / name).unlink(missing_ok=True)
