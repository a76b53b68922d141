"""What an apply costs, by the formula of docs/performance.md: writes, what shows that they arrived, and nothing else."""

from __future__ import annotations

from collections import Counter

import pytest
from canned import Canned
from engine import apply_to

SHOP = "projects: [{identifier: shop, name: Shop, %s}]"
MODULES = ["issue_tracking", "news", "wiki", "time_tracking"]
LIST = 1
NEWEST = 2
"""The looks at the newest issues, before the first POST and after the last one."""

LOOK_UP = 1
"""After each POST whose answer does not show the object: the page of the newest ones in the project."""
LAST = 1
"""The look at that page at the end of an apply."""


def server() -> Canned:
    """A server with two users, a project, and some of everything in it."""
    redmine = Canned()
    for login in ("amy", "bob"):
        redmine.add("users", login=login, firstname="A", lastname="B", mail=f"{login}@example.net")
    redmine.add("groups", name="Support", users=[])
    redmine.add("projects", identifier="shop", name="Shop", enabled_modules=MODULES)
    redmine.add("versions", project="shop", name="1.0")
    redmine.add("issue_categories", project="shop", name="Backend")
    redmine.add("memberships", project="shop", user="amy", roles=["Developer"])
    for subject in ("a", "b", "c", "d"):
        redmine.add("issues", project="shop", subject=subject, watchers=[])
    redmine.add("wiki_pages", inside="shop", title="Home", text="text", version=1)
    return redmine


def issues(*items: str) -> str:
    """A manifest of issues."""
    return SHOP % f"issues: [{', '.join(f'{{{item}}}' for item in items)}]"


NEW = [f"subject: new {n}" for n in range(250)]
SCENARIOS: dict[str, tuple[str, dict[str, int], int]] = {
    "nothing to do": (issues("subject: a"), {}, 0),
    "one new issue": (issues("subject: new"), {"POST": 1}, NEWEST),
    "250 new issues": (issues(*NEW), {"POST": 250}, NEWEST),
    "250 new issues and one that changes": (
        issues(*NEW, "subject: a, description: text"),
        {"POST": 250, "PUT": 1},
        NEWEST + LIST,
    ),
    "new issues below a new one": (
        issues("subject: top", "subject: x, parent: top", "subject: y, parent: top"),
        {"POST": 3},
        NEWEST + LIST,
    ),
    "four issues that change": (
        issues(*(f"subject: {s}, description: text, priority: High" for s in "abcd")),
        {"PUT": 4},
        LIST,
    ),
    "a closed issue": (issues("subject: a, status: Closed"), {"PUT": 1}, LIST),
    "a relation": (issues("subject: a, relations: [{relates: b}]", "subject: b"), {"POST": 1}, LIST),
    "watchers": (issues("subject: a, watchers: [amy, bob]"), {"POST": 1}, LIST + 1),
    "a note": (issues("subject: a, notes: [said]"), {"PUT": 1}, LIST + 1),
    "a new issue with a note": (issues("subject: new, notes: [said]"), {"POST": 1, "PUT": 1}, NEWEST + LIST + 1),
    "deleted issues": (issues("subject: a, state: absent", "subject: b, state: absent"), {"DELETE": 2}, 0),
    "a new version": (SHOP % "versions: [{name: '2.0'}]", {"POST": 1}, 0),
    "a new version that is locked": (
        SHOP % "versions: [{name: '2.0', status: locked}], issues: [{subject: new, fixed_version: '2.0'}]",
        {"POST": 2, "PUT": 1},
        NEWEST + 2 * LIST,
    ),
    "a version that changes": (SHOP % "versions: [{name: '1.0', description: text}]", {"PUT": 1}, LIST),
    "a renamed version": (SHOP % "versions: [{name: '1.1', renamed_from: '1.0'}]", {"PUT": 1}, LIST),
    "a deleted version": (SHOP % "versions: [{name: '1.0', state: absent}]", {"DELETE": 1}, 0),
    "new categories": (SHOP % "issue_categories: [{name: x}, {name: y, assigned_to: amy}]", {"POST": 2}, 0),
    "a new member": (SHOP % "members: [{user: bob, roles: [Developer]}]", {"POST": 1}, 0),
    "other roles of a member": (SHOP % "members: [{user: amy, roles: [Manager]}]", {"PUT": 1}, LIST),
    "new users": (
        f"users: [{', '.join(f'{{login: u{n}, firstname: A, lastname: B, mail: u{n}@example.net}}' for n in range(9))}]",
        {"POST": 9},
        0,
    ),
    "a user who changes": ("users: [{login: amy, lastname: C}]", {"PUT": 1}, LIST),
    "a new group of people": ("groups: [{name: New, users: [amy, bob]}]", {"POST": 1}, LIST + 1),
    "a group without people": ("groups: [{name: New}]", {"POST": 1}, 0),
    "a new project": ("projects: [{identifier: other, name: Other, description: text}]", {"POST": 1}, 0),
    "a new project with its modules": (
        "projects: [{identifier: other, name: Other, enabled_modules: [wiki]}]",
        {"POST": 1},
        LIST,
    ),
    "a changed page of a wiki": (SHOP % "wiki_pages: [{title: Home, text: other}]", {"PUT": 1}, LIST + 1),
    "a new time entry": (
        SHOP % "time_entries: [{user: amy, spent_on: 2026-11-02, activity: Design, hours: 1}]",
        {"POST": 1},
        NEWEST,
    ),
    "a news item": (SHOP % "news: [{title: a, description: b}]", {"POST": 1}, LOOK_UP + LIST + LAST),
    "250 news items": (
        SHOP % f"news: [{', '.join(f'{{title: {n}, description: b}}' for n in range(250))}]",
        {"POST": 250},
        250 * LOOK_UP + 3 * LIST + LAST,
    ),
    "a closed project": ("projects: [{identifier: shop, status: closed}]", {"PUT": 1}, LIST),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_apply_takes_as_many_requests_as_the_formula_says(name: str) -> None:
    """One write for each new, changed or deleted object and each later step, and few reads."""
    text, writes, reads = SCENARIOS[name]
    redmine = server()
    report = apply_to(redmine, text, concurrency=1)
    assert report.summary["done"] == len(report.results), [str(e) for r in report.results for e in r.errors]
    first = next((n for n, (method, _) in enumerate(redmine.seen) if method != "GET"), len(redmine.seen))
    # The look at the newest issues comes right before the first write.
    first -= sum("%3Adesc" in path for _, path in redmine.seen[:first])
    methods = Counter(method for method, _ in redmine.seen[first:])
    assert methods.pop("GET", 0) == reads, [path for method, path in redmine.seen[first:] if method == "GET"]
    assert methods == writes
