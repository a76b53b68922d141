"""Redmine's web server (puma) as the daemon of one instance."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from http import HTTPStatus
from pathlib import Path

from reconciler.errors import SandboxError
from reconciler.sandbox import inside, process

HOST = "127.0.0.1"
ANY = 0  # for bind(2): any free port
PID_FILE, LOG = "puma.pid", "puma.log"
# After a response, Puma 5.6 waits 0.2 s for another request on the same connection; with one thread, all other
# connections wait too (12 requests in turn on 6 connections take 2.3 s, with this setting 0.25 s).
CONFIG = """\
if Puma::Const.const_defined?(:FAST_TRACK_KA_TIMEOUT)
  Puma::Const.send(:remove_const, :FAST_TRACK_KA_TIMEOUT)
  Puma::Const.const_set(:FAST_TRACK_KA_TIMEOUT, 0)
end
"""
# Redmine is loaded once, and its processes are copies of that one: they start in no time and share its memory.
CLUSTER_CONFIG = """\
workers {workers}
preload_app!
"""
WORKER = b"puma: cluster worker"  # in the command line of each of these processes, before the tag
PUMA_CONFIG = "puma.rb"
UP_TIMEOUT, DOWN_TIMEOUT, ANSWER_TIMEOUT, PORT_TIMEOUT = 90.0, 10.0, 30.0, 2.0  # seconds


def spawn(root: Path, folder: Path, port: int, workers: int, threads: str) -> None:
    """Start the server of the instance at `folder` (inside `root`) on `port`; it outlives this process.

    It has `workers` processes with `threads` each (`least:most`).
    """
    pid_file = "/" + str((folder / PID_FILE).relative_to(root))
    cluster = CLUSTER_CONFIG.format(workers=workers) if workers > 1 else ""
    (folder / PUMA_CONFIG).write_text(CONFIG + cluster)
    puma: Sequence[str] = [
        "puma",
        "-C",
        "/" + str((folder / PUMA_CONFIG).relative_to(root)),
        "-e",
        "production",
        "-t",
        threads,
        "-b",
        f"tcp://{HOST}:{port}",
        # By it `stop` knows the processes of a server that was killed.
        "--tag",
        f"{HOST}:{port}",
        "config.ru",
    ]
    argv = inside.command(root, process.recorded(pid_file, puma), {"REDMINE_INSTANCE": folder.name})
    # Before the start: the pid of the last server would look like one that exited.
    (folder / PID_FILE).unlink(missing_ok=True)
    process.spawn(process.daemon(folder / LOG, argv))


def wait_ready(folder: Path, port: int, api_key: str) -> None:
    """Wait until the server accepts the administrator's API key.

    Raises SandboxError, with the end of its log, if it exits, rejects the key or does not respond in time.
    """
    deadline = time.monotonic() + UP_TIMEOUT
    while (status := _probe(port, api_key)) != HTTPStatus.OK:
        if reason := _why_failed(folder, port, status, deadline):
            log = process.tail((folder / LOG).read_text(errors="replace"))
            raise SandboxError(f"The sandbox's server on port {port} {reason}. From its log:\n{log}")
        time.sleep(0.05)


def _why_failed(folder: Path, port: int, status: int, deadline: float) -> str:
    # 5xx and no answer are normal while Rails starts; a 4xx does not go away by waiting.
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return f"rejects the administrator's key with {status}: the setup may have changed the key or disabled REST"
    if _recorded(folder) and pid(folder, port) is None:
        return "exited while starting; start it again"
    if time.monotonic() > deadline:
        return f"was not ready within {UP_TIMEOUT:.0f} s (last status {status or 'none'}); start it again"
    return ""


def _probe(port: int, api_key: str) -> int:
    """The status of a request as the administrator, or 0 without a response."""
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_TIMEOUT)
    with closing(connection), suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/users/current.json", headers={"X-Redmine-API-Key": api_key})
        return connection.getresponse().status
    return 0


def _recorded(folder: Path) -> bool:
    """Whether the shell has come as far as writing its process id: the file is there, and empty, just before."""
    with suppress(OSError):
        return bool((folder / PID_FILE).read_text())
    return False


def pid(folder: Path, port: int) -> int | None:
    """The process id of the instance's running server, or None."""
    with suppress(OSError, ValueError):
        number = int((folder / PID_FILE).read_text())
        if process.has(number, b"puma", f"{HOST}:{port}".encode()):
            return number
    return None


def stop(folder: Path, port: int) -> None:
    """Stop the instance's server, if it is running. Raises SandboxError if it belongs to another user."""
    number = pid(folder, port)
    for sign in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + DOWN_TIMEOUT
        if number is not None:
            _send(number, sign)
        while pid(folder, port) is not None and time.monotonic() < deadline:
            time.sleep(0.02)
        if pid(folder, port) is None:
            break
    _stop_workers(folder, port)
    (folder / PID_FILE).unlink(missing_ok=True)


def _stop_workers(folder: Path, port: int) -> None:
    """Kill processes whose server was killed, and wait for them: they still have its port."""
    deadline = time.monotonic() + PORT_TIMEOUT
    while (left := _workers(folder, port)) and time.monotonic() < deadline:
        for number in left:
            _send(number, signal.SIGKILL)
        time.sleep(0.02)
    # A process that ends closes its sockets after everything that /proc shows of it.
    while not is_free(port) and time.monotonic() < deadline:
        time.sleep(0.02)


def _workers(folder: Path, port: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        # puma: cluster worker 1: PID OF THE SERVER [TAG]
        server = f": {(folder / PID_FILE).read_text().strip()} [{HOST}:{port}]".encode()
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                line = path.read_bytes()
                if line.startswith(WORKER) and server in line:
                    found.append(int(path.parent.name))
    return found


def _send(number: int, sign: signal.Signals) -> None:
    try:
        os.kill(number, sign)
    except ProcessLookupError:
        return
    except PermissionError:
        raise SandboxError(
            f"The sandbox's server (process {number}) belongs to another user; only that user can stop it."
        ) from None


def free_port(preferred: int) -> int:
    """`preferred` if it is a port that nothing listens on, else any free port."""
    if preferred != ANY and is_free(preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind((HOST, ANY))
        number: int = probe.getsockname()[1]
    return number


def is_free(port: int) -> bool:
    """Whether `port` is free now."""
    with socket.socket() as probe:
        # Connections of the last server that are still closing do not make a port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
