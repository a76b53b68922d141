"""The tasks against a real Redmine: create, re-check, update, export."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from contest import Contender, Rules, best, contest
from process import TOOL, output_of, python, say
from results import BARE, LISTING, REFRESH, SCRIPT, Part, Scenario
from results import TOOL as NAME
from worlds import items, seeding, write_manifest, write_requests, write_table

from reconciler.sandbox import Running, Sandbox

AT_A_TIME = 10
"""Of those that get each object: Terraform's default."""
WORKERS = 2
"""Of a Redmine with PostgreSQL."""
LOOKED_UP = 3
"""Lists that the script reads first: trackers, priorities, versions."""


@dataclass(frozen=True)
class Sizes:
    """How many objects; of more than `sample` the slow contenders do only so many, and the rest is computed."""

    small: int = 1000
    large: int = 10_000
    sample: int = 1000


@dataclass
class Stage:
    """A sandbox with the world of a manifest."""

    sandbox: Sandbox
    running: Running
    folder: Path
    rules: Rules
    sizes: Sizes
    seeded: int = field(default=-1)

    def seed(self, issues: int) -> None:
        """Make the world of so many issues, if it is not there, and let `reset` come back to it."""
        if self.seeded != issues:
            self.sandbox.run(seeding(issues))
            self.seeded = issues
        self.sandbox.snapshot()

    def record(self, task: str, given: Path) -> list[Any]:
        """The requests of the tool for a task."""
        path = self.folder / "recorded.json"
        output_of(python("record.py", path, task, given))
        return list(json.loads(path.read_text()))

    def bare(self, name: str, requests: Sequence[Any], **options: Any) -> Contender:
        """These requests and nothing else, at the best concurrency."""
        return fastest(self.running.url, self.folder / name, requests, **options)

    def refresh(self, sent: Sequence[Any], *flags: str, **options: Any) -> Contender:
        """Each object by itself, ten at a time."""
        command, idle = refreshing(self.running.url, self.folder, sent, *flags)
        return Contender(REFRESH, command, concurrency=AT_A_TIME, idle=idle, **options)

    def script(self, table: Path, did: str, count: int, **options: Any) -> Contender:
        """The script that looks each object up."""
        command, idle = looking_up(table)
        return Contender(SCRIPT, command, check=partial(did_all, did, count), idle=idle, **options)

    def ids(self) -> list[int]:
        """The ids of all issues."""
        headers = {"X-Redmine-API-Key": self.running.api_key}
        with httpx.Client(base_url=self.running.url, headers=headers, timeout=120) as client:
            return list(listed(lambda query: client.get("/issues.json", params=query).json()))


def fastest(url: str, path: Path, requests: Sequence[Any], **options: Any) -> Contender:
    """Bare HTTP with these requests, which are written to files beside `path`, at the best concurrency."""
    every = write_requests(path.with_suffix(".json"), requests)
    some = write_requests(path.with_suffix(".some.json"), requests[:200])
    command = partial(python, "bare.py", url)
    concurrency = best(lambda number: Contender(BARE, command(number, some, "--fresh"), **options))
    return Contender(BARE, command(concurrency, every, "--fresh"), len(requests), concurrency=concurrency, **options)


def refreshing(url: str, folder: Path, sent: Sequence[Any], *flags: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The command that sends each of these by itself, and the same with none."""
    paths = write_requests(folder / "refresh.json", sent), write_requests(folder / "nothing.json", [])
    some, none = (python("bare.py", url, AT_A_TIME, path, *flags) for path in paths)
    return some, none


def looking_up(table: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The command that looks up all rows of a table, and the same with none."""
    nothing = write_table(table.with_name("nothing.csv"), [])
    return python("script.py", "seed", table), python("script.py", "seed", nothing)


def listed(page: Callable[[dict[str, Any]], Any]) -> Iterator[int]:
    """The ids of all pages of issues."""
    offset = 0
    while rows := page({"status_id": "*", "limit": 100, "offset": offset, "sort": "id"})["issues"]:
        yield from (row["id"] for row in rows)
        offset += len(rows)


def did_all(what: str, count: int, output: str) -> None:
    """Raises unless the script did what it had to do."""
    said = json.loads(output.splitlines()[-1])
    if said[what] != count:
        raise SystemExit(f"The script should have {what} {count} issues: {output}")


def create(stage: Stage) -> Scenario:
    """Issues that are not there yet."""
    count, reset = stage.sizes.small, stage.sandbox.reset
    some = min(count, stage.sizes.sample)
    scale = count / some
    stage.seed(0)
    full = write_manifest(stage.folder / "full.yaml", count)
    sent = stage.record("apply", full)
    posts = [request for request in sent if request[0] == "POST"]
    table = write_table(stage.folder / "full.csv", items(some))
    contenders = [
        Contender(NAME, (*TOOL, "apply", "--yes", str(full)), len(sent), before=reset),
        stage.bare("posts", posts, before=reset),
        stage.script(table, "created", some, requests=2 * count + LOOKED_UP, scale=scale, before=reset),
        stage.refresh(posts[:some], "--read-back", requests=2 * count, scale=scale, before=reset),
    ]
    series = contest(contenders, stage.rules)
    reset()
    return Scenario("create", count, series)


def recheck(stage: Stage, count: int) -> Scenario:
    """Nothing has changed."""
    stage.seed(count)
    full = write_manifest(stage.folder / "full.yaml", count)
    sent = stage.record("plan", full)
    some = min(count, stage.sizes.sample)
    table, all_rows = (write_table(stage.folder / f"{n}.csv", items(n)) for n in (some, count))
    pages = -(-count // 100)
    listing = python("script.py", "seed", all_rows, "--list-first")
    contenders = [
        Contender(NAME, (*TOOL, "plan", "--detailed-exitcode", str(full)), len(sent)),
        stage.bare("gets", sent),
        stage.script(table, "unchanged", some, requests=count + LOOKED_UP, scale=count / some),
        Contender(LISTING, listing, pages + LOOKED_UP, check=partial(did_all, "unchanged", count)),
        stage.refresh(shown(stage.ids()[:some]), requests=count, scale=count / some),
    ]
    return Scenario("re-check", count, contest(contenders, stage.rules))


def shown(ids: Sequence[int], query: str = "") -> list[Any]:
    """The requests for the own pages of issues."""
    return [["GET", f"/issues/{number}.json{query}", None] for number in ids]


def update(stage: Stage) -> Scenario:
    """One in ten has changed."""
    count, reset = stage.sizes.small, stage.sandbox.reset
    changed = count // 10
    stage.seed(count)
    full = write_manifest(stage.folder / "changed.yaml", count, changed)
    sent = stage.record("apply", full)
    reset()
    puts = [request for request in sent if request[0] == "PUT"]
    table = write_table(stage.folder / "changed.csv", items(count, changed))
    contenders = [
        Contender(NAME, (*TOOL, "apply", "--yes", str(full)), len(sent), before=reset),
        stage.bare("updates", sorted(sent, key=lambda request: request[0]), before=reset),
        stage.script(table, "updated", changed, requests=count + changed + LOOKED_UP, before=reset),
        stage.refresh([*shown(stage.ids()), *puts], "--read-back", requests=count + 2 * len(puts), before=reset),
    ]
    series = contest(contenders, stage.rules)
    reset()
    return Scenario("update of one in ten", count, series)


def export(stage: Stage) -> Scenario:
    """Everything to files, with notes and watchers."""
    count, folder = stage.sizes.small, stage.folder / "exported"
    stage.seed(count)
    gone = partial(shutil.rmtree, folder, ignore_errors=True)
    sent = stage.record("export", stage.folder / "recorded")
    pages = -(-count // 100)
    contenders = [
        Contender(NAME, (*TOOL, "export", "-o", str(folder)), len(sent), before=gone),
        stage.bare("exported", sent),
        Contender(SCRIPT, python("script.py", "export", stage.folder / "by-script.json"), count + pages),
        stage.refresh(shown(stage.ids(), "?include=journals,watchers,attachments"), requests=count),
    ]
    shutil.rmtree(stage.folder / "recorded")
    return Scenario("export", count, contest(contenders, stage.rules))


TASKS: dict[str, Callable[[Stage], Sequence[Scenario]]] = {
    "create": lambda stage: [create(stage)],
    "re-check": lambda stage: [recheck(stage, count) for count in (stage.sizes.small, stage.sizes.large) if count],
    "update": lambda stage: [update(stage)],
    "export": lambda stage: [export(stage)],
}


def _told(server: Server, task: str, stage: Stage) -> Sequence[Scenario]:
    say(f"{server}: {task} …")
    return TASKS[task](stage)


MAIN = ("create", "re-check")


@contextmanager
def environment(running: Running) -> Iterator[None]:
    """The server for all processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in ("REDMINE_URL", "REDMINE_API_KEY")}
    os.environ.update(REDMINE_URL=running.url, REDMINE_API_KEY=running.api_key)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@dataclass(frozen=True)
class Server:
    """A Redmine to measure on; of one that is not measured in full, only the main tasks are."""

    version: str
    database: str = "postgresql"
    full: bool = True

    @property
    def name(self) -> str:
        """For the names of files and of the sandbox."""
        return f"redmine-{self.version}-{self.database}"

    def sandbox(self) -> Sandbox:
        """Not started."""
        like_production: dict[str, Any] = {"database": self.database, "workers": WORKERS}
        options = like_production if self.database == "postgresql" else {}
        return Sandbox(self.version, name=f"bench-{self.database}", **options)

    def __str__(self) -> str:
        database = {"postgresql": f"PostgreSQL, {WORKERS} workers", "sqlite": "SQLite"}[self.database]
        return f"Redmine {self.version}, {database}"


SERVERS = (Server("6.1"), Server("5.0", full=False), Server("6.1", "sqlite", full=False))


def run(server: Server, folder: Path, rules: Rules, sizes: Sizes, tasks: Sequence[str]) -> Iterator[Part]:
    """All tasks on one server, which is there only meanwhile: a part for each, so that a later one cannot lose it."""
    if not server.full:
        sizes = replace(sizes, large=0, sample=300)
        tasks = [task for task in tasks if task in MAIN]
    sandbox = server.sandbox()
    try:
        running = sandbox.start()
        with environment(running):
            stage = Stage(sandbox, running, folder, rules, sizes)
            for task in tasks:
                scenarios = tuple(_told(server, task, stage))
                yield Part(server.name, str(server), scenarios, goals=server.database == "postgresql")
    finally:
        sandbox.destroy()
