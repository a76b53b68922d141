"""A small Redmine in memory, for tests without a server: rows by list, as their own pages show them.

    redmine = Canned()
    redmine.add("projects", identifier="shop")
    redmine.add("issues", project="shop", subject="One", status="Closed", custom_fields={"Config key": "one"})
    plan_of(redmine, "projects: [{identifier: shop, name: Shop}]")      # of `engine`, which takes one for a server

It answers as Redmine 6.1 does where the tool looks (`tests/server/test_canned.py` compares the two): lists and their
pages, filters, `include`, an object's own page, what lists leave out. Writes do what was asked for, and nothing else:
no workflow, no permissions, no inheritance. `seen` are the requests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
from canned_filters import filters, matches
from canned_rows import (
    ARCHIVED,
    COUNTED,
    DATED,
    HIDDEN,
    INCLUDED,
    NAMES,
    NEW,
    NUMBERS,
    ON_PAGES,
    ONLY_IF_SET,
    PAGED,
    PEOPLE,
    REFERENCES,
    SENT,
    TYPES,
    Row,
    created_on,
    default_data,
)

from reconciler.sandbox import Running

Params = list[tuple[str, str]]


class Canned:
    """The server. `tables` are its rows by list, `files` what is in attachments by number."""

    url = "http://redmine.test"
    api_key = "canned"

    def __init__(self) -> None:
        self.tables: dict[str, list[Row]] = default_data()
        self.files: dict[int, bytes] = {}
        self.seen: list[tuple[str, str]] = []
        self.date = ""
        """The header `Date` of the answers, if any: Redmine's own server sends none, but those before it do."""
        self.most = 100
        """The rows of the longest page."""
        self.news_by_age = False
        """Whether lists of news begin with the oldest item, as only a plugin would make them."""
        self.before: Callable[[str, str], None] = lambda method, path: None
        """Is called before each request, for what happens meanwhile."""

    # -- rows --------------------------------------------------------------------------------------------------

    def add(self, table: str, **values: Any) -> int:
        """Add a row, given by names where the API shows id and name; its number."""
        number = int(values.pop("id", 0)) or self._next(table)
        row: Row = {"id": number, **({"created_on": created_on(number)} if table in DATED else {})}
        self.rows(table).append(row)
        if table == "projects":
            values.setdefault("name", values["identifier"])
        self.set(row, table, **{**NEW.get(table, {}), **values})
        return number

    def set(self, row: Row, table: str, **values: Any) -> None:
        """Change a row."""
        custom = values.pop("custom_fields", {})
        row |= {name: self._value(table, name, value) for name, value in values.items()}
        if table in TYPES:
            row["custom_fields"] = list(self._custom_fields(table, row, custom))

    def rows(self, table: str) -> list[Row]:
        """The rows of a list."""
        return self.tables.setdefault(table, [])

    def row(self, table: str, name: Any) -> Row:
        """A row, by its number or by what it is called."""
        return next(_called(self.rows(table), name))

    def _next(self, table: str) -> int:
        tables = PEOPLE if table in PEOPLE else (table,)
        return max((row["id"] for t in tables for row in self.rows(t)), default=0) + 1

    def _value(self, table: str, name: str, value: Any) -> Any:
        """A value as the API shows it."""
        lists = REFERENCES.get(table, {}).get(name, ())
        if name == "enabled_modules":
            return [module if isinstance(module, dict) else {"id": n, "name": module} for n, module in enumerate(value)]
        if (table, name) in NUMBERS and isinstance(value, int):
            return {"id": value}
        if not lists or value is None:
            return value
        if isinstance(value, list):
            return [part if isinstance(part, dict) else self._named(lists, part) for part in value]
        return value if isinstance(value, dict) else self._named(lists, value)

    def _named(self, lists: tuple[str, ...], name: Any) -> Row:
        row = next(row for table in lists for row in _called(self.rows(table), name))
        shown = f"{row['firstname']} {row['lastname']}" if "login" in row else row["name"]
        return {"id": row["id"], "name": shown} | ({"is_closed": row["is_closed"]} if "is_closed" in row else {})

    def _custom_fields(self, table: str, row: Row, values: Mapping[str, Any]) -> Iterator[Row]:
        before = {field["id"]: field["value"] for field in row.get("custom_fields", ())}
        for field in self.rows("custom_fields"):
            if field["customized_type"] == TYPES[table] and self._has(row, field):
                value = values.get(field["name"], values.get(field["id"], before.get(field["id"])))
                yield {"id": field["id"], "name": field["name"], "value": value}

    def _has(self, row: Row, field: Row) -> bool:
        return "tracker" not in row or row["tracker"]["id"] in {tracker["id"] for tracker in field["trackers"]}

    # -- HTTP --------------------------------------------------------------------------------------------------

    @property
    def transport(self) -> httpx.MockTransport:
        """The network of a client."""
        return httpx.MockTransport(self)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        status, content = self.answer(request.method, request.url.raw_path.decode(), request.content)
        headers = {"Content-Type": "application/json", **({"Date": self.date} if self.date else {})}
        return httpx.Response(status, content=content, headers=headers)

    def answer(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and content for one request: also what a `Stub` needs."""
        self.seen.append((method, target))
        self.before(method, target)
        split = urlsplit(target)
        parts = [unquote(part) for part in split.path.removesuffix(".json").strip("/").split("/")]
        if parts[0] == "enumerations":
            parts = parts[1:]
        if parts[:2] == ["attachments", "download"]:
            return (200, self.files[int(parts[2])]) if int(parts[2]) in self.files else (404, b"")
        params = parse_qsl(split.query)
        found = self._get(parts, params) if method == "GET" else self._write(method, parts, body, params)
        return found if isinstance(found, tuple) else (200, json.dumps(found).encode())

    def _get(self, parts: list[str], params: Params) -> Any:
        match parts:
            case ["projects", project, ("wiki" | "news" | "files") as module, *_] if not self._on(project, module):
                return 404 if module == "wiki" else 403, b""
            case ["users", "current"]:
                return {"user": {**self.rows("users")[0], "api_key": self.api_key}}
            case ["projects", project, "wiki", "index"]:
                return self._list("wiki_pages", params, project)
            case ["projects", project, "wiki", *title]:
                pages = [row for row in self.rows("wiki_pages") if row["inside"] == project]
                at = (lambda row: row["title"] == title[0]) if title else (lambda row: row.get("start_page"))
                return self._page("wiki_pages", next(filter(at, pages), None), params)
            case ["projects", project, inside]:
                known = any(row["identifier"] == project for row in self.rows("projects"))
                return self._list(inside, params, project) if known else (404, b"")
            case [table]:
                return self._list(table, params)
            case [table, number]:
                rows = (r for r in self.rows(table) if number in (str(r["id"]), r.get("identifier")))
                return self._page(table, next(rows, None), params)
        return 404, b""

    def _on(self, project: str, module: str) -> bool:
        rows = (row for row in self.rows("projects") if row["identifier"] == project)
        return any(module == enabled["name"] for row in rows for enabled in row["enabled_modules"])

    def _off(self, table: str, row: Row) -> bool:
        """Whether a list that is not a project's own hides a row, because the module is off."""
        module = {"issues": "issue_tracking", "time_entries": "time_tracking"}.get(table, "")
        where = row.get("project") if module else None
        return where is not None and not self._on(self.row("projects", where["id"])["identifier"], module)

    def _page(self, table: str, row: Row | None, params: Params) -> Any:
        if row is None:
            return 404, b""
        if table == "projects" and row["status"] == ARCHIVED:
            return 403, b""
        hidden = INCLUDED.get(table, set()) - _included(params) | _hidden(table)
        root = {"news": "news"}.get(table, re.sub(r"ies$", "y", table).removesuffix("s"))
        return {root: _shown(row, hidden)}

    def _list(self, table: str, params: Params, project: str = "") -> Any:
        rows = [row for row in self.rows(table) if not project or self._inside(row, project)]
        # A filter on a field that is none is ignored (5.0 to 6.1).
        none = {f"cf_{field['id']}" for field in self.rows("custom_fields") if not field["is_filter"]}
        wanted = [one for one in filters(params) if one[0] not in none]
        rows = [row for row in rows if matches(row, wanted) and not self._off(table, row)]
        if table == "projects":
            rows = [row for row in rows if row["status"] != ARCHIVED]
        given = dict(params)
        newest_first = (table == "news" and not self.news_by_age) or given.get("sort") in ("id:desc", "created_on:desc")
        by_date = newest_first and given.get("sort") != "id:desc"
        rows.sort(key=lambda row: (row.get("created_on", "") if by_date else "", row["id"]), reverse=newest_first)
        hidden = INCLUDED.get(table, set()) - _included(params) | ON_PAGES.get(table, set()) | _hidden(table)
        if table in PAGED:
            limit, offset = min(int(given.get("limit", 25)), self.most), int(given.get("offset", 0))
            window = {"total_count": len(rows), "offset": offset, "limit": limit}
            return {table: [_shown(row, hidden) for row in rows[offset : offset + limit]], **window}
        counted = {"total_count": len(rows)} if table in COUNTED else {}
        return {table: [_shown(row, hidden) for row in rows], **counted}

    def _inside(self, row: Row, project: str) -> bool:
        there = project if "inside" in row else self.row("projects", project)["id"]
        return bool(there == (row["inside"] if "inside" in row else row["project"]["id"]))

    # -- writes ------------------------------------------------------------------------------------------------

    def _write(self, method: str, parts: list[str], body: bytes, params: Params) -> tuple[int, bytes]:
        content = json.loads(body) if body else {}
        values: Row = next(iter(content.values()), {})
        match method, parts:
            case "POST", ["projects", project, table]:
                return self._create(table, {**values, "project_id": self.row("projects", project)["id"]}, params)
            case "POST", ["groups", number, "users"]:
                group = self._at("groups", number)
                self.set(group, "groups", users=[*group["users"], *content["user_ids"]])
                return 204, b""
            case "DELETE", ["groups", number, "users", user]:
                group = self._at("groups", number)
                group["users"] = [row for row in group["users"] if row["id"] != int(user)]
                return 204, b""
            case "PUT", ["projects", project, "wiki", title]:
                return self._put_page(project, title, values)
            case "POST", [table]:
                return self._create(table, values, params)
            case "PUT", ["projects", project, "close" | "reopen" | "archive" | "unarchive" as action]:
                self.row("projects", project)["status"] = {"close": 5, "archive": ARCHIVED}.get(action, 1)
                return 204, b""
            case "POST", ["issues", number, "watchers"]:
                issue = self._at("issues", number)
                self.set(issue, "issues", watchers=[*issue["watchers"], *values["user_ids"]])
                return 204, b""
            case "POST", ["issues", number, "relations"]:
                return self._relate(int(number), int(values["issue_to_id"]), values["relation_type"])
            case "PUT", ["issues", number] if "notes" in values:
                entry = {"id": self._next("journals"), "user": {"id": 1, "name": "Redmine Admin"}, "details": []}
                self.rows("journals").append(
                    entry | {"notes": values["notes"], "private_notes": bool(values.get("private_notes"))}
                )
                issue = self._at("issues", number)
                issue["journals"] = [*issue["journals"], self.rows("journals")[-1]]
                return 204, b""
            case "PUT", ["journals", number]:
                return self._edit_note(int(number), values)
            case "PUT", [table, number]:
                self.set(self._at(table, number), table, **self._attributes(table, values))
                return 204, b""
            case "DELETE", ["projects", project, "wiki", title]:
                pages = [row for row in self.rows("wiki_pages") if (row["inside"], row["title"]) == (project, title)]
                self.rows("wiki_pages").remove(pages[0])
                return 204, b""
            case "DELETE", ["attachments", number]:
                self.rows("files").remove(self._at("files", number))
                return 204, b""
            case "DELETE", [table, number]:
                self.rows(table).remove(self._at(table, number))
                return 204, b""
        return 404, b""

    def _edit_note(self, number: int, values: Row) -> tuple[int, bytes]:
        """The note of a journal; without a text, and changes of fields beside it, it is gone (5.0 to 6.1)."""
        found = [(issue, e) for issue in self.rows("issues") for e in issue.get("journals") or () if e["id"] == number]
        for issue, entry in found:
            entry |= {name: values[name] for name in ("notes", "private_notes") if name in values}
            issue["journals"] = [e for e in issue["journals"] if e["notes"] or e.get("details")]
        return (204, b"") if found else (404, b"")

    def _relate(self, one: int, other: int, kind: str) -> tuple[int, bytes]:
        row = {
            "id": self._next("relations"),
            "issue_id": one,
            "issue_to_id": other,
            "relation_type": kind,
            "delay": None,
        }
        self.rows("relations").append(row)
        for number in (one, other):
            issue = self.row("issues", number)
            issue["relations"] = [*issue["relations"], row]
        return 201, json.dumps({"relation": row}).encode()

    def _put_page(self, project: str, title: str, values: Row) -> tuple[int, bytes]:
        """A page of a wiki: created, or changed if its version is not another one by now."""
        if not self._on(project, "wiki") or self.row("projects", project)["status"] != 1:
            return 403, b""
        new = values.get("title", title)
        pages = {row["title"]: row for row in self.rows("wiki_pages") if row["inside"] == project}
        if title not in pages:
            if new in pages:
                return 422, json.dumps({"errors": ["Title has already been taken"]}).encode()
            texts = {"text": values["text"], "version": values.get("version", 1)}
            above = {"parent": {"title": values["parent_title"]}} if values.get("parent_title") else {}
            self.add("wiki_pages", inside=project, title=new, **texts, **above)
            return 201, json.dumps({"wiki_page": {"title": new}}).encode()
        page = pages[title]
        # A text that stays the same is no new version, and its version is not looked at (5.0 to 6.1).
        if values["text"] != page["text"]:
            if values.get("version", page["version"]) != page["version"]:
                return 409, b""
            page |= {"text": values["text"], "version": page["version"] + 1}
        page["title"] = new
        if "parent_title" in values:
            page.pop("parent", None)
        if values.get("parent_title"):
            page["parent"] = {"title": values["parent_title"]}
        return 204, b""

    def _at(self, table: str, number: str) -> Row:
        return self.row(table, int(number) if number.isdigit() else number)

    def _create(self, table: str, values: Row, params: Params) -> tuple[int, bytes]:
        # Redmine starts a new issue today, and whoever creates it watches it.
        first = {"start_date": datetime.now(UTC).date().isoformat(), "watchers": [1]} if table == "issues" else {}
        number = self.add(table, **{**first, **self._attributes(table, values)})
        _, (shown, *_) = 201, self._page(table, self.row(table, number), params).items()
        return 201, json.dumps(dict([shown])).encode()

    def _attributes(self, table: str, values: Row) -> Row:
        """What a request sets, by the names that the API shows it under."""
        found: Row = {}
        for name, value in values.items():
            shown = SENT.get(name, name.removesuffix("_id") if name.endswith("_id") else name)
            if table == "memberships" and name == "user_id":
                shown = "group" if any(row["id"] == value for row in self.rows("groups")) else "user"
            if name == "custom_fields":
                value = {field["id"]: field["value"] for field in value}
            found[shown] = None if value == "" and name.endswith("_id") else value
        return {
            n: v
            for n, v in found.items()
            if n not in ("password", "notes", "project") or (n == "project" and "project" in REFERENCES.get(table, {}))
        }


def _hidden(table: str) -> set[str]:
    """What rows are known by here alone: pages of a wiki have no number."""
    return HIDDEN | ({"id"} if table == "wiki_pages" else set())


def _included(params: Params) -> set[str]:
    return {name for key, value in params if key == "include" for name in value.split(",")}


def _shown(row: Row, hidden: set[str]) -> Row:
    return {
        name: value for name, value in row.items() if name not in hidden and not (name in ONLY_IF_SET and not value)
    }


def _called(rows: list[Row], name: Any) -> Iterator[Row]:
    """The rows with this number, or of this name."""
    at = rows[name - 1 : name] if isinstance(name, int) and name > 0 else []
    if at and at[0]["id"] == name:
        # Most rows are where their number says.
        yield from at
    else:
        yield from (row for row in rows if row["id"] == name or name in [row.get(n) for n in NAMES])


@contextmanager
def reached(server: Canned | Running) -> Iterator[None]:
    """Everything that opens a connection meanwhile gets this server."""
    if isinstance(server, Canned):
        with patch("reconciler.redmine.client.network", lambda connection: server.transport):
            yield
    else:
        yield
