"""The Redmine in memory of the tests, quick enough for a hundred thousand objects: what it looks for has an index.

Its answers are those of `tests/helpers/canned.py`. `seconds` is the CPU that they took, `requests` their number.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Hashable
from typing import Any

from canned import Canned, Params, _hidden, _included, _shown
from canned_filters import filters, matches
from canned_rows import ARCHIVED, COUNTED, INCLUDED, NAMES, ON_PAGES, PAGED, PEOPLE, Row

NEWEST = ("id:desc", "created_on:desc")
INSIDE = ("memberships", "versions", "issue_categories")


class Memory(Canned):
    """The server. A write to a table makes void what is remembered of its lists."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds, self.requests = 0.0, 0
        self._writes: defaultdict[str, int] = defaultdict(int)
        self._names: dict[str, dict[Hashable, Row]] = {}
        self._remembered: dict[Hashable, tuple[int, Any]] = {}
        self._last: dict[str, int] = {}

    def answer(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        """One request, which is counted and not kept."""
        began = time.process_time()
        try:
            return super().answer(method, target, body)
        finally:
            self.seconds += time.process_time() - began
            self.requests += 1
            self.seen.clear()

    # -- rows --------------------------------------------------------------------------------------------------

    def set(self, row: Row, table: str, **values: Any) -> None:
        super().set(row, table, **values)
        self._writes[table] += 1
        if table in self._names:
            _name(self._names[table], row)

    def row(self, table: str, name: Any) -> Row:
        row = self._find(table, name)
        assert row is not None, f"no {name} in {table}"
        return row

    def _find(self, table: str, name: Hashable) -> Row | None:
        """A row by its number or by what it is called."""
        if table not in self._names:
            self._names[table] = {}
            for row in self.rows(table):
                _name(self._names[table], row)
        found = self._names[table].get(name)
        if found is None or name in _names_of(found):
            return found
        # It was called so once.
        del self._names[table]
        return self._find(table, name)

    def _next(self, table: str) -> int:
        numbers = "people" if table in PEOPLE else table
        self._last[numbers] = self._last[numbers] + 1 if numbers in self._last else super()._next(table)
        return self._last[numbers]

    def _named(self, lists: tuple[str, ...], name: Any) -> Row:
        (row, *_) = filter(None, (self._find(table, name) for table in lists))
        shown = f"{row['firstname']} {row['lastname']}" if "login" in row else row["name"]
        return {"id": row["id"], "name": shown} | ({"is_closed": row["is_closed"]} if "is_closed" in row else {})

    def _on(self, project: str, module: str) -> bool:
        row = self._find("projects", project)
        return row is not None and any(module == enabled["name"] for enabled in row["enabled_modules"])

    # -- reads -------------------------------------------------------------------------------------------------

    def _get(self, parts: list[str], params: Params) -> Any:
        match parts:
            case ["projects", project, "wiki", title] if title != "index" and self._on(project, "wiki"):
                pages = self._remember("pages", "wiki_pages", self._titles)
                return self._page("wiki_pages", pages.get((project, title)), params)
            case ["projects", project, inside] if inside in INSIDE:
                return self._list(inside, params, project) if self._find("projects", project) else (404, b"")
            case [table, number] if (table, number) != ("users", "current"):
                return self._page(table, self._find(table, int(number) if number.isdigit() else number), params)
        return super()._get(parts, params)

    def _titles(self) -> dict[tuple[str, str], Row]:
        return {(row["inside"], row["title"]): row for row in self.rows("wiki_pages")}

    def _remember(self, key: Hashable, table: str, made: Callable[[], Any]) -> Any:
        """What was made since the last write to a table."""
        writes, found = self._remembered.get((key, table), (-1, None))
        if writes != self._writes[table]:
            found = made()
            self._remembered[key, table] = self._writes[table], found
        return found

    def _list(self, table: str, params: Params, project: str = "") -> Any:
        given, unpaged = dict(params), tuple(pair for pair in params if pair[0] not in ("limit", "offset"))
        rows = self._remember((project, unpaged), table, lambda: self._matching(table, params, project))
        hidden = INCLUDED.get(table, set()) - _included(params) | ON_PAGES.get(table, set()) | _hidden(table)
        limit, offset = min(int(given.get("limit", 25)), 100), int(given.get("offset", 0))
        counts = {"total_count": len(rows)} if table in {*PAGED, *COUNTED} else {}
        if table in PAGED:
            rows, counts = rows[offset : offset + limit], {**counts, "offset": offset, "limit": limit}
        return {table: [_shown(row, hidden) for row in rows], **counts}

    def _matching(self, table: str, params: Params, project: str) -> list[Row]:
        """All rows of a list, in its order."""
        ids = [int(n) for key, value in params if key == "v[issue_id][]" for n in value.split(",")]
        if ids and table == "issues" and dict(params).get("op[issue_id]") == "=":
            rows = [row for number in ids if (row := self._find(table, number)) is not None]
        elif project:
            groups = self._remember("by project", table, lambda: self._grouped(table))
            rows = groups.get(project) or groups.get(self.row("projects", project)["id"], [])
        else:
            rows = self.rows(table)
        wanted = filters(params)
        rows = [row for row in rows if matches(row, wanted) and not self._off(table, row)]
        if table == "projects":
            rows = [row for row in rows if row["status"] != ARCHIVED]
        return sorted(rows, key=lambda row: row["id"], reverse=dict(params).get("sort") in NEWEST)

    def _grouped(self, table: str) -> dict[Any, list[Row]]:
        groups = defaultdict[Any, list[Row]](list)
        for row in self.rows(table):
            groups[row["inside"] if "inside" in row else row["project"]["id"]].append(row)
        return groups

    # -- writes ------------------------------------------------------------------------------------------------

    def _write(self, method: str, parts: list[str], body: bytes, params: Params) -> tuple[int, bytes]:
        match method, parts:
            case "POST", ["groups", number, "users"]:
                group, users = self._at("groups", number), json.loads(body)["user_ids"]
                group["users"] += [self._named(("users",), user) for user in users]
                return 204, b""
        answer = super()._write(method, parts, body, params)
        # What has no `set`: actions of projects, deletions, and pages of a wiki.
        for table in {parts[0], *parts[2:3]} & {"projects", "groups", "wiki", "relations", "issues"}:
            self._writes["wiki_pages" if table == "wiki" else table] += 1
        if method == "DELETE":
            self._writes[parts[0]] += 1
            self._names.pop(parts[0], None)
        return answer

    def _put_page(self, project: str, title: str, values: Row) -> tuple[int, bytes]:
        new = values.get("title", title)
        pages = self._remember("pages", "wiki_pages", self._titles)
        every = self.rows("wiki_pages")
        # Of all pages, the tests' server sees the two that it looks for.
        self.tables["wiki_pages"] = [page for name in {title, new} if (page := pages.get((project, name)))]
        few = len(self.tables["wiki_pages"])
        try:
            return super()._put_page(project, title, values)
        finally:
            every += self.tables["wiki_pages"][few:]
            self.tables["wiki_pages"] = every


def _names_of(row: Row) -> list[Hashable]:
    return [row["id"], *(row[name] for name in NAMES if row.get(name) is not None)]


def _name(names: dict[Hashable, Row], row: Row) -> None:
    for name in _names_of(row):
        names.setdefault(name, row)
