"""A Redmine that answers at once, from bytes made ahead: what is left of a run's time is the client's own.

`python benchmarks/canned_server.py [--issues N] [--users N] [--latency SECONDS] [--port PORT]` prints its address and
serves until it is killed. It has the project `bench` with the version `1.0`, N issues as `manifest(N)` of `bench.py`
declares them (`item-0` …), and N users (`user-0` …) beside the administrator; without `--issues` the project is there
and empty. A POST of an issue adds it, a PUT changes it, and the lists show it from then on; nothing is checked.
`DELETE /` takes back what was added.

In a program: `with served(issues=1000, latency=0.05) as url: …` starts it as another process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

Row = dict[str, Any]
NOW = "2026-11-01T12:00:00Z"
PROJECT = {"id": 1, "name": "Bench"}
TRACKERS = ["Bug", "Feature", "Support"]
STATUSES = ["New", "In Progress", "Resolved", "Feedback", "Closed", "Rejected"]
PRIORITIES = ["Low", "Normal", "High", "Urgent", "Immediate"]
FIELDS = ["assigned_to_id", "category_id", "fixed_version_id", "parent_issue_id", "start_date", "due_date"]
FIELDS += ["estimated_hours", "done_ratio", "description", "priority_id"]
MODULES = ["issue_tracking", "time_tracking", "news", "documents", "files", "wiki", "calendar", "gantt"]


def named(names: list[str], number: int) -> Row:
    """How rows show what they refer to."""
    return {"id": number, "name": names[number - 1]}


def issue(number: int, sent: Row) -> Row:
    """The row of an issue, from what was sent for it: as Redmine 6.1 shows it."""
    hours = sent.get("estimated_hours")
    version = {"fixed_version": {"id": 1, "name": "1.0"}} if sent.get("fixed_version_id") else {}
    return {
        "id": number,
        "project": PROJECT,
        "tracker": named(TRACKERS, sent.get("tracker_id", 1)),
        "status": {**named(STATUSES, sent.get("status_id", 1)), "is_closed": sent.get("status_id", 1) > 4},
        "priority": named(PRIORITIES, sent.get("priority_id", 2)),
        "author": {"id": 1, "name": "Redmine Admin"},
        **version,
        "subject": sent["subject"],
        "description": sent.get("description"),
        "start_date": sent.get("start_date"),
        "due_date": sent.get("due_date"),
        "done_ratio": sent.get("done_ratio", 0),
        "is_private": False,
        "estimated_hours": hours,
        "total_estimated_hours": hours,
        "spent_hours": 0.0,
        "total_spent_hours": 0.0,
        "created_on": NOW,
        "updated_on": NOW,
        "closed_on": None,
        "relations": [],
    }


def declared(i: int) -> Row:
    """What is sent for the i-th issue of `bench.manifest`."""
    return {
        "tracker_id": 1 if i % 2 else 2,
        "subject": f"Item {i} of the benchmark",
        "description": f"The first line of item {i}\nand a second one that is a little longer.\n",
        "priority_id": 3 if i % 7 == 0 else 2,
        "fixed_version_id": 1,
        "start_date": f"2026-01-{i % 28 + 1:02d}",
        "due_date": f"2026-02-{i % 28 + 1:02d}",
        "estimated_hours": i % 9 + 0.5,
        "done_ratio": i % 10 * 10,
    }


def user(number: int, login: str) -> Row:
    """The row of an active user."""
    return {
        "id": number,
        "login": login,
        "admin": number == 1,
        "firstname": "Some",
        "lastname": f"Body {number}",
        "mail": f"{login}@example.net",
        "created_on": NOW,
        "updated_on": NOW,
        "last_login_on": NOW,
        "status": 1,
        "custom_fields": [],
    }


def small_lists() -> dict[str, Any]:
    """The answers that are one page: Redmine's default data, as far as the manifests of the benchmark need it."""
    project = {**PROJECT, "identifier": "bench", "description": "", "homepage": "", "status": 1, "is_public": True}
    project |= {"inherit_members": False, "created_on": NOW, "updated_on": NOW, "issue_custom_fields": []}
    project |= {"trackers": [named(TRACKERS, n) for n in (1, 2)]}
    project |= {"enabled_modules": [named(MODULES, n + 1) for n in range(len(MODULES))]}
    version = {"id": 1, "project": PROJECT, "name": "1.0", "description": "", "status": "open", "due_date": None}
    version |= {"sharing": "none", "wiki_page_title": None, "created_on": NOW, "updated_on": NOW}
    tracker = {"default_status": named(STATUSES, 1), "description": None, "enabled_standard_fields": FIELDS}
    statuses = [{**named(STATUSES, n), "is_closed": n > 4} for n in range(1, 7)]
    priorities = [{**named(PRIORITIES, n), "is_default": n == 2, "active": True} for n in range(1, 6)]
    return {
        "/users/current.json": {"user": {**user(1, "admin"), "api_key": "canned"}},
        "/trackers.json": {"trackers": [{**named(TRACKERS, n), **tracker} for n in (1, 2, 3)]},
        "/issue_statuses.json": {"issue_statuses": statuses},
        "/enumerations/issue_priorities.json": {"issue_priorities": priorities},
        "/custom_fields.json": {"custom_fields": []},
        "/projects.json": {"projects": [project], "total_count": 1, "offset": 0, "limit": 100},
        "/projects/bench.json": {"project": project},
        "/projects/bench/versions.json": {"versions": [version], "total_count": 1},
        "/projects/bench/issue_categories.json": {"issue_categories": [], "total_count": 0},
        "/roles.json": {"roles": []},
        "/groups.json": {"groups": []},
    }


class World:
    """What is served: rows as bytes, joined to pages; the i-th row of a list has the number i + 1."""

    def __init__(self, issues: int = 0, users: int = 0) -> None:
        self.sent = [declared(i) for i in range(issues)]
        self.issues = issues
        people = ["admin", *(f"user-{i}" for i in range(users))]
        self.rows = {
            "issues": [packed(issue(n, sent)) for n, sent in enumerate(self.sent, 1)],
            "users": [packed(user(n, login)) for n, login in enumerate(people, 1)],
        }
        self.small = {path: packed(answer) for path, answer in small_lists().items()}
        self.pages: dict[str, bytes] = {}

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        """Status and content for a request."""
        if method == "DELETE":
            return self._take_back()
        if method in ("POST", "PUT"):
            return self._write(method, target, json.loads(body).get("issue"))
        if target not in self.pages:
            split = urlsplit(target)
            found = self.small.get(split.path) or self._page(split.path[1:].removesuffix(".json"), split.query)
            if found is None:
                return 404, b""
            self.pages[target] = found
        return 200, self.pages[target]

    def _page(self, name: str, query: str) -> bytes | None:
        table, _, number = name.partition("/")
        rows, asked = self.rows.get(table), parse_qs(query)
        if rows is None or (number and not (number.isdigit() and 0 < int(number) <= len(rows))):
            return None
        if number:
            return b'{"%s":%s}' % (table[:-1].encode(), rows[int(number) - 1])
        offset, limit = (int(asked.get(key, [default])[0]) for key, default in (("offset", "0"), ("limit", "25")))
        if subject := asked.get("subject"):  # of an issue of the benchmark: "Item 5 of the benchmark"
            rows = rows[int(subject[0].split()[1]) :][:1]
        if ids := asked.get("v[issue_id][]"):
            rows = [rows[int(n) - 1] for n in ids[0].split(",") if int(n) <= len(rows)]
        limit = min(limit, 100)  # as Redmine does, and python-redmine relies on
        shown = rows[-1 : -limit - 1 : -1] if asked.get("sort") == ["id:desc"] else rows[offset : offset + limit]
        counts = b'"total_count":%d,"offset":%d,"limit":%d' % (len(rows), offset, limit)
        return b'{"%s":[%s],%s}' % (table.encode(), b",".join(shown), counts)

    def _write(self, method: str, target: str, sent: Row | None) -> tuple[int, bytes]:
        if sent is None:
            return 404, b""
        self._forget_lists()
        if method == "PUT":
            index = int(urlsplit(target).path.removesuffix(".json").rpartition("/")[2]) - 1
            self.sent[index] |= sent
            self.rows["issues"][index] = packed(issue(index + 1, self.sent[index]))
            return 204, b""
        self.sent.append(sent)
        row = issue(len(self.sent), sent) | {"created_on": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
        self.rows["issues"].append(packed(row))
        return 201, b'{"issue":%s}' % self.rows["issues"][-1]

    def _take_back(self) -> tuple[int, bytes]:
        self._forget_lists()
        del self.sent[self.issues :], self.rows["issues"][self.issues :]
        return 204, b""

    def _forget_lists(self) -> None:
        self.pages = {path: page for path, page in self.pages.items() if not path.startswith("/issues")}


def packed(value: Any) -> bytes:
    """As Rails writes JSON: without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


class Server:
    """HTTP/1.1 with keep-alive, and only as much of it as clients send."""

    def __init__(self, world: World, latency: float = 0) -> None:
        self.world, self.latency, self.requests = world, latency, 0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer what one connection asks for, one request after the other."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                method, target, _ = head.split(b" ", 2)
                length = next((h for h in head.lower().split(b"\r\n") if h.startswith(b"content-length:")), b":0")
                body = await reader.readexactly(int(length.partition(b":")[2]))
                self.requests += 1
                await self.pause()
                status, content = self.world.answer(method.decode(), target.decode(), body)
                kind = b"Content-Type: application/json; charset=utf-8\r\n"
                writer.write(b"HTTP/1.1 %d -\r\n%sContent-Length: %d\r\n\r\n" % (status, kind, len(content)) + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def pause(self) -> None:
        """What happens before each answer."""
        if self.latency:
            await asyncio.sleep(self.latency)

    async def serve(self, port: int) -> None:
        """Print the address, and answer until the process ends."""
        server = await asyncio.start_server(self.connected, "127.0.0.1", port, backlog=1000)
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


@contextmanager
def served(issues: int = 0, users: int = 0, latency: float = 0) -> Iterator[str]:
    """The address of a server in a process of its own; any API key is right."""
    options = [f"--issues={issues}", f"--users={users}", f"--latency={latency}"]
    command = [sys.executable, __file__, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def main() -> None:
    """Serve until the process is killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--issues", type=int, default=0)
    parser.add_argument("--users", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0, help="seconds before each answer")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    asyncio.run(Server(World(options.issues, options.users), options.latency).serve(options.port))


if __name__ == "__main__":
    main()
