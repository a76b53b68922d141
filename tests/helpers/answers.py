"""Plans carried out against answers that a test makes up: writes succeed unless it refuses them.

report, server = applied("users:\\n  - {login: amy, …}", refuse={"/users": ["Email is invalid"]})
assert server.writes == [("POST", "/users")]
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx
from calls import call
from engine import offline
from plans import Present, live_of

from reconciler.apply.executor import Applier
from reconciler.apply.report import Report
from reconciler.apply.run import carry_out
from reconciler.model.name_index import Names
from reconciler.plan.planner import make
from reconciler.redmine.client import Client

PREFIX = "/sub"


class Canned:
    """Keeps what is written. `refuse` are paths (or `METHOD path`) whose writes get a 422 with these sentences;
    `keep` changes a new row before it is kept, or makes nothing of it, as a server does that drops what it is sent."""

    def __init__(
        self, refuse: Mapping[str, Sequence[str]], keep: Callable[[dict[str, Any]], dict[str, Any]] = dict
    ) -> None:
        self.refuse = refuse
        self.keep = keep
        self.rows: dict[str, dict[int, dict[str, Any]]] = {}
        self.writes: list[tuple[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix(PREFIX).removesuffix(".json")
        if request.method == "GET":
            return self._read(path)
        self.writes.append((request.method, path))
        said = self.refuse.get(path, self.refuse.get(f"{request.method} {path}"))
        if said is not None:
            return httpx.Response(422, json={"errors": list(said)})
        body = json.loads(request.content) if request.content else {}
        return self._write(request.method, path.rpartition("/")[2], path, body)

    def _read(self, path: str) -> httpx.Response:
        if path.count("/") == 2:
            return httpx.Response(404)  # an object's own page
        plural = path.rpartition("/")[2]
        rows = list(self.rows.get(plural, {}).values())
        return httpx.Response(200, json={plural: rows, "total_count": len(rows), "offset": 0, "limit": 100})

    def _write(self, method: str, last: str, path: str, body: Mapping[str, Any]) -> httpx.Response:
        for wrapper, fields in body.items() if method == "POST" else ():
            rows = self.rows.setdefault(last, {})
            # A number for these, a text for versions.
            active = {"status": 1} if last in ("projects", "users") else {}
            row = {**active, **fields, "id": 100 + len(rows)}
            # The answer shows what is kept; a row of which nothing is kept is lost only after that.
            if kept := self.keep(row):
                rows[row["id"]] = kept
            return httpx.Response(201, json={wrapper: kept or row})
        return httpx.Response(204)


def applied(
    text: str,
    *present: Present,
    refuse: Mapping[str, Sequence[str]] | None = None,
    keep: Callable[[dict[str, Any]], dict[str, Any]] = dict,
    verified: bool = False,
    learn: Callable[[Names], None] = lambda names: None,
) -> tuple[Report, Canned]:
    """What became of a manifest, given a live state; what was written is read back only if it is to be `verified`."""
    wanted, server = offline(text), Canned(refuse or {}, keep)
    live = live_of(wanted, present)
    learn(live.names)

    async def run(client: Client) -> Report:
        applier = Applier(client, live.names, make(wanted, live, "http://redmine.test/sub"))
        if verified:
            return await carry_out(applier)
        await applier.run()
        await applier.run(finish=True)
        return applier.report()

    report: Report = call(server, run)
    return report, server
