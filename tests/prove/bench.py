"""Runs the tool against a remembered Redmine, undisturbed or with a fault of one request."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import httpx
from faults import KILL, LATE, TERM, Trouble
from promises import Api, state
from proxy import Exchange, Fault
from remembered import Remembered, RememberingProxy
from world import STAGES, write

import reconciler
from reconciler import pipeline
from reconciler.apply.report import Report
from reconciler.errors import ReconcilerError
from reconciler.plan.operations import Plan
from reconciler.plan.options import ALL
from reconciler.redmine.client import Client
from reconciler.sandbox import Running

T = TypeVar("T")
PAGE = 3
"""Rows of a page where lists are read in small pages: two pages overlap by a row."""

HIDDEN = (
    "SELECT identifier, default_issue_query_id FROM projects ORDER BY identifier",
    "SELECT login, language, mail_notification, hashed_password <> '' FROM users WHERE type = 'User' ORDER BY login",
    "SELECT login, hide_mail, time_zone FROM user_preferences JOIN users ON users.id = user_id ORDER BY login",
)
"""What can be written, and is in no answer."""

Left = dict[str, dict[str, Any]]
"""Address → field → wanted value, of everything that a plan would change."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: the outcome of each change, or the error that ended it; `said` are the messages."""

    outcomes: dict[str, str] = field(default_factory=dict)
    error: str = ""
    said: dict[str, str] = field(default_factory=dict)

    @property
    def word(self) -> str:
        """The worst that a change came to."""
        if self.error:
            return "error"
        return next((o for o in ("failed", "unknown", "skipped") if o in self.outcomes.values()), "done")


@dataclass(frozen=True, slots=True)
class Recording:
    """An undisturbed apply: the states before and after it, its writes, and what there is in the end."""

    before: str
    after: str
    writes: tuple[str, ...]
    rows: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """An undisturbed plan: the reads, which faults they can have, and what it would change."""

    stage: str
    state: str
    paged: bool
    reads: tuple[str, ...]
    answers: tuple[tuple[Exchange, httpx.Response], ...]
    changes: Any


class Bench:
    """A running sandbox with its memory, and the manifests; a context manager."""

    def __init__(self, server: Running, folder: Path) -> None:
        self.server = server
        self.folders = write(folder / "manifests", server.version)
        (folder / "states").mkdir()
        self.memory = Remembered(server, folder / "states")
        self.proxy = RememberingProxy(self.memory)
        self.out = folder / "out.json"
        self.at_end = ""
        """The state when the last run ended, before the server executed what was late."""
        self.recordings: dict[str, Recording] = {}
        self.readings: dict[str, Reading] = {}
        self._left: dict[tuple[str, str], Left | str] = {}
        self._rows: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Bench:
        self.proxy.__enter__()
        environ = {"REDMINE_URL": self.proxy.url, "REDMINE_API_KEY": self.server.api_key, "REDMINE_CONCURRENCY": "1"}
        # One request at a time: the same run sends the same requests in the same order.
        self.environ = environ
        self.manifests = {name: reconciler.load(path, environ=environ) for name, path in self.folders.items()}
        return self

    def __exit__(self, *error: Any) -> None:
        self.proxy.__exit__(None, None, None)
        self.memory.close()

    # -- undisturbed -------------------------------------------------------------------------------------------

    def record(self) -> None:
        """Both applies, and the plans, undisturbed."""
        for stage in STAGES:
            before = self.memory.state
            ended = self.apply(stage)
            assert ended.word == "done", ended
            writes = tuple(f"{e.method} {e.path}" for e in self.proxy.writes)
            after = self.memory.state
            assert self.left(stage, after) == {}, self.left(stage, after)
            self.recordings[stage] = Recording(before, after, writes, self.rows(after))
        created = self.recordings["create"].after
        self.readings["steady"] = self._read("create", created, paged=False)
        self.readings["change"] = self._read("change", created, paged=False)
        self.readings["pages"] = self._read("change", created, paged=True)
        self.memory.keep()

    def _read(self, stage: str, at: str, *, paged: bool) -> Reading:
        answers: list[tuple[Exchange, httpx.Response]] = []
        self.memory.state = at
        with self._through(None, paged=paged, seen=answers):
            plan = self._run(lambda client: _plan(client, self.manifests[stage]))
        reads = tuple(f"{e.method} {e.path}" for e, _ in answers)
        return Reading(stage, at, paged, reads, tuple(answers), plan.changes)

    # -- one run -----------------------------------------------------------------------------------------------

    def apply(self, stage: str, write: int = 0, trouble: Trouble | None = None) -> Ended:
        """An apply in the current state, of which the n-th write has a trouble."""
        with self._through(trouble and (lambda e: e.write == write, trouble)):
            if trouble and trouble.act in (KILL, TERM):
                return self._apply_in_child(stage)
            try:
                report = self._run(lambda client: _apply(client, self.manifests[stage]), trouble)
            except ReconcilerError as error:
                return Ended(error=f"{type(error).__name__}: {error}")
        return _ended(report)

    def plan(self, reading: Reading, number: int, trouble: Trouble) -> Plan | str:
        """The plan whose n-th request has a trouble, or the error."""
        self.memory.state = reading.state
        with self._through((lambda e: e.number == number, trouble), paged=reading.paged):
            try:
                return self._run(lambda client: _plan(client, self.manifests[reading.stage]), trouble)
            except ReconcilerError as error:
                return f"{type(error).__name__}: {error}"

    def left(self, stage: str, at: str) -> Left | str:
        """What an undisturbed plan would change in a state, or the error."""
        if (stage, at) not in self._left:
            self.memory.state = at
            with self._through(None):
                try:
                    plan = self._run(lambda client: _plan(client, self.manifests[stage]))
                    self._left[stage, at] = unfinished(plan)
                except ReconcilerError as error:
                    self._left[stage, at] = f"{type(error).__name__}: {error}"
        return self._left[stage, at]

    def rows(self, at: str) -> dict[str, Any]:
        """Everything that there is in a state, field by field, without ids and times."""
        if at not in self._rows:
            self.memory.state = at
            with self._through(None), Api(replace(self.server, url=self.proxy.url)) as api:
                self._rows[at] = state(api)
            hidden = (self.memory.select(at, query) for query in HIDDEN)
            self._rows[at]["hidden"] = [row for rows in hidden for row in rows]
        return self._rows[at]

    def forget(self) -> None:
        """Forget what only the last cases needed."""
        kept = {s for r in self.recordings.values() for s in (r.before, r.after)}
        self._left = {k: v for k, v in self._left.items() if k[1] in kept}
        self._rows = {k: v for k, v in self._rows.items() if k in kept}
        self.memory.forget()

    # -- inside ------------------------------------------------------------------------------------------------

    @contextmanager
    def _through(
        self,
        fault: tuple[Callable[[Exchange], bool], Trouble] | None,
        *,
        paged: bool = False,
        seen: list[tuple[Exchange, httpx.Response]] | None = None,
    ) -> Iterator[None]:
        """The proxy with a fault; what a server executes late is executed at the end."""
        self.proxy.clear()
        self._process: Any = None
        late: list[Exchange] = []
        self.proxy.page = PAGE if paged else None
        self.proxy.seen = seen
        self.proxy.fault = self._chooser(*fault, late) if fault else None
        try:
            yield
        finally:
            self.proxy.fault = None
            self.proxy.drop()
            self.at_end = self.memory.state
            for exchange in late:
                self.memory.answer(exchange)

    def _chooser(
        self, chosen: Callable[[Exchange], bool], trouble: Trouble, late: list[Exchange]
    ) -> Callable[[Exchange], Fault | None]:
        begun = False

        def choose(exchange: Exchange) -> Fault | None:
            nonlocal begun
            if not (chosen(exchange) and not begun) and not (begun and trouble.lasting):
                return None
            begun = True
            if trouble.act == LATE:
                late.append(exchange)
            if trouble.act == KILL and not trouble.fault.forward:
                self._process.kill()
            if trouble.act == TERM:
                self._process.terminate()
                # The signal is handled before the answer arrives.
                time.sleep(0.05)
            if trouble.asked:
                trouble.asked(exchange)
            kill = self._process.kill if trouble.act == KILL else None
            return replace(trouble.fault, call=self._let_time_pass if trouble.hangs else kill)

        return choose

    def _run(self, action: Callable[[Client], Awaitable[T]], trouble: Trouble | None = None) -> T:
        connection = next(iter(self.manifests.values())).config.connection()
        if trouble and trouble.hangs:
            connection = replace(connection, timeout=2 * connection.deadline)

        async def main() -> T:
            self._clock = Clock(asyncio.get_running_loop())
            async with Client(connection) as client:
                return await action(client)

        with hurried():
            return asyncio.run(main())

    def _let_time_pass(self) -> None:
        """The deadline of what is under way passes: nobody has to wait for it."""
        self._clock.advance(DEADLINE)

    def _apply_in_child(self, stage: str) -> Ended:
        self.out.unlink(missing_ok=True)
        self._process = CHILDREN.Process(target=_child, args=(str(self.folders[stage]), self.environ, str(self.out)))
        self._process.start()
        self._process.join(120)
        if self._process.is_alive():
            self._process.kill()
            return Ended(error="hangs")
        code = self._process.exitcode
        if code == -9:
            return Ended(error="killed")
        text = self.out.read_text() if self.out.exists() else ""
        if not text.strip():
            return Ended(error=f"exit {code} without a report")
        results = json.loads(text)["results"]
        said = {f"{r['kind']} {r['key']}": json.dumps(r.get("errors", [])) for r in results}
        return Ended({f"{r['kind']} {r['key']}": r["outcome"] for r in results}, said=said)


def unfinished(plan: Plan) -> Left:
    """Address → field → value, of what a plan changes in the end: not a gate that is opened for others and closed."""
    found: Left = {}
    for change in plan.changes:
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        for one in change.all_fields:
            before.setdefault(one.path, one.before)
            after[one.path] = one.after
        left = {path: value for path, value in after.items() if value != before[path]}
        if left or change.action in ("create", "delete"):
            found[str(change.address)] = left
    return found


async def _plan(client: Client, manifests: pipeline.Manifests) -> Plan:
    return (await pipeline.plan(client, manifests)).plan


async def _apply(client: Client, manifests: pipeline.Manifests) -> Report:
    return await pipeline.apply(client, manifests, ALL)


def _ended(report: Report) -> Ended:
    said = {str(r.change.address): "; ".join([*map(str, r.errors), r.because or ""]) for r in report.results}
    return Ended({str(r.change.address): r.outcome for r in report.results}, said=said)


DEADLINE = 121.0
"""Seconds after which no request is waited for any more: the default and one."""


class Clock:
    """Takes an event loop's time into the future, from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop, self.offset, now = loop, 0.0, loop.time
        vars(loop)["time"] = lambda: now() + self.offset

    def advance(self, seconds: float) -> None:
        """Whatever is due within these seconds is due now."""

        def add() -> None:
            self.offset += seconds

        self.loop.call_soon_threadsafe(add)


_sleep = asyncio.sleep


@contextmanager
def hurried() -> Iterator[None]:
    """The tool does not really wait between attempts: the server is as far as it will get. The proxy's hangs stay."""
    tool = threading.current_thread()

    async def sleep(seconds: float, result: Any = None) -> Any:
        return await _sleep(0 if threading.current_thread() is tool else seconds, result)

    with patch("asyncio.sleep", sleep):
        yield


# -- the process that is killed ----------------------------------------------------------------------------------

CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload(
    ["reconciler.cli.apply", "reconciler.pipeline", "reconciler.plan.comparison", "reconciler.apply.run", "bench"]
)


def _child(folder: str, environ: dict[str, str], out: str) -> None:
    """`reconciler apply` with its report in a file."""
    from reconciler.cli import main

    os.environ.update(environ)
    with Path(out).open("w") as file:
        os.dup2(file.fileno(), 1)
        with Path(os.devnull).open("w") as nothing:
            os.dup2(nothing.fileno(), 2)
        main(["apply", "--yes", "--format", "json", folder])
    sys.exit()
