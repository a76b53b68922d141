"""How much `reconciler` costs over the least that any tool must do, as ratios measured side by side in one run.

`python benchmarks/bench.py [--issues N] [--pairs N] [--exported N] [--redmine VERSION]` starts sandboxes of its own.
Each figure is a whole process, start-up included; A and B run in turn, and a ratio is the median of the ratios of the
pairs. Exits 1 if a ratio is over its target.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from reconciler.sandbox import Running, Sandbox

BARE = Path(__file__).with_name("bare.py")
TOOL = [sys.executable, "-m", "reconciler"]
YAML = "import sys, yaml; yaml.load(open(sys.argv[1], encoding='utf-8'), yaml.CSafeLoader)"
CONCURRENCY = "8"


@dataclass(frozen=True)
class Cost:
    """What one process took: seconds by the clock and of CPU, and its peak memory in MB."""

    wall: float
    cpu: float
    memory: float


def measure(command: list[str]) -> Cost:
    """Run a command to its end; exits with its output if it fails."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - started
        if process.returncode:
            output.seek(0)
            sys.exit(f"{' '.join(command)} exited with {process.returncode}:\n{output.read().decode()[-2000:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


@dataclass
class Table:
    """Prints the figures, and remembers whether one missed its target."""

    missed: bool = False

    def row(self, name: str, figures: list[float], unit: str, target: float) -> None:
        """One figure: its least, its median, its most; the target is for the median."""
        middle = statistics.median(figures)
        ok = middle <= target
        self.missed |= not ok
        said = f"{min(figures):8.2f} {middle:8.2f} {max(figures):8.2f} {unit:5} target {target:g}"
        print(f"{name:52} {said} {'' if ok else '  MISSED'}", flush=True)


def in_turn(pairs: int, tool: Callable[[], Cost], bare: Callable[[], Cost]) -> list[tuple[Cost, Cost]]:
    """Both, one after the other, `pairs` times."""
    return [(tool(), bare()) for _ in range(pairs)]


def ratios(pairs: list[tuple[Cost, Cost]]) -> list[float]:
    """By the clock, tool over bare, pair by pair."""
    return [tool.wall / bare.wall for tool, bare in pairs]


def manifest(issues: int) -> Iterator[str]:
    """A project with a version and many issues, as a person would write them."""
    yield "projects:\n  - identifier: bench\n    name: Bench\n    trackers: [Bug, Feature]\n"
    yield '    versions:\n      - {name: "1.0"}\n    issues:\n'
    for i in range(issues):
        yield f"""      - key: item-{i}
        tracker: {"Bug" if i % 2 else "Feature"}
        subject: Item {i} of the benchmark
        description: |
          The first line of item {i}
          and a second one that is a little longer.
        priority: {"High" if i % 7 == 0 else "Normal"}
        fixed_version: "1.0"
        start_date: 2026-01-{i % 28 + 1:02d}
        due_date: 2026-02-{i % 28 + 1:02d}
        estimated_hours: {i % 9 + 0.5}
        done_ratio: {i % 10 * 10}
"""


def offline(table: Table, folder: Path, pairs: int) -> None:
    """`--help`, and `validate` on 10,000 issues against libyaml's loader alone."""
    big = folder / "big.yaml"
    big.write_text("".join(manifest(10_000)))
    table.row("reconciler --help, CPU", [measure([*TOOL, "--help"]).cpu for _ in range(5)], "s", 0.2)
    validate = in_turn(
        max(pairs, 5),
        lambda: measure([*TOOL, "validate", str(big)]),
        lambda: measure([sys.executable, "-c", YAML, str(big)]),
    )
    table.row("validate 10,000 issues / libyaml's loader alone", ratios(validate), "x", 2.0)
    table.row("validate 10,000 issues, peak memory", [tool.memory for tool, _ in validate], "MB", 300)


@contextmanager
def recorded(running: Running, kind: str) -> Iterator[list[Any]]:
    """The requests of a method that the tool sends meanwhile, in this process."""
    seen: list[Any] = []
    send = httpx.AsyncHTTPTransport.handle_async_request

    async def spy(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        if request.method == kind:
            path = str(request.url).removeprefix(running.url)
            seen.append([request.method, path, json.loads(request.content or "null")])
        return await send(self, request)

    httpx.AsyncHTTPTransport.handle_async_request = spy  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        httpx.AsyncHTTPTransport.handle_async_request = send  # type: ignore[method-assign]


def online(table: Table, folder: Path, sandbox: Sandbox, issues: int, pairs: int) -> None:
    """`plan` and `apply` of many issues against the bare requests."""
    import reconciler

    running = sandbox.start()
    os.environ.update(REDMINE_URL=running.url, REDMINE_API_KEY=running.api_key)
    full, empty = folder / "full.yaml", folder / "empty.yaml"
    full.write_text("".join(manifest(issues)))
    empty.write_text("".join(manifest(0)))
    measure([*TOOL, "apply", "--yes", str(empty)])
    sandbox.snapshot()
    with recorded(running, "POST") as posts:
        reconciler.load(full).apply()
    posted = folder / "posts.json"
    posted.write_text(json.dumps(posts))

    def fresh(command: list[str]) -> Cost:
        sandbox.reset()
        return measure(command)

    # The last of the pair must leave the issues that `plan` is measured on: both do.
    apply = in_turn(
        pairs,
        lambda: fresh([*TOOL, "apply", "--yes", str(full)]),
        lambda: fresh([sys.executable, str(BARE), running.url, CONCURRENCY, str(posted)]),
    )
    table.row(f"apply of {len(posts):,} new issues / bare POSTs", ratios(apply), "x", 1.35)
    with recorded(running, "GET") as gets:
        reconciler.load(full).plan()
    got = folder / "gets.json"
    got.write_text(json.dumps(gets))
    plan = in_turn(
        max(pairs, 5),
        lambda: measure([*TOOL, "plan", str(full)]),
        lambda: measure([sys.executable, str(BARE), running.url, CONCURRENCY, str(got)]),
    )
    table.row(f"plan of {issues:,} unchanged issues / bare GETs", ratios(plan), "x", 1.3)
    table.row(f"plan of {issues:,} unchanged issues, requests", [float(len(gets))], "", 20)


SEED = """
admin, statuses, priorities = User.find_by!(login: 'admin'), IssueStatus.first.id, IssuePriority.ids
project = Project.create!(identifier: 'bench', name: 'Bench', trackers: Tracker.all)
project.enabled_module_names = ['issue_tracking']
version, now = Version.create!(project: project, name: '1.0'), Time.now.utc
people = 20.times.map do |i|
  user = User.new(firstname: 'Some', lastname: "Body #{i}", mail: "somebody#{i}@example.net")
  user.login = "somebody#{i}"
  user.save!
  user.id
end
%d.times.each_slice(1000) do |slice|
  Issue.insert_all(slice.map { |i| {
    project_id: project.id, tracker_id: i %% 2 + 1, subject: "Item #{i} of the benchmark", status_id: statuses,
    description: "The first line of item #{i}\\r\\nand a second one that is a little longer.\\r\\n",
    priority_id: priorities[i %% priorities.size], author_id: admin.id, fixed_version_id: version.id,
    start_date: Date.new(2026, 1, i %% 28 + 1), due_date: Date.new(2026, 2, i %% 28 + 1), done_ratio: i %% 10 * 10,
    estimated_hours: i %% 9 + 0.5, lft: 1, rgt: 2, created_on: now, updated_on: now } })
end
Issue.update_all('root_id = id')
Issue.ids.each_slice(1000) do |ids|
  Watcher.insert_all(ids.map { |id| { watchable_type: 'Issue', watchable_id: id, user_id: people[id %% 20] } })
  noted = ids.select { |id| id %% 10 == 0 }
  Journal.insert_all(noted.map { |id| { journalized_type: 'Issue', journalized_id: id, user_id: people[id %% 20],
    notes: "Said about #{id}.", created_on: now, updated_on: now, private_notes: false } })
end
"""
"""Issues straight into the database: through the API it would take longer than what is measured. Each is watched by one
of twenty people, and one in ten has a note, which takes a request."""


def exported(table: Table, folder: Path, redmine: str, issues: int) -> None:
    """`export` of many issues against the bare requests."""
    import reconciler

    seed = folder / "seed.rb"
    seed.write_text(SEED % issues)
    sandbox = Sandbox(redmine, name=f"bench-export-{redmine}")
    running = sandbox.start([seed])
    try:
        os.environ.update(REDMINE_URL=running.url, REDMINE_API_KEY=running.api_key)
        with recorded(running, "GET") as gets:
            reconciler.export_to(folder / "first")
        got = folder / "exported.json"
        got.write_text(json.dumps(gets))
        pairs = in_turn(
            1,
            lambda: measure([*TOOL, "export", "-o", str(folder / "second")]),
            lambda: measure([sys.executable, str(BARE), running.url, CONCURRENCY, str(got)]),
        )
    finally:
        sandbox.destroy()
    table.row(f"export of {issues:,} issues / bare GETs", ratios(pairs), "x", 1.3)
    table.row(f"export of {issues:,} issues, peak memory", [tool.memory for tool, _ in pairs], "MB", 300)


def main() -> None:
    """Measure and print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--issues", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--exported", type=int, default=2000, metavar="N", help="issues that are exported")
    parser.add_argument("--redmine", default="6.1", help="5.0, 6.0 or 6.1 (SQLite)")
    options = parser.parse_args()
    table = Table()
    sandbox = Sandbox(options.redmine, name=f"bench-{options.redmine}")
    print(f"{'':52} {'least':>8} {'median':>8} {'most':>8}")
    with tempfile.TemporaryDirectory() as name:
        offline(table, Path(name), options.pairs)
        try:
            online(table, Path(name), sandbox, options.issues, options.pairs)
        finally:
            sandbox.destroy()
        exported(table, Path(name), options.redmine, options.exported)
    sys.exit(1 if table.missed else 0)


if __name__ == "__main__":
    main()
