"""Exports for tests: of a server into a folder, planned and applied again, and a server seen past the tool."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from canned import Canned, reached
from click.testing import CliRunner, Result
from promises import Api, state

import reconciler
from reconciler.apply.report import Report
from reconciler.cli import main
from reconciler.export.run import Exported
from reconciler.export.state_files import KEYS
from reconciler.pipeline import Manifests
from reconciler.plan.operations import Plan
from reconciler.sandbox import Running


class Exports:
    """A server's exports; `key_field` holds the keys of issues."""

    def __init__(self, server: Running | Canned, key_field: str = "") -> None:
        self.server = server
        self.environ = {"PATH": os.environ["PATH"], "REDMINE_URL": server.url, "REDMINE_API_KEY": server.api_key}
        self.key_field = key_field

    def write(self, folder: Path, **scope: Any) -> Exported:
        """Export what is live."""
        config = folder.with_name("reconciler.yaml")
        config.write_text(f"issue_key_field: {self.key_field}\n" if self.key_field else "{}\n")
        with reached(self.server):
            return reconciler.export_to(folder, file=config, environ=self.environ, **scope)

    def read(self, folder: Path) -> Manifests:
        """The manifests in a folder, with the configuration beside them."""
        return reconciler.load(folder, environ=self.environ)

    def plan(self, folder: Path) -> Plan:
        """What would change on the server."""
        with reached(self.server):
            return self.read(folder).plan()

    def apply(self, folder: Path) -> Report:
        """Make the server as the manifests say."""
        with reached(self.server):
            return self.read(folder).apply()


def run(*args: str, code: int = 0) -> Result:
    """One command, and the exit code that it has."""
    result = CliRunner().invoke(main, args)
    assert result.exit_code == code, result.output
    return result


def left(folder: str) -> list[dict[str, Any]]:
    """The changes of a plan of a folder."""
    return list(json.loads(run("plan", "--format", "json", folder).stdout)["changes"])


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path; not the one with the numbers of issues, which are a server's own."""
    found = (p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != KEYS)
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


def touched(folder: Path) -> dict[str, int]:
    """When every file below a folder was written, by its path."""
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in sorted(folder.rglob("*")) if p.is_file()}


def comments(text: str) -> Iterator[str]:
    """The lines of comment in a manifest."""
    return (line.strip().removeprefix("# ") for line in text.splitlines() if line.strip().startswith("# "))


class Lenient(Api):
    """An Api for which a list that may not be read, because its module is off, is empty; titles can be odd."""

    def get(self, path: str) -> Any:
        before, wiki, title = path.rpartition("?")[0].partition("/wiki/")
        path = f"{before}{wiki}{quote(title, safe='')}?{path.rpartition('?')[2]}" if wiki else path
        answer = self.send("GET", path if "?" in path else f"{path}?limit=100")
        return [] if answer.status_code in (403, 404) else super().get(path)


@contextmanager
def past_the_tool(server: Running) -> Iterator[Lenient]:
    """The API as it is."""
    with Lenient(server) as api:
        yield api


def seen(server: Running) -> dict[str, Any]:
    """Everything that manifests can declare, as the API shows it, without ids and times."""
    with past_the_tool(server) as api:
        return state(api)
