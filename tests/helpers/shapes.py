"""Manifests of many objects, in the shapes that have made programs slow: long chains, deep trees, wide lists.

manifest = SHAPES["chain"](200, "changed")     # 200 issues; another word makes another text of each object
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Manifest = Callable[[int, str], str]
MODULES = ["issue_tracking", "wiki"]


def _in_project(**lists: Iterable[Mapping[str, Any]]) -> str:
    project = {"identifier": "shop", "name": "Shop", "enabled_modules": MODULES}
    return json.dumps({"projects": [{**project, **{name: list(items) for name, items in lists.items()}}]})


def _issue(number: int, word: str, **more: Any) -> Mapping[str, Any]:
    said = {"subject": f"Issue {number}", "tracker": "Bug", "priority": "High", "description": f"{word} {number}\n"}
    return {"key": f"i-{number}", **said, **more}


def issues(count: int, word: str) -> str:
    """Issues without any links."""
    dates = {"start_date": "2026-01-01", "due_date": "2026-02-01", "estimated_hours": 2.5}
    return _in_project(issues=(_issue(n, word, **dates) for n in range(count)))


def parents(count: int, word: str) -> str:
    """Issues of which each has a subtask."""
    pairs = (({}, {"parent": f"i-{2 * n}"}) for n in range(count // 2))
    return _in_project(issues=(_issue(n, word, **more) for n, more in enumerate(m for pair in pairs for m in pair)))


def chain(count: int, word: str) -> str:
    """Issues of which each precedes the next."""
    links = ({"relations": [{"precedes": f"i-{n + 1}"}]} if n + 1 < count else {} for n in range(count))
    return _in_project(issues=(_issue(n, word, **more) for n, more in enumerate(links)))


def hub(count: int, word: str) -> str:
    """Issues that are all related to the first one, which declares it."""
    star = [{"relates": f"i-{n}"} for n in range(1, count)]
    return _in_project(issues=(_issue(n, word, **({} if n else {"relations": star})) for n in range(count)))


def issue_levels(count: int, word: str) -> str:
    """Issues, each below the one before."""
    return _in_project(issues=(_issue(n, word, **({"parent": f"i-{n - 1}"} if n else {})) for n in range(count)))


def project_levels(count: int, word: str) -> str:
    """Projects, each below the one before."""
    named = ({"identifier": f"p-{n}", "name": f"P{n}", "description": f"{word} {n}"} for n in range(count))
    return json.dumps({"projects": [{**p, **({"parent": f"p-{n - 1}"} if n else {})} for n, p in enumerate(named)]})


def wiki_levels(count: int, word: str) -> str:
    """Wiki pages, each below the one before."""
    pages = ({"title": f"Page_{n}", "text": f"{word} {n}\n"} for n in range(count))
    return _in_project(wiki_pages=({**p, **({"parent": f"Page_{n - 1}"} if n else {})} for n, p in enumerate(pages)))


def wiki(count: int, word: str) -> str:
    """Wiki pages at the top."""
    return _in_project(wiki_pages=({"title": f"Page_{n}", "text": f"{word} {n}\n"} for n in range(count)))


def versions(count: int, word: str) -> str:
    """Versions, each with an issue."""
    made = ({"name": f"v{n}", "description": f"{word} {n}"} for n in range(count // 2))
    return _in_project(versions=made, issues=(_issue(n, word, fixed_version=f"v{n}") for n in range(count // 2)))


def users(count: int, word: str) -> str:
    """Users."""
    mails = ({"login": f"u{n}", "mail": f"u{n}@example.net"} for n in range(count))
    return json.dumps({"users": [{"firstname": f"F{n}", "lastname": word, **u} for n, u in enumerate(mails)]})


def notes(count: int, word: str) -> str:
    """An issue with notes, of which each becomes the next one after the change."""
    moved = word != "first"
    earlier = ({"changed_from": str(n)} if moved else {} for n in range(count))
    return _in_project(issues=[_issue(0, "a", notes=[{"text": str(n + moved), **e} for n, e in enumerate(earlier)])])


def members(count: int, word: str) -> str:
    """Users who are members of a project, and assignees of issues in it."""
    people = json.loads(users(count // 3, "Able"))
    roles = ["Developer"] if word == "first" else ["Developer", "Reporter"]
    inside = json.loads(
        _in_project(
            members=({"user": user["login"], "roles": roles} for user in people["users"]),
            issues=(_issue(n, word, assigned_to=user["login"]) for n, user in enumerate(people["users"])),
        )
    )
    return json.dumps({**people, **inside})


def exchanges(count: int, word: str) -> str:
    """Users who have each other's mail address after the change, two by two."""
    mails = (n if word == "first" else n ^ 1 for n in range(count - count % 2))
    people = ({"login": f"u{n}", "firstname": f"F{n}", "lastname": "Able"} for n in range(count))
    return json.dumps({"users": [{**p, "mail": f"u{n}@example.net"} for p, n in zip(people, mails, strict=False)]})


def renames(count: int, word: str) -> str:
    """Versions of which each gets the name of the next."""
    moved = word != "first"
    earlier = ({"renamed_from": f"v{n}"} if moved else {} for n in range(count))
    return _in_project(versions=({"name": f"v{n + moved}", **more} for n, more in enumerate(earlier)))


def deletions(count: int, word: str) -> str:
    """Versions, wiki pages and issues, which are declared absent in the end."""
    gone = {} if word == "first" else {"state": "absent"}
    numbers = range(count // 3)
    return _in_project(
        versions=({"name": f"v{n}", **gone} for n in numbers),
        wiki_pages=({"title": f"Page_{n}", **(gone or {"text": f"{n}\n"})} for n in numbers),
        issues=({"key": f"i-{n}", "subject": f"Issue {n}", **gone} for n in numbers),
    )


def project_deletions(count: int, word: str) -> str:
    """Projects, which are declared absent in the end."""
    gone = {} if word == "first" else {"state": "absent"}
    return json.dumps({"projects": [{"identifier": f"p-{n}", "name": f"P{n}", **gone} for n in range(count)]})


SHAPES: Mapping[str, Manifest] = {
    made.__name__: made
    for made in (
        issues,
        parents,
        chain,
        hub,
        issue_levels,
        project_levels,
        wiki_levels,
        wiki,
        versions,
        users,
        notes,
        members,
        exchanges,
        renames,
        deletions,
        project_deletions,
    )
}
