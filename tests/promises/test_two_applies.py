"""Two applies of the same manifests, started together or shortly one after the other, as processes of their own.

RECONCILER_ROUNDS says how often (once by default, which is for `make test`); each round has a project of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from promises import KEY, Api

from reconciler.sandbox import Running

ROUNDS = int(os.environ.get("RECONCILER_ROUNDS", "1"))
DELAYS = (0, 0.5, 1, 2, 3)
"""Seconds between the two starts, one after the other over the rounds."""
MODULES = ["wiki", "issue_tracking", "news", "files", "time_tracking"]


@pytest.fixture
def api(there: Path, world: Running) -> Iterator[Api]:
    """The server past the tool, with a project for the lease; the environment leads to it."""
    with Api(world) as api:
        api.make("/projects", identifier="ops", name="ops", enabled_module_names=["wiki"])
        yield api


def manifest(number: int, key: bool) -> dict[str, Any]:
    """Something of each kind that two runs could double, and of some that they could not."""
    name = f"round{number}"
    Path("a.txt").write_text(f"a of {name}")
    Path("b.txt").write_text(f"b of {name}")
    named = [{"subject": f"issue {n}", **({"key": f"{name}-{n}"} if key else {})} for n in range(8)]
    entry = {"user": "admin", "activity": "Design", "hours": 1}
    user = {"login": f"user{number}", "firstname": "A", "lastname": "B", "mail": f"user{number}@example.net"}
    project = {
        "identifier": name,
        "versions": [{"name": "1.0"}, {"name": "2.0"}],
        "wiki_pages": [{"title": "Guide", "text": "text"}],
        "news": [{"title": "one", "description": "text"}, {"title": "two", "description": "text"}],
        "files": [{"path": "a.txt"}, {"path": "b.txt"}],
        "time_entries": [{**entry, "spent_on": "2026-11-02"}, {**entry, "spent_on": "2026-11-03"}],
        "issues": [{**issue, "tracker": "Bug"} for issue in named],
    }
    return {"users": [user], "projects": [project]}


def both(number: int, api: Api, *, key: bool, lease: bool) -> tuple[list[int], list[dict[str, Any]]]:
    """Exit codes and results of two applies, the second one started a little later."""
    name = f"round{number}"
    api.make("/projects", identifier=name, name=name, enabled_module_names=MODULES)
    Path("a.yaml").write_text(json.dumps(manifest(number, key)))
    settings = [*(["lease: {project: ops}"] if lease else []), *([f"issue_key_field: {KEY}"] if key else [])]
    Path("reconciler.yaml").write_text("\n".join(settings))
    waits = ["--lease-timeout", "300"] if lease else []
    command = [sys.executable, "-m", "reconciler", "apply", "a.yaml", "--yes", "--format", "json", *waits]
    processes = []
    for pause in (DELAYS[(number + key) % len(DELAYS)], 0):
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        time.sleep(pause)
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    return [p.returncode for p in processes], [r for out in outputs for r in json.loads(out).get("results", [])]


def twice(number: int, api: Api) -> set[str]:
    """What the server has twice, as kind and name."""
    name = f"round{number}"
    found = Counter[str]()
    lists = {
        "issue": (f"/issues?project_id={name}&status_id=*&limit=100", "subject"),
        "news": (f"/projects/{name}/news", "title"),
        "file": (f"/projects/{name}/files", "filename"),
        "time_entry": (f"/time_entries?project_id={name}", "spent_on"),
        "version": (f"/projects/{name}/versions", "name"),
        "wiki_page": (f"/projects/{name}/wiki/index", "title"),
    }
    for kind, (path, field) in lists.items():
        found.update(f"{kind} {row[field]}" for row in api.get(path))
    assert len(found) == 17, "nothing is missing"
    return {what for what, count in found.items() if count > 1}


def what(result: dict[str, Any]) -> str:
    """A result as kind and name."""
    if result["kind"] == "time_entry":
        return f"time_entry {result['key'].partition('/')[2].partition(' ')[0]}"
    subjects = [field["after"] for field in result["fields"] if field["path"] == "subject"]
    return f"{result['kind']} {subjects[0] if subjects else result['key'].rpartition('/')[2]}"


@pytest.mark.parametrize("key", [False, True])
def test_with_a_lease_nothing_is_created_twice(api: Api, key: bool) -> None:
    """Both runs end with 0, one after the other, and everything is there once."""
    for number in range(ROUNDS):
        codes, _ = both(number, api, key=key, lease=True)
        assert (codes, twice(number, api)) == ([0, 0], set()), f"round {number}"


@pytest.mark.parametrize("key", [False, True])
def test_without_a_lease_nothing_that_exists_twice_is_done(api: Api, key: bool) -> None:
    """What both runs created in the same instant exists twice, and neither reports it as done; whatever one of them
    created before the other one's turn is adopted."""
    for number in range(ROUNDS):
        _, results = both(number, api, key=key, lease=False)
        doubled = twice(number, api)
        assert not [r for r in results if r["outcome"] == "done" and what(r) in doubled], f"round {number}"
        failed = {what(r) for r in results if r["outcome"] == "failed" and "exists twice" in str(r["errors"])}
        assert failed == doubled, f"round {number}"
