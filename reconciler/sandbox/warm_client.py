"""Hands a Ruby program to the process that has Redmine loaded (`warm.rb`), and starts that if it does not run.

`python warm_client.py FOLDER JOB`: the folder of the sandbox, and JSON with `env`, the environment of the program;
`start`, the command that starts the process; and `cold`, the command that runs the program without it. The program is
read from standard input. Only the standard library, and no other module of the package: it starts in milliseconds.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from subprocess import DEVNULL

SOCKET, PID_FILE, LOCK = "warm.sock", "warm.pid", "warm.lock"
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])  # chroot is in /usr/sbin
BOOT = 90.0
"""Seconds in which Rails has to be loaded."""


def main(folder: str, job: str) -> None:
    """Run the program on standard input; this process ends as the program does."""
    # The path of a socket has at most 107 characters; that of a folder may be longer.
    os.chdir(folder)
    given = json.loads(job)
    connection = connect() or started(given["start"])
    if connection is None:
        os.execv(given["cold"][0], given["cold"])
    with connection:
        for number in (0, 1, 2):
            socket.send_fds(connection, [b"\0"], [number])
        connection.sendall(json.dumps(given["env"]).encode() + b"\n")
        answer = connection.makefile().readline()
    end(int(answer) if answer.strip() else -signal.SIGKILL)


def connect() -> socket.socket | None:
    """A connection to the process; None if it does not run."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(SOCKET)
    except OSError:
        connection.close()
        return None
    return connection


def started(command: list[str]) -> socket.socket | None:
    """A connection to a new process; None if it does not start."""
    with Path(LOCK).open("w") as lock:
        # Another client may be starting it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if connection := connect():
            return connection
        for name in (SOCKET, PID_FILE):
            Path(name).unlink(missing_ok=True)
        launch(command)
        deadline = time.monotonic() + BOOT
        while time.monotonic() < deadline and alive():
            if connection := connect():
                return connection
            time.sleep(0.02)
    return None


def launch(command: list[str]) -> None:
    """Run a command that leaves the process behind."""
    # In a session of its own: what ends this process's group must leave it alone. Nor does it get this process's
    # streams, whose end the caller waits for.
    env = os.environ | {"PATH": PATH}
    subprocess.run(command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, env=env, umask=0o022, start_new_session=True)


def alive() -> bool:
    """Whether the process runs, or has not come as far as saying its number."""
    try:
        os.kill(int(Path(PID_FILE).read_text()), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError):
        pass
    return True


def end(code: int) -> None:
    """End with an exit code, or by a signal, as the program did."""
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
