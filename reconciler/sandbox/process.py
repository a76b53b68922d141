"""Runs other programs with a timeout, and leaves no process behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from reconciler.errors import SandboxError
from reconciler.sandbox.archive import OWN_SERVER

# chroot is in /usr/sbin, which an ordinary user's PATH lacks on Debian.
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
CREDENTIALS = re.compile(r"://[^/\s@]*@")
RUBY_FRAME = "\tfrom "  # a line of a Ruby backtrace
TAIL = 8  # lines of a failed program's output to show


def run(argv: Sequence[str], *, what: str, timeout: float, text: str = "") -> str:
    """Run `argv` with `text` on standard input and return its standard output.

    `what` names the step in errors; `timeout` is in seconds. Raises SandboxError if the program fails, with the end of
    its output, or times out; its whole process group is killed then.
    """
    with subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # On top of the environment, which has the proxies that apt needs.
        env=os.environ | {"PATH": PATH},
        encoding="utf-8",
        errors="replace",
        # Files that are unpacked must be readable for the user that Redmine runs as.
        umask=0o022,
        # A group of its own: a timeout kills the children too, and Ctrl-C does not reach them before us.
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(text, timeout)
        # Ctrl-C as well: an apt or rake that goes on would keep files and locks.
        except BaseException as error:
            _kill_group(process.pid)
            if isinstance(error, subprocess.TimeoutExpired):
                raise SandboxError(f"{what} did not finish within {timeout:.0f} s; try again, {OWN_SERVER}.") from None
            raise
    if process.returncode != 0:
        raise SandboxError(f"{what} failed (exit code {process.returncode}):\n{tail(err or out)}")
    return out


def _kill_group(leader: int) -> None:
    # It may have ended meanwhile.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def tail(text: str, lines: int = TAIL) -> str:
    """The last `lines` lines of `text`, indented, without Ruby backtraces and credentials in URLs."""
    kept = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith(RUBY_FRAME)]
    return "\n".join(f"  {CREDENTIALS.sub('://', line)}" for line in kept[-lines:])


LOOKS = 25
"""So often a command line is read that is empty or cut off: for a moment, while a process becomes a program or gives
itself a title."""


def has(number: int, *marks: bytes) -> bool:
    """Whether the command line of a process has these marks: the kernel reuses process ids. Raises OSError if there is
    no such process, or if it has ended."""
    for _ in range(LOOKS):
        line = command_line(number)
        found = [mark in line for mark in marks]
        if all(found) or (line and not any(found)):
            return all(found)
        time.sleep(0.02)
    return False


def command_line(number: int) -> bytes:
    """The command line of a process. Raises OSError if there is no such process, or if it has ended."""
    line = Path(f"/proc/{number}/cmdline").read_bytes()
    if not line:
        # Of a process that has ended and that nobody has waited for yet, this raises an error.
        Path(f"/proc/{number}/exe").readlink()
    return line


def recorded(pid_file: str, argv: Sequence[str]) -> list[str]:
    """`argv`, which first records its process id: a start that is killed never leaves an unknown daemon."""
    # The shell records its pid before it becomes the program.
    return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', pid_file, *argv]


def daemon(log: Path, argv: Sequence[str]) -> list[str]:
    """The command that leaves `argv` in the background, and ends."""
    # Through a shell's `&`: it is adopted by init, and is no child of this process.
    return ["sh", "-c", '"$@" </dev/null >"$0" 2>&1 &', str(log), *argv]


def require(*programs: str) -> None:
    """Raise SandboxError if one of `programs` is not installed."""
    missing = [p for p in programs if shutil.which(p, path=PATH) is None]
    if missing:
        raise SandboxError(
            f"The sandbox needs {', '.join(missing)}, not installed on this machine. "
            f"It works on Debian and its derivatives: install the missing programs, {OWN_SERVER}."
        )


def spawn(argv: Sequence[str]) -> None:
    """Run `argv`, a shell that starts a daemon in the background, in its own session."""
    subprocess.run(argv, env=os.environ | {"PATH": PATH}, umask=0o022, start_new_session=True, check=True, timeout=10)
