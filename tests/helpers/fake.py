"""As much of a Redmine as the command line's tests need, in a few lines: for speed, and to fail on demand."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from stub import Answer


class Fake:
    """Projects by identifier. `fault` is what goes wrong (key, refuse, drop, revoke); a write takes `pause` seconds."""

    def __init__(self) -> None:
        self.projects: dict[str, dict[str, Any]] = {}
        self.fault = ""
        self.pause = 0.0

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """One request."""
        route = urlsplit(path).path.removesuffix(".json")
        if method == "GET":
            return self._get(route)
        time.sleep(self.pause)
        if self.fault == "revoke" and len(self.projects) == 3:
            return 401, b""
        if self.fault == "refuse":
            return 422, b'{"errors": ["Name is not nice"]}'
        return self._write(method, route, json.loads(body)["project"])

    def _get(self, route: str) -> Answer:
        if route == "/users/current":
            user = {"id": 1, "login": "admin", "admin": True, "updated_on": ""}
            return (401, b"") if self.fault == "key" else _ok(user=user)
        if route == "/trackers":
            return _ok(trackers=[{"id": 1, "name": "Bug", "enabled_standard_fields": []}])
        if route == "/custom_fields":
            return _ok(custom_fields=[])
        name = route.rpartition("/")[2]
        if name in ("issues", "time_entries", "news", "files"):
            # What would go with a project that is deleted: nothing.
            return _ok(**{name: []}, total_count=0, limit=100, offset=0)
        rows = list(self.projects.values())
        return _ok(projects=rows, total_count=len(rows), limit=100, offset=0) if route == "/projects" else (404, b"")

    def _write(self, method: str, route: str, fields: Mapping[str, Any]) -> Answer:
        if self.fault == "drop":
            fields = {**fields, "name": "Something else"}
        identifier = fields["identifier"] if method == "POST" else route.rpartition("/")[2]
        row = self.projects.setdefault(identifier, {"id": len(self.projects) + 1, "status": 1})
        row |= fields
        return (201, _ok(project=row)[1]) if method == "POST" else (204, b"")


def _ok(**content: Any) -> Answer:
    return 200, json.dumps(content).encode()
