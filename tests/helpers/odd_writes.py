"""A Redmine in memory that takes every write of a manifest, and gives odd answers during an apply.

server = Writable(); run(server) records its answers; for each of `mutations(answers)`: run(Writable(), mutation)
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from canned import Canned, Params
from engine import offline
from odd import KEY_FIELD, MANIFEST, Mutation
from pydantic import SecretStr

from reconciler.apply.executor import Applier
from reconciler.apply.report import Report
from reconciler.apply.run import carry_out
from reconciler.plan.operations import Plan
from reconciler.plan.planner import make
from reconciler.redmine.client import Client, Connection
from reconciler.state.live import read

CHANGED = """
users: [{login: amy, firstname: Amelia, mail: amelia@example.net}, {login: bob, firstname: B, lastname: B, mail: b@b.c}]
groups: [{name: Team, users: [bob]}]
projects:
  - identifier: shop
    description: Another shop
    enabled_modules: [files, issue_tracking, news, time_tracking, wiki, boards]
    members: [{user: amy, roles: [Developer]}]
    versions: [{name: "1.0", description: Again}, {name: "2.0", renamed_from: "1.1"}]
    issue_categories: [{name: UI, assigned_to: null}]
    wiki_pages: [{title: Wiki, text: Hello again}]
    news: [{title: Open, description: We are closed}]
    issues:
      - subject: Log in
        key: login
        description: It works
        status: Resolved
        estimated_hours: 5
        custom_fields: {Size: small}
        relations: [{blocks: form}]
        notes: [Seen, Done]
        watchers: [bob]
      - {subject: Logout, key: logout, state: absent}
      - {subject: Form, key: form, parent: null}
    time_entries:
      - {user: amy, issue: login, spent_on: 2026-11-02, activity: Design, comments: Done, hours: 2}
"""
"""Changes of what `MANIFEST` declares: of most fields, with a deletion."""
ATTACHED = """
projects:
  - identifier: shop
    name: Shop
    enabled_modules: [issue_tracking, news]
    issues: [{subject: Login, key: login, tracker: Bug, attachments: [{file: a.txt}, {file: b.txt}]}]
    news: [{title: Open, description: We are open, attachments: [{file: a.txt}]}]
"""
"""Objects with files, which are beside the manifest."""
LISTS = (
    "users", "groups", "projects", "memberships", "versions", "issue_categories", "wiki_pages", "news", "issues",
    "time_entries",
)  # fmt: skip


class Writable(Canned):
    """What `Canned` does not take: pages of a wiki, relations, notes and uploads."""

    def __init__(self) -> None:
        super().__init__()
        self.add("custom_fields", name=KEY_FIELD)
        sizes = [{"value": "big"}, {"value": "small"}]
        self.add("custom_fields", name="Size", field_format="list", possible_values=sizes)

    def _write(self, method: str, parts: list[str], body: bytes, params: Params) -> tuple[int, bytes]:
        match method, parts:
            case "POST", ["uploads"]:
                number = max(self.files, default=0) + 1
                self.files[number] = body
                return _created(upload={"id": number, "token": f"{number}.0"})
            case "PUT", ["projects", project, "wiki", title]:
                return self._page_of_wiki(project, title, json.loads(body)["wiki_page"])
            case "POST", ["issues", number, "relations"]:
                return self._related(int(number), json.loads(body)["relation"])
            case "DELETE", ["attachments", number]:
                for row in (row for table in LISTS for row in self.rows(table) if "attachments" in row):
                    row["attachments"] = [one for one in row["attachments"] if one["id"] != int(number)]
                return 204, b""
            case "DELETE", ["relations", number]:
                for row in self.rows("issues"):
                    row["relations"] = [r for r in row.get("relations") or () if r["id"] != int(number)]
                return 204, b""
            case "POST", ["issues", number, "watchers"]:
                row = self.row("issues", int(number))
                self.set(row, "issues", watchers=[*row["watchers"], *json.loads(body)["watcher"]["user_ids"]])
                return 204, b""
            case "DELETE", ["issues", number, "watchers", user]:
                row = self.row("issues", int(number))
                row["watchers"] = [one for one in row["watchers"] if one["id"] != int(user)]
                return 204, b""
            case "PUT", ["issues", number]:
                self._noted(int(number), json.loads(body)["issue"])
        return super()._write(method, parts, body, params)

    def _create(self, table: str, values: dict[str, Any], params: Params) -> tuple[int, bytes]:
        uploads = values.pop("uploads", None) or ()
        if any(one["token"] not in [f"{number}.0" for number in self.files] for one in uploads):
            return 422, b'{"errors": ["1 file(s) could not be saved"]}'
        # The rule of each kind that Redmine keeps unique.
        name = {"users": "login", "groups": "name", "projects": "identifier", "versions": "name"}.get(table, "")
        same = [r for r in self.rows(table) if name and str(r.get(name)).lower() == str(values[name]).lower()]
        if same or (table == "issue_categories" and any(r["name"] == values["name"] for r in self.rows(table))):
            return 422, b'{"errors": ["It has already been taken"]}'
        status, content = super()._create(table, values, params)
        row = self.rows(table)[-1]
        for upload in uploads:
            number = int(upload["token"].partition(".")[0])
            size = len(self.files[number])
            file = {"id": number, "filename": upload["filename"], "filesize": size, "description": ""}
            # Not in place: the list is that of all new rows.
            row["attachments"] = [*(row.get("attachments") or ()), file]
        return status, content

    def _page_of_wiki(self, project: str, title: str, values: dict[str, Any]) -> tuple[int, bytes]:
        rows = [row for row in self.rows("wiki_pages") if row["inside"] == project]
        wanted = values.get("title", title)
        known = next((row for row in rows if row["title"].lower() in (title.lower(), wanted.lower())), None)
        if known and title == ",":
            return 422, b'{"errors": ["Title has already been taken"]}'
        fields = {name: value for name, value in values.items() if name in ("text", "title")}
        if known is None:
            parent = values.get("parent_title")
            above = {"parent": {"title": parent}} if parent else {}
            first = not any(row.get("start_page") for row in rows)
            number = self.add(
                "wiki_pages", inside=project, version=1, start_page=first, **{"title": wanted, **fields}, **above
            )
            row = self.row("wiki_pages", number)
            return _created(wiki_page={n: v for n, v in row.items() if n not in ("id", "inside")})
        known |= fields
        return 204, b""

    def _related(self, number: int, values: dict[str, Any]) -> tuple[int, bytes]:
        relation = {
            "id": 1 + sum(len(row.get("relations") or ()) for row in self.rows("issues")),
            "issue_id": number,
            "issue_to_id": int(values["issue_to_id"]),
            "relation_type": values["relation_type"],
            "delay": None,
        }
        for one in (number, relation["issue_to_id"]):
            row = self.row("issues", one)
            if any(
                r["issue_id"] == number and r["issue_to_id"] == relation["issue_to_id"]
                for r in row.get("relations") or ()
            ):
                return 422, b'{"errors": ["Related issue has already been taken"]}'
            row["relations"] = [*(row.get("relations") or ()), relation]
        return _created(relation=relation)

    def _noted(self, number: int, values: dict[str, Any]) -> None:
        if values.get("notes"):
            row = self.row("issues", number)
            entry = {"id": number, "user": {"id": 1, "name": "Redmine Admin"}, "notes": values["notes"]}
            row["journals"] = [
                *(row.get("journals") or ()),
                {**entry, "private_notes": bool(values.get("private_notes"))},
            ]

    def counts(self) -> dict[str, int]:
        """How many objects there are of each kind, and in some of them."""
        inner = ("journals", "relations", "attachments", "users", "watchers")
        found = {table: len(self.rows(table)) for table in LISTS}
        for table in LISTS:
            found |= {f"{table}.{name}": sum(len(row.get(name) or ()) for row in self.rows(table)) for name in inner}
        return found


def _created(**content: Any) -> tuple[int, bytes]:
    return 201, json.dumps(content).encode()


@dataclass(frozen=True)
class Other:
    """Another content of one answer."""

    target: str
    content: bytes


CONTENTS = (b"", b"{}", b"[]", b"null", b"7", b"<html></html>", b'{"errors": ["x"]}')


class Odd:
    """A server, and what it answers from `start` on, one of the answers spoiled: those to the same request are
    numbered."""

    def __init__(self, server: Canned, mutation: Mutation | Other | None = None) -> None:
        self.server, self.mutation = server, mutation
        self.started = False
        self.answers: dict[str, Any] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        answer, path = self.server(request), request.url.raw_path.decode()
        if not self.started or not answer.is_success or answer.content[:1] != b"{":
            return answer
        body = json.loads(answer.content)
        target = next(name for n in range(1, 100) if (name := f"{request.method} {path} ({n})") not in self.answers)
        self.answers[target] = copy.deepcopy(body)
        if self.mutation and self.mutation.target == target:
            if isinstance(self.mutation, Other):
                return httpx.Response(answer.status_code, content=self.mutation.content)
            self.mutation.apply(body)
        return httpx.Response(answer.status_code, json=body)


def apply_odd(server: Odd, text: str = MANIFEST) -> Report:
    """Plan as usual, then apply with the odd answer, one request at a time."""
    wanted = offline(text, key_field=KEY_FIELD)
    assert not wanted.problems

    async def run() -> Report:
        async with _client(server) as client:
            state = await read(client, wanted)
            server.started = True
            return await carry_out(Applier(client, state.names, make(wanted, state, server.server.url)))

    return asyncio.run(run())


def plan_again(server: Canned, text: str = MANIFEST) -> Plan:
    """What is left to do, according to a server that answers as it should."""
    wanted = offline(text, key_field=KEY_FIELD)

    async def run() -> Plan:
        async with _client(server) as client:
            return make(wanted, await read(client, wanted), "http://redmine.test")

    return asyncio.run(run())


def _client(server: Callable[[httpx.Request], httpx.Response]) -> Client:
    connection = Connection("http://redmine.test", api_key=SecretStr("canned"), retries=0, concurrency=1)
    return Client(connection, transport=httpx.MockTransport(server))
