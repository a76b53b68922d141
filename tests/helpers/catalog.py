"""The program inside a `Canned` Redmine, in memory: what `reconciler.catalog.session.Session` does, without Ruby.

    redmine = Canned()
    program = MemorySession(redmine)
    report = apply_to(redmine, "issue_statuses: [{name: Open}]", catalog=program)      # of `engine`
    program.rows("issue_status")                    # what it shows
    program.refusals["Open"] = ("is_closed", "3 issues would be closed")               # by the item's name

It stores what it is given, in the program's own form, and shows the API's lists the same objects. Names of renamed
objects change wherever they are shown. Of what Redmine does besides, it knows nothing.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from canned import Canned, reached
from canned_rows import STANDARD
from pydantic import SecretStr

from reconciler.catalog.session import Item, Outcome, Rows, Session
from reconciler.catalog.transport import Command
from reconciler.errors import CatalogError
from reconciler.export.describe import describe
from reconciler.export.inventory import Scope, take
from reconciler.kinds import kinds
from reconciler.model.address import Address
from reconciler.redmine.client import Client, Connection
from reconciler.sandbox import Running

Row = dict[str, Any]

KEYS: Mapping[str, tuple[str, ...]] = {
    "role": ("name", "builtin"),
    "workflow": ("tracker", "role", "builtin"),
    "custom_field": ("class", "name"),
    "query": ("type", "project", "name"),
    "project_time_entry_activity": ("project", "name"),
}
"""What the program knows objects by, where that is not the name alone."""
NAMING: Mapping[str, tuple[str, ...]] = {
    "issue_status": ("default_status", "from", "to", "status"),
    "tracker": ("trackers", "tracker"),
    "role": ("roles", "role", "managed_roles", "user_role"),
    "time_entry_activity": ("default_time_entry_activity",),
}
"""Where the program shows objects of a kind by name."""
NEW: Mapping[str, Row] = {
    "issue_status": {"is_closed": False, "description": None, "default_done_ratio": None},
    "tracker": {
        "default_status": None,
        "description": None,
        "is_in_roadmap": True,
        "core_fields": STANDARD,
    },
    "issue_priority": {"is_default": False, "active": True, "custom_fields": {}},
    "time_entry_activity": {"is_default": False, "active": True, "custom_fields": {}},
    "document_category": {"is_default": False, "active": True, "custom_fields": {}},
    "role": {
        "assignable": True,
        "permissions": [],
        "issues_visibility": "default",
        "time_entries_visibility": "all",
        "users_visibility": "all",
        "all_roles_managed": True,
        "managed_roles": [],
        "permissions_trackers": {},
    },
    "workflow": {"transitions": [], "fields": []},
    "custom_field": {
        "field_format": "string",
        "description": None,
        "is_required": False,
        "is_filter": False,
        "searchable": False,
        "editable": True,
        "visible": True,
        "multiple": False,
        "regexp": "",
        "min_length": None,
        "max_length": None,
        "is_for_all": False,
        "default_value": None,
        "url_pattern": None,
        "text_formatting": None,
        "edit_tag_style": None,
        "extensions_allowed": None,
        "full_width_layout": None,
        "roles": [],
        "trackers": [],
    },
    "auth_source": {
        "host": None,
        "port": 389,
        "tls": False,
        "verify_peer": True,
        "account": None,
        "base_dn": None,
        "attr_login": None,
        "attr_firstname": None,
        "attr_lastname": None,
        "attr_mail": None,
        "onthefly_register": False,
        "filter": None,
        "timeout": None,
    },
    "project_time_entry_activity": {"active": True, "custom_fields": {}},
    "query": {
        "visibility": "private",
        "roles": [],
        "filters": {"status_id": {"operator": "o", "values": []}},
        "columns": [],
        "sort": [],
        "group_by": None,
        "totals": [],
    },
}
"""What a new object has where nothing is said."""
LISTS: Mapping[str, str] = {
    "issue_status": "issue_statuses",
    "tracker": "trackers",
    "role": "roles",
    "issue_priority": "issue_priorities",
    "time_entry_activity": "time_entry_activities",
    "document_category": "document_categories",
    "custom_field": "custom_fields",
    "query": "queries",
    "auth_source": "auth_sources",
}
"""The API's lists of the objects, and what users show of authentication modes."""
WATCHED = ("wiki_page", "news")
"""Kinds that the API writes, but for their watchers."""
POSITIONED = ("issue_status", "tracker", "role", "issue_priority", "time_entry_activity", "document_category")
"""Kinds whose objects have an order."""


class MemorySession(Session):
    """The program. `tables` are its rows by kind; what the API shows at first is known to it."""

    def __init__(self, redmine: Canned) -> None:
        super().__init__(Command(("in", "memory")))
        self.redmine = redmine
        self.items: list[Item] = []
        """All that were written; not those of a check."""
        self.checked: list[Item] = []
        """All that were checked."""
        self.refusals: dict[str, tuple[str, str]] = {}
        """Name of an object → (field, message) for a write of it that fails."""
        self.notes: dict[str, tuple[str, ...]] = {}
        """Name of an object → what is said of a write of it."""
        self.failure: Exception | None = None
        """What the next write raises, after it was carried out if that is AnswerLost."""
        self.watchers: dict[str, dict[Any, list[Row]]] = {kind: {} for kind in WATCHED}
        """Kind → number → who watches the object."""
        self.tables: dict[str, list[Row]] = {kind: [] for kind in NEW}
        for kind, table in LISTS.items():
            self.tables[kind] += [self._known(kind, row) for row in redmine.rows(table)]

    # -- rows --------------------------------------------------------------------------------------------------

    def rows(self, kind: str) -> list[Row]:
        """What the program shows of a kind."""
        return self.tables.setdefault(kind, [])

    def row(self, kind: str, name: str) -> Row:
        """One row, by its name."""
        return next(row for row in self.rows(kind) if row.get("name") == name)

    def add(self, kind: str, **values: Any) -> int:
        """An object that somebody else has created; its number."""
        numbers = [row["id"] for row in self.rows(kind) if isinstance(row["id"], int)]
        number = int(values.pop("id", 0)) or max(numbers, default=0) + 1
        keyed = dict.fromkeys(KEYS.get(kind, ("name",)))
        row = {"id": number, **keyed, **copy.deepcopy(NEW.get(kind, {})), **values}
        self.rows(kind).append(row)
        self._show(kind, row)
        return number

    def _known(self, kind: str, shown: Row) -> Row:
        """The program's row of what the API shows."""
        row = {"id": shown["id"], **copy.deepcopy(NEW[kind]), **({"builtin": None} if kind == "role" else {})}
        row |= {name: value for name, value in shown.items() if name in row and not isinstance(value, dict | list)}
        row["name"] = shown["name"]
        if kind == "tracker":
            row["default_status"] = shown["default_status"]["name"]
        if kind == "custom_field":
            row["class"] = shown["customized_type"]
            row["trackers"] = sorted(self._named("trackers", one["id"]) for one in shown.get("trackers", ()))
        return row

    def _named(self, table: str, number: int) -> str:
        return str(self.redmine.row(table, number)["name"])

    def _show(self, kind: str, row: Row) -> None:
        """Let the API's list show an object as it is now."""
        table = LISTS.get(kind)
        # The API lists queries of issues alone.
        if table is None or row.get("builtin") or (kind == "query" and row["type"] != "issue"):
            return
        shown = {"id": row["id"], "name": row["name"], **_plain(row), **getattr(self, f"_{kind}", lambda row: {})(row)}
        rows = self.redmine.rows(table)
        rows[:] = [old for old in rows if old["id"] != row["id"]]
        rows.append(shown)
        rows.sort(key=lambda one: one["id"])

    def _tracker(self, row: Row) -> Row:
        status = self.row("issue_status", row["default_status"])
        return {
            "default_status": {"id": status["id"], "name": status["name"]},
            "enabled_standard_fields": list(row["core_fields"]),
        }

    def _custom_field(self, row: Row) -> Row:
        names = {name: [self._reference(name, one) for one in row[f"{name}s"]] for name in ("tracker", "role")}
        shown = {"customized_type": row["class"], "trackers": names["tracker"], "roles": names["role"]}
        if row["field_format"] == "list":
            shown["possible_values"] = [{"value": value, "label": value} for value in row.get("possible_values", ())]
        if row["field_format"] == "enumeration":
            active = [one for one in row.get("options", ()) if one["active"]]
            shown["possible_values"] = [{"value": str(one["id"]), "label": one["name"]} for one in active]
        return shown

    def _reference(self, kind: str, name: Any) -> Row:
        return {"id": self.row(kind, name)["id"], "name": name}

    def _query(self, row: Row) -> Row:
        projects = {one["identifier"]: one["id"] for one in self.redmine.rows("projects")}
        return {"is_public": row["visibility"] == "public", "project_id": projects.get(row["project"])}

    # -- what a session does -----------------------------------------------------------------------------------

    async def read(self, kinds: Iterable[str], projects: Iterable[str] | None = None) -> Rows:
        """All objects of these kinds; of those that the API lists, only in these projects."""
        self.calls += 1
        chosen = None if projects is None else set(projects)
        return {kind: copy.deepcopy(self._shown(kind, chosen)) for kind in sorted(kinds)}

    def prove(self, live: Mapping[str, Mapping[int, str]]) -> None:
        """It is inside the same Redmine."""
        for kind, names in live.items():
            if names != {row["id"]: row["name"] for row in self.rows(kind) if not row.get("builtin")}:
                raise CatalogError("catalog_command leads to another Redmine than `url`.")

    async def write(self, items: Sequence[Item], *, check: bool = False) -> tuple[list[Outcome], Rows]:
        """What became of each item, and the objects of their kinds afterwards."""
        self.calls += 1
        before = copy.deepcopy((self.tables, self.redmine.tables)) if check else None
        (self.checked if check else self.items).extend(items)
        failure, self.failure = self.failure, None
        if failure is not None and not hasattr(failure, "timed_out"):
            raise failure
        failed: set[int] = set()
        outcomes = [self._one(number, item, failed) for number, item in enumerate(items)]
        inside = {str(item.key["project"]) for item in items if item.kind in WATCHED}
        rows = {kind: copy.deepcopy(self._shown(kind, inside)) for kind in sorted({item.kind for item in items})}
        if before is not None:
            self.tables, self.redmine.tables = before
        if failure is not None:
            raise failure
        return outcomes, rows

    def _shown(self, kind: str, projects: set[str] | None) -> list[Row]:
        if kind not in WATCHED:
            return self._all(kind)
        places = self._places(kind)
        inside = [n for n in places if n in self.watchers[kind] and (projects is None or places[n][0] in projects)]
        return [{"id": number, "watchers": self.watchers[kind][number]} for number in inside]

    # -- watchers ----------------------------------------------------------------------------------------------

    def _places(self, kind: str) -> dict[Any, tuple[str, str]]:
        """The number by which the API calls an object → its project and name."""
        if kind == "wiki_page":
            pages = [(row["inside"], row["title"]) for row in self.redmine.rows("wiki_pages")]
            return {"/".join(place): place for place in pages}
        projects = {row["id"]: row["identifier"] for row in self.redmine.rows("projects")}
        return {row["id"]: (projects[row["project"]["id"]], row["title"]) for row in self.redmine.rows("news")}

    def watch(self, kind: str, name: str, *people: str) -> None:
        """Somebody else says who watches an object, by logins and names of groups."""
        number = next(number for number, place in self._places(kind).items() if place[1] == name)
        self.watchers[kind][number] = [self._person({"user": one}) or self._person({"group": one}) for one in people]

    def watching(self, kind: str, name: str) -> set[str]:
        """The logins and groups that watch an object."""
        number = next(number for number, place in self._places(kind).items() if place[1] == name)
        return {str(one.get("user") or one.get("group")) for one in self.watchers[kind].get(number, [])}

    def _person(self, one: Mapping[str, Any]) -> Row:
        word, table, name = ("group", "groups", "name") if "group" in one else ("user", "users", "login")
        rows = [row for row in self.redmine.rows(table) if row[name] == one[word] or row["id"] == one.get("id")]
        return {"id": rows[0]["id"], word: rows[0][name]} if rows else {}

    def _set_watchers(self, item: Item) -> Any:
        number = self._located(item)
        self.watchers[item.kind][number] = [self._person(one) for one in item.values["watchers"]]
        # The program's own number is another one than the API's.
        return 1_000_000

    def _located(self, item: Item) -> Any:
        known = self._places(item.kind)
        if item.id is not None:
            return item.id if item.id in known else None
        wanted = (item.key["project"], item.key["name"])
        return next((number for number, place in known.items() if place == wanted), None)

    def _all(self, kind: str) -> list[Row]:
        """The rows of a kind. Every pair of a tracker and a role has a workflow."""
        if kind == "workflow":
            pairs = [(t, r) for t in self.rows("tracker") for r in self.rows("role")]
            for tracker, role in pairs:
                self._pair(tracker, role)
        if kind in POSITIONED:
            for position, row in enumerate(self.rows(kind), 1):
                row["position"] = position
        if kind == "order":
            return [self._order(one) for one in POSITIONED]
        return self.rows(kind)

    def _order(self, kind: str) -> Row:
        names = [row["name"] for row in self.rows(kind) if not row.get("builtin")]
        return {"id": LISTS[kind], "name": LISTS[kind], "names": names}

    def _arrange(self, item: Item) -> Any:
        """The named ones take each other's places."""
        kind = next(one for one in POSITIONED if LISTS[one] == item.key["name"])
        rows, queue = self.rows(kind), list(item.values["names"])
        rows[:] = [self.row(kind, queue.pop(0)) if row["name"] in item.values["names"] else row for row in rows]
        return item.key["name"]

    def _pair(self, tracker: Row, role: Row) -> None:
        number = f"{tracker['id']}-{role['id']}"
        builtin = role.get("builtin")
        keyed = {"tracker": tracker["name"], "role": None if builtin else role["name"], "builtin": builtin}
        if all(row["id"] != number for row in self.rows("workflow")):
            self.rows("workflow").append({"id": number, **keyed, **copy.deepcopy(NEW["workflow"])})

    def _one(self, number: int, item: Item, failed: set[int]) -> Outcome:
        blocker = next((one for one in item.needs if one in failed), None)
        name = str(item.key.get("name"))
        if blocker is not None:
            failed.add(number)
            return Outcome(False, blocker=blocker)
        message = self.refusals.get(name) or self._refused(item)
        if message:
            failed.add(number)
            return Outcome(False, errors=(message,))
        return Outcome(True, self._written(item), notes=self.notes.get(name, ()))

    def _refused(self, item: Item) -> tuple[str, str] | None:
        if item.kind in WATCHED:
            people = [self._person(one) for one in item.values["watchers"]]
            missing = ("watchers", "user does not exist") if {} in people else None
            return missing if self._located(item) is not None else ("", "it is gone meanwhile")
        row = self._find(item)
        if item.op == "create" and row is not None:
            return "", "it exists meanwhile"
        if item.op == "update" and row is None:
            return "", "it is gone meanwhile"
        if item.was is not None and row is not None and _key(item.kind, row) != dict(item.was):
            return "", "it was changed meanwhile"
        return None

    def _find(self, item: Item) -> Row | None:
        rows = self._all(item.kind)
        if item.id is not None:
            return next((row for row in rows if row["id"] == item.id), None)
        return next((row for row in rows if _key(item.kind, row) == dict(item.key)), None)

    def _written(self, item: Item) -> Any:
        if item.kind in WATCHED:
            return self._set_watchers(item)
        row = self._find(item)
        if item.op == "delete":
            if row is not None:
                self.rows(item.kind).remove(row)
                shown = self.redmine.rows(LISTS[item.kind]) if item.kind in LISTS else []
                shown[:] = [one for one in shown if one["id"] != row["id"]]
            return item.id
        if item.kind == "order":
            return self._arrange(item)
        values = copy.deepcopy(dict(item.values))
        if item.kind == "custom_field" and row is not None:
            self._rename_values(row, values)
        if row is None:
            return self.add(item.kind, **{**item.key, **self._stored(item.kind, {}, values)})
        before = row.get("name")
        row |= {**item.key, **self._stored(item.kind, row, values)}
        if before != row.get("name"):
            self._rename(item.kind, before, row["name"])
        self._show(item.kind, row)
        return row["id"]

    def _rename_values(self, row: Row, values: Row) -> None:
        """Let the objects that have a value of a list have its new name."""
        for one in values.get("possible_values", ()):
            if isinstance(one, dict) and one.get("renamed_from") in row["possible_values"]:
                old, new = one["renamed_from"], one["value"]
                row["default_value"] = new if row["default_value"] == old else row["default_value"]
                for table in self.redmine.tables.values():
                    for field in (field for shown in table for field in shown.get("custom_fields", ())):
                        if field["id"] == row["id"]:
                            field["value"] = _renamed(field["value"], old, new)
                for query in self.rows("query"):
                    for filtered in (one for name, one in query["filters"].items() if name == f"[{row['name']}]"):
                        filtered["values"] = _renamed(filtered["values"], old, new)
        for one in values.get("options", ()):
            if row["default_value"] is not None and one.get("renamed_from") == row["default_value"]:
                row["default_value"] = one["name"]

    def _stored(self, kind: str, row: Row, values: Row) -> Row:
        """Values as they are shown afterwards: what is given as an order to rename shows the new name alone."""
        if "possible_values" in values:
            values["possible_values"] = [v["value"] if isinstance(v, dict) else v for v in values["possible_values"]]
        if "options" in values:
            values["options"] = list(_options(row.get("options") or [], values["options"]))
        return values

    def _rename(self, kind: str, old: Any, new: str) -> None:
        """Show an object by its new name wherever it is named."""
        for other in self.tables.values():
            for row in other:
                _rename_in(row, NAMING.get(kind, ()), old, new)
        for shown in self.redmine.rows("trackers") if kind == "issue_status" else ():
            if shown["default_status"]["name"] == old:
                shown["default_status"] = {**shown["default_status"], "name": new}


def _plain(row: Row) -> Row:
    """What the API shows as the program does."""
    hidden = ("id", "name", "builtin", "project", "class", "default_status", "core_fields", "filters")
    return {n: v for n, v in row.items() if n not in hidden and (not isinstance(v, list | dict) or n == "permissions")}


def _key(kind: str, row: Row) -> Row:
    return {name: row.get(name) for name in KEYS.get(kind, ("name",))}


def _rename_in(row: Row, names: Iterable[str], old: Any, new: str) -> None:
    for name, value in row.items():
        if name in names:
            row[name] = _renamed(value, old, new)
        for part in value if isinstance(value, list) else ():
            if isinstance(part, dict):
                _rename_in(part, names, old, new)


def _renamed(value: Any, old: Any, new: str) -> Any:
    if isinstance(value, list):
        return [new if one == old else one for one in value]
    return new if value == old else value


def _options(live: list[Row], wanted: list[Row]) -> Iterable[Row]:
    """The options of an enumeration, with the numbers that they had."""
    known = {one["name"]: one["id"] for one in live}
    free = max(known.values(), default=0)
    for one in wanted:
        number = known.get(one["name"]) or known.get(one.get("renamed_from", ""))
        free += number is None
        active = one.get("active")
        yield {"id": number or free, "name": one["name"], "active": True if active is None else active}


def exported(redmine: Canned | Running, program: Session, kind: str) -> dict[str, Row]:
    """What an export writes of the objects of a kind, by key; a remark is an error of the test."""

    async def look(client: Client) -> dict[str, Row]:
        client.catalog = program
        names = (await take(client, {}, Scope(catalog=True))).names
        items = [
            describe(kinds()[kind], key, dict(names.row(Address(kind, key)) or {}), names)
            for key in names.live(kind).ids
        ]
        assert [item.remarks for item in items if item.remarks] == []
        return {item.address.key: item.body or {} for item in items}

    async def main() -> dict[str, Row]:
        async with Client(Connection(redmine.url, api_key=SecretStr(redmine.api_key))) as client:
            return await look(client)

    with reached(redmine):
        return asyncio.run(main())


class Counting(MemorySession):
    """Counts the calls of each sort; `deaf` is raised in place of a write."""

    def __init__(self, redmine: Canned) -> None:
        super().__init__(redmine)
        self.counts: list[str] = []
        self.asked: list[set[str] | None] = []
        self.deaf: Exception | None = None

    async def read(self, kinds: Iterable[str], projects: Iterable[str] | None = None) -> Rows:
        """A read."""
        self.counts.append("read")
        self.asked.append(None if projects is None else set(projects))
        return await super().read(kinds, projects)

    async def write(self, items: Sequence[Item], *, check: bool = False) -> tuple[list[Outcome], Rows]:
        """A write, or a check."""
        self.counts.append("check" if check else "write")
        if self.deaf and not check:
            raise self.deaf
        return await super().write(items, check=check)
