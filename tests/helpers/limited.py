"""The Redmine in memory (`canned.py`) for an account that is no administrator's: it hides what Redmine 5.0 to 6.1 hide.

    redmine = Limited("Manager")                                  # amy, with that role in the project shop
    redmine.deny("shop", "versions")                              # 403, as without the permission
    redmine.add("projects", identifier="secret", is_public=False) # 403, and in no list

`tests/server/test_others.py` shows the same on real ones.
"""

from __future__ import annotations

from typing import Any

from canned import Canned, Params, _included
from canned_rows import Row

ADMINISTRATORS = {"/users", "/groups", "/custom_fields"}
"""What only administrators may list."""
SEES_ALL = {"issues_visibility": "all", "time_entries_visibility": "all"}
RIGHTS = (
    *("view_issues", "view_time_entries", "view_private_notes", "view_issue_watchers"),
    *("set_issues_private", "set_notes_private"),
)


class Limited(Canned):
    """Amy's view. `rights` change her role's page; `mail` says whether mail addresses are shown."""

    def __init__(self, role: str = "Manager", **rights: Any) -> None:
        super().__init__()
        self.denied: set[str] = set()
        self.mail = True
        self.amy = self.add("users", login="amy", firstname="Amy", lastname="Lee", mail="amy@x.org")
        self.row("users", "amy")["updated_on"] = "2026-11-29T02:05:34Z"
        self.role = self.row("roles", role)
        self.role |= {"permissions": [*RIGHTS], **SEES_ALL, **rights}
        self.add("projects", identifier="shop", enabled_modules=MODULES)
        self.add("memberships", project="shop", user="amy", roles=[role])

    @classmethod
    def view(cls, redmine: Canned) -> Limited:
        """Amy's view of a server that there is; she has the role of a manager."""
        own = cls()
        own.tables, own.amy = redmine.tables, redmine.row("users", "amy")["id"]
        own.role = redmine.row("roles", "Manager")
        own.role |= {"permissions": [*RIGHTS], **SEES_ALL, **own.role}
        own.row("users", "amy").setdefault("updated_on", "2026-11-29T02:05:34Z")
        return own

    def deny(self, project: str, *lists: str) -> None:
        """Refuse lists of a project with 403, as to an account without the permission."""
        self.denied |= {f"/projects/{project}/{name}" for name in lists}

    def person(self, login: str, *roles: str, **values: Any) -> int:
        """Another user, with roles in the project."""
        first, last = (login.title(), "Person")
        number = self.add("users", **{"login": login, "firstname": first, "lastname": last, **values})
        if roles:
            self.add("memberships", project="shop", user=login, roles=list(roles))
        return number

    @property
    def reads(self) -> list[str]:
        """The paths that were asked for, without parameters."""
        return [path.partition("?")[0].removesuffix(".json") for _, path in self.seen]

    def _get(self, parts: list[str], params: Params) -> Any:
        path = "/" + "/".join(parts)
        if path in ADMINISTRATORS | self.denied or self._is_private(parts):
            return 403, b""
        if parts[0] == "users":
            return self._user(parts[1], params)
        found = super()._get(parts, params)
        return self._seen(found) if isinstance(found, dict) else found

    def _is_private(self, parts: list[str]) -> bool:
        private = [p["identifier"] for p in self.rows("projects") if not self._may_see(p)]
        return parts[0] == "projects" and len(parts) > 1 and parts[1] in private

    def _may_see(self, project: Row) -> bool:
        return bool(project["is_public"]) or any(m["project"]["id"] == project["id"] for m in self._mine())

    def _mine(self) -> list[Row]:
        return [row for row in self.rows("memberships") if (row.get("user") or {}).get("id") == self.amy]

    def _user(self, number: str, params: Params) -> Any:
        """A user's own page: 404 unless active; the account's own shows more."""
        if number == "current":
            mine = [{key: m[key] for key in ("id", "project", "roles")} for m in self._mine()]
            row = {**self.row("users", "amy"), "memberships": mine, "api_key": self.api_key}
            hidden = {"status"} | ({"memberships"} - _included(params))
            hidden |= set() if self.mail else {"mail"}
        else:
            row = next((r for r in self.rows("users") if str(r["id"]) == number and r["status"] == 1), {})
            hidden = {"status", "admin", "api_key"} | (set() if self.mail else {"mail"})
        return {"user": {k: v for k, v in row.items() if k not in hidden}} if row else (404, b"")

    def _seen(self, body: dict[str, Any]) -> dict[str, Any]:
        """An answer without the rows that the account may not see."""
        lists = {key: rows for key, rows in body.items() if isinstance(rows, list)}
        seen = {key: [row for row in rows if self._row(key, row)] for key, rows in lists.items()}
        if "total_count" in body:
            (rows,), (left,) = lists.values(), seen.values()
            # What is hidden is on one page: no test has more of it.
            body = {**body, "total_count": body["total_count"] - len(rows) + len(left)}
        body = {**body, **seen}
        if "issue" in body:
            body["issue"] = self._issue(dict(body["issue"]))
        return body

    def _row(self, table: str, row: Row) -> bool:
        if table == "projects":
            return self._may_see(self.row("projects", row["identifier"]))
        if table in ("issues", "time_entries") and f"view_{table}" not in self.role["permissions"]:
            return False
        if table == "issues":
            own = row["author"]["id"] == self.amy
            return own or self.role["issues_visibility"] == "all" or not row["is_private"]
        return table != "time_entries" or self.role["time_entries_visibility"] == "all" or row["user"]["id"] == self.amy

    def _issue(self, row: Row) -> Row:
        """An issue's own page without the watchers and private notes that the account may not see."""
        if "view_issue_watchers" not in self.role["permissions"]:
            row.pop("watchers", None)
        if "view_private_notes" not in self.role["permissions"] and "journals" in row:
            seen = (j for j in row["journals"] if not j.get("private_notes") or j["user"]["id"] == self.amy)
            row["journals"] = list(seen)
        return row


MODULES = ["issue_tracking", "time_tracking", "news", "wiki", "files"]
