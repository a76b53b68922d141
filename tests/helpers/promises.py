"""The engine against a test server, and that server seen past the tool.

`Tool` plans and applies as the commands do; `Api` is Redmine's API bare, so that a test does not ask the tool whether
the tool was right. Run as a script, this module applies the manifest on its standard input: the child process of the
tests that kill it.
"""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import SecretStr

from reconciler.apply.executor import Applier
from reconciler.apply.report import Report
from reconciler.apply.run import carry_out
from reconciler.errors import Location, ManifestError
from reconciler.manifest import loader as manifest
from reconciler.model.address import Address
from reconciler.plan.operations import Plan
from reconciler.plan.planner import make
from reconciler.redmine.client import Client, Connection
from reconciler.sandbox import Running
from reconciler.state import desired, live
from reconciler.state.desired import Desired

KEY = "Config key"
"""The custom field that `setup.rb` makes for the keys of issues."""

Manifest = Mapping[str, Any]


class Tool:
    """The engine on one server; `connection` are further settings of the client, `key_field` holds issues' keys."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        key_field: str = "",
        env: Mapping[str, str] | None = None,
        log: Callable[[str], None] | None = None,
        **connection: Any,
    ) -> None:
        self.settings = {"place": Location("reconciler.yaml", 1, 1)} | (
            {"issue_key_field": key_field} if key_field else {}
        )
        self.connection = Connection(url, api_key=SecretStr(api_key), **connection)
        self.env, self.log = env or {}, log

    def desired(self, data: Manifest) -> Desired:
        """What the manifest declares, with its problems."""
        loaded = manifest.load(["-"], self.env, stdin=io.StringIO(json.dumps(data)))
        assert not loaded.problems, loaded.problems
        return desired.build(loaded.documents, self.settings)

    def problems(self, data: Manifest) -> list[str]:
        """What `validate` or `plan` finds wrong; [] if nothing is."""
        try:
            self.plan(data)
        except ManifestError as error:
            return [str(problem) for problem in error.problems]
        return []

    def plan(self, data: Manifest) -> Plan:
        """What apply would do."""
        return asyncio.run(self._plan(data))

    async def _plan(self, data: Manifest) -> Plan:
        async with Client(self.connection, log=self.log) as client:
            wanted = self.desired(data)
            plan = make(wanted, await live.read(client, wanted), self.connection.url)
            return replace(plan, requests=client.requests)

    def apply(self, data: Manifest, watch: Callable[[Applier], None] = lambda applier: None) -> Report:
        """Plans and does it; `watch` gets the applier before it starts."""
        return asyncio.run(self._apply(data, watch))

    async def _apply(self, data: Manifest, watch: Callable[[Applier], None]) -> Report:
        async with Client(self.connection, log=self.log) as client:
            wanted = self.desired(data)
            found = await live.read(client, wanted)
            applier = Applier(client, found.names, make(wanted, found, self.connection.url))
            watch(applier)
            return await carry_out(applier)

    def settle(self, data: Manifest) -> Report:
        """Applies, and expects that everything is done and nothing is left to do."""
        report = self.apply(data)
        assert troubles(report) == {}, troubles(report)
        left = fields(self.plan(data))
        assert left == {}, left
        return report


def tool(server: Running, **settings: Any) -> Tool:
    """A tool with the administrator's key."""
    return Tool(server.url, server.api_key, **settings)


def troubles(report: Report) -> dict[str, tuple[str, str]]:
    """Address → outcome and why, of everything that is not done."""
    return {
        str(r.change.address): (r.outcome, "; ".join([*map(str, r.errors), r.because or ""]).strip("; "))
        for r in report.results
        if r.outcome != "done"
    }


def outcomes(report: Report) -> dict[str, str]:
    """Address → outcome."""
    return {str(r.change.address): r.outcome for r in report.results}


def fields(plan: Plan) -> dict[str, dict[str, Any]]:
    """Address → path → value after, of everything that would change."""
    return {str(c.address): {f.path: f.after for f in c.all_fields} for c in plan.changes}


def address(text: str) -> Address:
    """`issue web-shop/login` as an Address."""
    kind, _, key = text.partition(" ")
    return Address(kind, key)


# -- past the tool ---------------------------------------------------------------------------------------------


class Api:
    """Redmine's API as it is: a context manager; `headers` take the place of the administrator's key."""

    def __init__(self, server: Running, headers: Mapping[str, str] | None = None) -> None:
        given = {"X-Redmine-API-Key": server.api_key} if headers is None else headers
        self._http = httpx.Client(base_url=server.url, headers=given, trust_env=False, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def send(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """The answer, whatever its status. Nothing is kept between requests, least of all a cookie."""
        self._http.cookies.clear()
        url, mark, query = path.partition("?")
        content = {"json": body} if body is not None else {}
        return self._http.request(method, f"{url}.json{mark}{query}", **content, **more)

    def get(self, path: str) -> Any:
        """The first thing in the answer's JSON object: one object, or a list (at most 100 rows)."""
        response = self.send("GET", path if "?" in path else f"{path}?limit=100")
        assert response.status_code == 200, f"{path}: {response.status_code} {response.text}"
        return next(iter(response.json().values()))

    def make(self, path: str, **attributes: Any) -> dict[str, Any]:
        """The new object."""
        name = _singular(path.rpartition("/")[2])
        response = self.send("POST", path, {name: attributes})
        assert response.status_code == 201, f"{path}: {response.status_code} {response.text}"
        return dict(response.json()[name])

    def change(self, path: str, **attributes: Any) -> None:
        """Changes an object. Redmine says yes to this, which is not to say that it did it."""
        response = self.send("PUT", path, {_singular(path.split("/")[-2]): attributes})
        assert response.status_code == 204, f"{path}: {response.status_code} {response.text}"

    def delete(self, path: str) -> None:
        """Deletes an object. While a project is deleted in the background (from 5.1 on), SQLite may be busy: 500."""
        until = time.monotonic() + 30
        while (response := self.send("DELETE", path)).status_code == 500 and time.monotonic() < until:
            time.sleep(0.5)
        assert response.status_code == 204, f"{path}: {response.status_code} {response.text}"

    def issue(self, subject: str) -> dict[str, Any]:
        """The one issue with a subject, by its own page."""
        (found,) = self.get(f"/issues?status_id=*&subject={subject}")
        return dict(self.get(f"/issues/{found['id']}?include=allowed_statuses,watchers"))

    def content(self, row: Mapping[str, Any]) -> str:
        """The digest of what is in a file, by the file's row."""
        path = httpx.URL(row["content_url"]).raw_path.decode()
        response = self._http.get(path)
        assert response.status_code == 200, f"{path}: {response.status_code}"
        return sha256(response.content).hexdigest()

    def id(self, path: str, name: str) -> int:
        """The id of what is called `name` in a list without pages."""
        return next(int(row["id"]) for row in self.get(path) if row["name"] == name)


def _singular(plural: str) -> str:
    return plural.removesuffix("ies") + "y" if plural.endswith("ies") else plural.removesuffix("s")


def sql(server: Running, *statements: str) -> None:
    """Does to the database what only an administrator could do in the browser; settings are noticed at once."""
    with closing(sqlite3.connect(server.folder / "redmine.sqlite3", timeout=10)) as database, database:
        for statement in statements:
            database.execute(statement)
        database.execute("UPDATE settings SET updated_on = strftime('%Y-%m-%d %H:%M:%f', 'now')")


def setting(server: Running, name: str, value: str) -> None:
    """Changes a setting of the server."""
    insert = f"INSERT INTO settings (name, value, updated_on) VALUES ('{name}', '{value}', CURRENT_TIMESTAMP)"
    sql(server, f"DELETE FROM settings WHERE name = '{name}'", insert)


def read_only(world: Running, *names: str) -> None:
    """Lets the workflow make fields of issues read-only for everybody: columns, or names of custom fields."""
    for name in names:
        field = f"coalesce((SELECT id FROM custom_fields WHERE name = '{name}'), '{name}')"
        sql(
            world,
            "INSERT INTO workflows (type, tracker_id, old_status_id, new_status_id, role_id, field_name, rule) "
            f"SELECT 'WorkflowPermission', trackers.id, issue_statuses.id, 0, roles.id, {field}, 'readonly' "
            "FROM trackers, issue_statuses, roles",
        )


def permit(server: Running, *permissions: str) -> None:
    """Leaves reporters, and those who are no members, nothing but these permissions."""
    text = "--- " + "".join(f"\n- :{name}" for name in permissions) + "\n"
    sql(server, f"UPDATE roles SET permissions = '{text}' WHERE name IN ('Reporter', 'Non member')")


NOISE = frozenset(
    {"id", "created_on", "updated_on", "closed_on", "passwd_changed_on", "last_login_on", "api_key"}
    | {"content_url", "thumbnail_url", "downloads"}
)
OPEN = ("memberships", "versions", "files")
"""Lists of what is inside a project. Categories are in its own row: 5.0 refuses their list while it is closed."""


def state(api: Api) -> dict[str, Any]:
    """Everything that manifests can declare, as the API shows it, without ids and times."""
    users = [api.get(f"/users/{row['id']}") for s in (1, 3) for row in api.get(f"/users?status={s}&limit=100")]
    shown = "include=trackers,enabled_modules,issue_categories,issue_custom_fields"
    projects = [api.get(f"/projects/{p['id']}?{shown}") for p in api.get("/projects?status=1%7C5&limit=100")]
    issues = _pages(api, "/issues", "?status_id=*&limit=100", "watchers,relations,attachments,journals")
    inside = {name: [row for p in projects for row in api.get(f"/projects/{p['id']}/{name}")] for name in OPEN}
    called = {
        "user": {u["id"]: u["login"] for u in users},
        "version": {v["id"]: v["name"] for v in inside["versions"]},
        "project": {p["id"]: p["identifier"] for p in projects},
        "issue": {i["id"]: i["subject"] for i in issues},
    }
    entries, wiki = api.get("/time_entries"), [row for p in projects for row in _wiki(api, p["identifier"])]
    for row in (*projects, *issues):
        kind = "project" if "identifier" in row else "issue"
        row["parent"] = called[kind].get(row.get("parent", {}).get("id"))
    for row in issues:
        row["journals"] = [j for j in row["journals"] if j["notes"]]  # the others tell the way, not the state
        row["relations"] = [_relation(relation, called["issue"]) for relation in row.get("relations", ())]
    for row in entries:
        row["issue"] = called["issue"].get(row.get("issue", {}).get("id"))
    rows = {"users": users, "projects": projects, "issues": issues, **inside, "time_entries": entries, "wiki": wiki}
    rows |= {"groups": _pages(api, "/groups", "", "users"), "news": _pages(api, "/news", "", "attachments")}
    for row in (
        *inside["files"],
        *(file for found in rows.values() for r in found for file in r.get("attachments", ())),
    ):
        row["content"] = api.content(row)
    called["attachment"] = dict(_field_files(api, (row for found in rows.values() for row in found)))
    return {name: sorted((_plain(row, called) for row in found), key=repr) for name, found in rows.items()}


def _field_files(api: Api, rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int, str]]:
    """Id → name and content of each file in a custom field."""
    for field in (field for row in rows for field in row.get("custom_fields", ())):
        if field["name"].endswith(" attachment") and field["value"]:
            file = api.get(f"/attachments/{field['value']}")
            yield file["id"], f"{file['filename']} {api.content(file)}"


def _pages(api: Api, path: str, query: str, include: str) -> list[Any]:
    """The page of each object of a list."""
    return [api.get(f"{path}/{row['id']}?include={include}") for row in api.get(path + query)]


def _wiki(api: Api, project: str) -> Iterator[dict[str, Any]]:
    """The pages of a project's wiki, with the one that is its start page."""
    for row in api.get(f"/projects/{project}/wiki/index"):
        yield {"in": project, **api.get(f"/projects/{project}/wiki/{row['title']}?include=attachments")}
    start = api.send("GET", f"/projects/{project}/wiki")
    yield {"in": project, "start": start.json()["wiki_page"]["title"] if start.status_code == 200 else None}


def _relation(row: Mapping[str, Any], called: Mapping[int, str]) -> dict[str, Any]:
    """A relation between names; Redmine stores `relates` with the lower id first, whoever declares it."""
    ends = [called[row["issue_id"]], called[row["issue_to_id"]]]
    kind = row["relation_type"]
    return {"type": kind, "ends": " ".join(sorted(ends) if kind == "relates" else ends), "delay": row["delay"]}


def _plain(value: Any, called: Mapping[str, Mapping[int, str]]) -> Any:
    """A row without what differs between two servers that hold the same; references as names, sets sorted."""
    if isinstance(value, list):
        return sorted((_plain(item, called) for item in value), key=repr)
    if not isinstance(value, dict):
        return value
    plain = {name: _plain(item, called) for name, item in value.items() if name not in NOISE}
    kind = str(value.get("name", "")).removesuffix(" multiple").rpartition(" ")[2]
    if kind in ("user", "version", "attachment") and (ids := value.get("value")):
        plain["value"] = sorted(called[kind][int(i)] for i in (ids if isinstance(ids, list) else [ids]))
    return plain


def values(row: Mapping[str, Any]) -> dict[str, Any]:
    """The custom fields of a row as the API shows them, by name."""
    return {f["name"]: f["value"] for f in row["custom_fields"]}


def only(rows: Iterable[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    """The one row that has these values."""
    (found,) = [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]
    return found


# -- small worlds, declared and made without the tool ------------------------------------------------------------


def project(identifier: str = "shop", **more: Any) -> dict[str, Any]:
    """The declaration of a project that can have issues."""
    named = {"identifier": identifier, "name": identifier, "trackers": ["Bug", "Feature", "Support"]}
    return {**named, "enabled_modules": ["issue_tracking"], **more}


def shop(**more: Any) -> dict[str, Any]:
    """A manifest of one project, with what is in it."""
    return {"projects": [project(**more)]}


def raw_shop(api: Api, identifier: str = "shop", **more: Any) -> dict[str, Any]:
    """The same project, made without the tool."""
    modules = {"enabled_module_names": ["issue_tracking"], "tracker_ids": [1, 2, 3]}
    return api.make("/projects", identifier=identifier, name=identifier, **{**modules, **more})


def raw_issue(api: Api, subject: str, **more: Any) -> int:
    """The id of a new issue in the project, made without the tool."""
    return int(api.make("/projects/shop/issues", subject=subject, **more)["id"])


def raw_user(api: Api, login: str = "amy", **more: Any) -> int:
    """The id of a new user, made without the tool."""
    named = {"firstname": login, "lastname": "Test", "mail": f"{login}@example.net"}
    return int(api.make("/users", login=login, **named, **more)["id"])


def person(login: str = "amy", **more: Any) -> dict[str, Any]:
    """The declaration of the same user."""
    return {"login": login, "firstname": login, "lastname": "Test", "mail": f"{login}@example.net", **more}


def as_user(world: Running, api: Api, user: int) -> Api:
    """The API with a user's key."""
    return Api(world, {"X-Redmine-API-Key": api.get(f"/users/{user}")["api_key"]})


def raw_group(api: Api, *users: int, name: str = "Support") -> int:
    """The id of a new group of these users, made without the tool."""
    return int(api.make("/groups", name=name, user_ids=list(users))["id"])


def _child(url: str, api_key: str, key_field: str) -> None:
    Tool(url, api_key, key_field=key_field).apply(json.load(sys.stdin))


def child(*arguments: str) -> list[str]:
    """The command line of the child process: `url`, `api_key`, `key_field`."""
    return [sys.executable, str(Path(__file__)), *arguments]


if __name__ == "__main__":
    _child(*sys.argv[1:])
