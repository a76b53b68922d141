"""All that is done with manifests, in one process, with a Redmine in memory: `python whole_way.py SHAPE COUNT`.

Prints, as JSON, for each step the seconds that it took by the clock, those of CPU without the server's, the peak memory
until its end in MB, and the number of requests. Two states are applied one after the other, so that everything is
created, found unchanged, changed, shown in each format, saved and exported.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

sys.path.append(str(Path(__file__).parent.parent / "tests" / "helpers"))

from big import BIG, Big, write
from canned import reached
from memory import Memory

import reconciler
from reconciler import config as configuration
from reconciler import event_loop, pipeline
from reconciler.apply import doubles
from reconciler.apply.report import Report
from reconciler.cli import OBJECTS
from reconciler.pipeline import Manifests
from reconciler.plan import plan_file
from reconciler.plan.comparison import Planned
from reconciler.plan.dependencies import declared_dependencies
from reconciler.redmine.client import Client
from reconciler.render import github, graph, html, markdown
from reconciler.render import json as as_json
from reconciler.render import text as as_text

T = TypeVar("T")
STEPS = ("validate", "plan", "show", "apply", "export")


class Way:
    """What the steps take."""

    def __init__(self, server: Memory, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.environ = {"PATH": os.environ["PATH"], "REDMINE_URL": server.url, "REDMINE_API_KEY": server.api_key}
        self.took: dict[str, list[float]] = {name: [0, 0, 0, 0] for name in STEPS}

    def step(self, name: str, action: Callable[[], T]) -> T:
        """Do something that is part of a step."""
        gc.collect()
        clock, began, seconds, requests = self._now()
        result = action()
        after, ended, more, sent = self._now()
        took = self.took[name]
        took[0] += after - clock
        took[1] += ended - began - (more - seconds)
        took[2] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        took[3] += sent - requests
        return result

    def _now(self) -> tuple[float, float, float, int]:
        return time.monotonic(), time.process_time(), self.server.seconds, self.server.requests

    def go(self, big: Big, count: int) -> None:
        """From the manifests to the export."""
        big.prepare(self.server, count)
        for changed in (False, True):
            folder = self.folder / f"changed-{changed}"
            write(big, count, changed, folder)
            self._state(folder)
        self.step("export", lambda: reconciler.export_to(self.folder / "out", environ=self.environ))

    def _state(self, folder: Path) -> None:
        manifests = self.step("validate", lambda: self._read(folder))
        self.step("show", lambda: _drawn(manifests))
        planned = self.step("plan", lambda: self._plan(manifests))
        assert planned.plan.changes
        self.step("show", lambda: _shown(planned))
        report = self.step("apply", lambda: self._apply(manifests, planned))
        assert {result.outcome for result in report.results} == {"done"}, report.results[:2]
        self.step("show", lambda: _reported(report))
        again = self.step("plan", lambda: self._plan(manifests))
        assert not again.plan.changes, again.plan.changes[:2]

    def _read(self, folder: Path) -> Manifests:
        manifests = pipeline.read(configuration.load((folder,), self.environ), (folder,))
        manifests.check()
        return manifests

    def _plan(self, manifests: Manifests) -> Planned:
        return self._with_client(manifests, lambda client: pipeline.plan(client, manifests))

    def _apply(self, manifests: Manifests, planned: Planned) -> Report:
        return self._with_client(manifests, lambda client: pipeline.carry_out(client, planned))

    def _with_client(self, manifests: Manifests, action: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
        async def main() -> T:
            async with Client(manifests.config.connection(), secrets=manifests.config.secrets) as client:
                return await action(client)

        return event_loop.run(main())


def _drawn(manifests: Manifests) -> None:
    edges, objects = list(declared_dependencies(manifests.desired)), manifests.desired.objects
    for draw in (graph.dot, graph.mermaid, graph.svg):
        draw(edges, objects)


def _shown(planned: Planned) -> None:
    plan, public = planned.plan, as_json.plan_json(planned.plan)
    as_text.plan(plan, color=False)
    as_json.dumps(public)
    for form in (markdown, html, github):
        form.plan(plan)
    saved = plan_file.save(plan, planned.names, public)
    plan_file.load(saved, "plan.json", {}, planned.names.settings["place"])


def _reported(report: Report) -> None:
    as_text.results(report, color=False)
    as_json.dumps(as_json.results_json(report))
    for form in (markdown, html, github):
        form.results(report)


def main() -> None:
    """Go the whole way with a shape and a number of objects."""
    # As the command line does, and without the wait for other runs.
    gc.set_threshold(OBJECTS)
    doubles.SETTLING = 0
    big, count, server = BIG[sys.argv[1]], int(sys.argv[2]), Memory()
    with tempfile.TemporaryDirectory(prefix="bench-") as name, reached(server):
        way = Way(server, Path(name))
        os.chdir(name)
        way.go(big, count)
    print(json.dumps(way.took))


if __name__ == "__main__":
    main()
