"""Manifests of very many objects, in the shapes that make programs slow: wide lists, long chains, deep trees.

`BIG` has them by name. Each is written twice, as it is first and as it is after a change.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memory import Memory

MODULES = ["issue_tracking", "wiki", "time_tracking", "news", "files"]
Objects = Iterable[Mapping[str, Any]]
Manifest = Callable[[int, bool], Mapping[str, Any]]
"""The manifest of so many objects, before or after the change."""


@dataclass(frozen=True)
class Big:
    """A shape: what people call it, how many objects it is measured with, and their manifest."""

    words: str
    count: int
    manifest: Manifest
    users: Callable[[int], int] = lambda count: 0
    """How many users there are."""
    apart: bool = False
    """Whether each issue has a file of its own."""

    def prepare(self, server: Memory, count: int) -> None:
        """Put in what is not created by the manifest."""
        for person in people(self.users(count)):
            server.add("users", **person, custom_fields={})


def in_project(**lists: Objects) -> Mapping[str, Any]:
    """A project with these lists."""
    project = {"identifier": "shop", "name": "Shop", "enabled_modules": MODULES}
    return {"projects": [{**project, **{name: list(items) for name, items in lists.items()}}]}


def issue(number: int, changed: bool, **more: Any) -> Mapping[str, Any]:
    """An issue, whose description tells whether it has changed."""
    said = {"subject": f"Issue {number}", "tracker": "Bug", "priority": "High", "description": f"{changed} {number}\n"}
    return {"key": f"i-{number}", **said, **more}


def people(count: int, changed: bool = False) -> list[dict[str, str]]:
    """Users, one in ten of whom has changed."""
    mails = ({"login": f"u{n}", "mail": f"u{n}@example.net"} for n in range(count))
    return [{**u, "firstname": "Some", "lastname": f"Body {changed and n % 10 == 0}"} for n, u in enumerate(mails)]


def users(count: int, changed: bool) -> Mapping[str, Any]:
    """The same in a manifest."""
    return {"users": people(count, changed)}


def issues(count: int, changed: bool) -> Mapping[str, Any]:
    """Issues without any links."""
    return in_project(issues=(issue(n, changed) for n in range(count)))


def parents(count: int, changed: bool) -> Mapping[str, Any]:
    """Issues with a subtask each."""
    above = ({"parent": f"i-{n - 1}"} if n % 2 else {} for n in range(2 * count))
    return in_project(issues=(issue(n, changed, **more) for n, more in enumerate(above)))


def chain(kind: str) -> Manifest:
    """Issues of which each has a relation with the next."""

    def manifest(count: int, changed: bool) -> Mapping[str, Any]:
        links = ({"relations": [{kind: f"i-{n + 1}"}]} if n < count else {} for n in range(count + 1))
        return in_project(issues=(issue(n, changed, **more) for n, more in enumerate(links)))

    return manifest


def issue_levels(count: int, changed: bool) -> Mapping[str, Any]:
    """Issues, each below the one before; all are closed by the change."""
    status = {"status": "Closed"} if changed else {}
    above = ({"parent": f"i-{n - 1}"} if n else {} for n in range(count))
    return in_project(issues=(issue(n, changed, **more, **status) for n, more in enumerate(above)))


def project_levels(count: int, changed: bool) -> Mapping[str, Any]:
    """Closed projects, each below the one before."""
    above = ({"parent": f"p-{n - 1}"} if n else {} for n in range(count))
    named = ({"identifier": f"p-{n}", "name": f"P{n}", "description": str(changed)} for n in range(count))
    return {"projects": [{**p, **more, "status": "closed"} for p, more in zip(named, above, strict=True)]}


def wiki_levels(count: int, changed: bool) -> Mapping[str, Any]:
    """Wiki pages, each below the one before, and after the change below the next one."""
    above = (n + (1 if changed else -1) for n in range(count))
    parents = (f"Page_{n}" if n in range(count) else None for n in above)
    return in_project(wiki_pages=({"title": f"Page_{n}", "text": "a\n", "parent": p} for n, p in enumerate(parents)))


def group(count: int, changed: bool) -> Mapping[str, Any]:
    """A group with all users; one in a hundred leaves it."""
    return {"groups": [{"name": "All", "users": [f"u{n}" for n in range(count) if not changed or n % 100]}]}


def memberships(count: int, changed: bool) -> Mapping[str, Any]:
    """Projects with a hundred members each; one in ten gets another role."""

    def members(project: int) -> Objects:
        roles = (["Reporter"] if changed and n % 10 == 0 else ["Developer"] for n in range(100))
        return [{"user": f"u{n}", "roles": given} for n, given in enumerate(roles)]

    return {"projects": [{"identifier": f"p-{n}", "name": f"P{n}", "members": members(n)} for n in range(count // 100)]}


def time_entries(count: int, changed: bool) -> Mapping[str, Any]:
    """Time entries of ten issues."""
    days = (f"2026-{n // 28 % 12 + 1:02}-{n % 28 + 1:02}" for n in range(count))
    common = {"user": "admin", "activity": "Design", "hours": 2 if changed else 1}
    entries = ({"issue": f"i-{n % 10}", "spent_on": d, "comments": f"c{n}", **common} for n, d in enumerate(days))
    return in_project(issues=(issue(n, False) for n in range(10)), time_entries=entries)


def versions(count: int, changed: bool) -> Mapping[str, Any]:
    """Versions with an issue each; every second one is locked."""
    locked = ({"status": "locked"} if n % 2 else {} for n in range(count))
    named = ({"name": f"v{n}", "description": str(changed), **more} for n, more in enumerate(locked))
    return in_project(versions=named, issues=(issue(n, changed, fixed_version=f"v{n}") for n in range(count)))


BIG: Mapping[str, Big] = {
    "parents": Big("changed parents, with a subtask each", 1000, parents),
    "precedes": Big("issues in a chain, each before the next", 5000, chain("precedes")),
    "blocks": Big("issues in a chain, each blocks the next", 5000, chain("blocks")),
    "issue_levels": Big("levels of issues, which are closed", 1000, issue_levels),
    "project_levels": Big("levels of closed projects", 1000, project_levels),
    "wiki_levels": Big("levels of wiki pages, which are turned round", 1000, wiki_levels),
    "versions": Big("versions with an issue each", 2000, versions),
    "time_entries": Big("time entries", 5000, time_entries),
    "files": Big("files with an issue each", 5000, issues, apart=True),
    "memberships": Big("members, 100 in each project", 20_000, memberships, lambda count: 100),
    "group": Big("users in one group", 100_000, group, lambda count: count),
    "users": Big("users", 100_000, users),
}


def write(big: Big, count: int, changed: bool, folder: Path) -> None:
    """The manifest in files: JSON, which is YAML."""
    folder.mkdir()
    manifest = dict(big.manifest(count, changed))
    if big.apart:
        (project,) = manifest["projects"]
        for n, one in enumerate(project.pop("issues")):
            (folder / f"{n}.json").write_text(json.dumps({"issues": [{"project": "shop", **one}]}))
    (folder / "all.json").write_text(json.dumps(manifest))
