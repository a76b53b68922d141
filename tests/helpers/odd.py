"""A Redmine in memory whose answers can be spoiled, one value at a time, for tests of what odd answers do.

server = shop()
for spoiled in mutations(answers_of(server, plan)): ...
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
from canned import Canned

Path = tuple[str | int, ...]
MANIFEST = """
users: [{login: amy, firstname: Amy, lastname: Ames, mail: amy@example.net, status: active}]
groups: [{name: Team, users: [amy]}]
projects:
  - identifier: shop
    name: Shop
    description: A shop
    parent: top
    trackers: [Bug, Feature, Support]
    enabled_modules: [files, issue_tracking, news, time_tracking, wiki]
    default_version: "1.0"
    members: [{user: amy, roles: [Manager]}, {group: Team, roles: [Reporter]}]
    versions: [{name: "1.0", description: First, status: open, sharing: none, due_date: 2026-12-01}]
    issue_categories: [{name: UI, assigned_to: amy}]
    wiki_pages: [{title: Wiki, text: Hello}, {title: Help, text: Me, parent: Wiki}]
    news: [{title: Open, description: We are open, summary: Open}]
    issues:
      - subject: Login
        key: login
        tracker: Bug
        status: New
        priority: Normal
        description: It fails
        category: UI
        fixed_version: "1.0"
        assigned_to: amy
        start_date: 2026-11-02
        estimated_hours: 3
        custom_fields: {Size: big, Config key: login}
        relations: [{blocks: logout}]
        notes: [Seen]
        watchers: [amy]
      - {subject: Logout, key: logout}
      - {subject: Form, key: form, parent: login}
    time_entries:
      - {user: amy, issue: login, spent_on: 2026-11-02, activity: Design, comments: Done, hours: 1.5}
  - {identifier: top, name: Top}
"""
"""Just what `shop` has: the plan has no changes."""
KEY_FIELD = "Config key"


def shop() -> Canned:
    """A server with an object of each kind."""
    redmine = Canned()
    add = redmine.add
    add("custom_fields", name=KEY_FIELD)
    add("custom_fields", name="Size", field_format="list", possible_values=[{"value": "big"}, {"value": "small"}])
    redmine.add("users", login="amy", firstname="Amy", lastname="Ames", mail="amy@example.net")
    add("groups", name="Team", users=["amy"])
    add("projects", identifier="top", name="Top")
    modules = ["files", "issue_tracking", "news", "time_tracking", "wiki"]
    add("projects", identifier="shop", name="Shop", description="A shop", parent="top", enabled_modules=modules)
    add("memberships", project="shop", user="amy", roles=["Manager"])
    add("memberships", project="shop", group="Team", roles=["Reporter"])
    add("versions", project="shop", name="1.0", description="First", due_date="2026-12-01")
    redmine.set(redmine.row("projects", "shop"), "projects", default_version="1.0")
    add("issue_categories", project="shop", name="UI", assigned_to="amy")
    add("wiki_pages", inside="shop", title="Wiki", text="Hello", start_page=True)
    add("wiki_pages", inside="shop", title="Help", text="Me", parent={"title": "Wiki"})
    add("news", project="shop", title="Open", description="We are open", summary="Open")
    login = add(
        "issues",
        project="shop",
        subject="Login",
        description="It fails",
        category="UI",
        fixed_version="1.0",
        assigned_to="amy",
        start_date="2026-11-02",
        estimated_hours=3.0,
        watchers=["amy"],
        journals=[{"id": 1, "user": {"id": 1, "name": "Redmine Admin"}, "notes": "Seen", "private_notes": False}],
        custom_fields={"Size": "big", KEY_FIELD: "login"},
    )
    logout = add("issues", project="shop", subject="Logout", custom_fields={KEY_FIELD: "logout"})
    add("issues", project="shop", subject="Form", parent=login, custom_fields={KEY_FIELD: "form"})
    relation = {"id": 1, "issue_id": login, "issue_to_id": logout, "relation_type": "blocks", "delay": None}
    for number in (login, logout):
        redmine.row("issues", number)["relations"] = [relation]
    add("time_entries", project="shop", user="amy", issue={"id": login}, hours=1.5, comments="Done")
    return redmine


@dataclass(frozen=True)
class Mutation:
    """One change to one answer: `apply` makes it in the parsed body."""

    target: str
    path: Path
    what: str
    apply: Callable[[Any], None]

    def __str__(self) -> str:
        return f"{self.what} {''.join(f'[{part!r}]' for part in self.path)} of GET {self.target[:70]}"


class Odd:
    """A server that gives the answers of another one, one of them spoiled."""

    def __init__(self, server: Canned, mutation: Mutation | None = None) -> None:
        self.url, self.api_key = server.url, server.api_key
        self.server, self.mutation = server, mutation
        self.answers: dict[str, Any] = {}
        self.writes: list[tuple[str, str]] = []

    @property
    def transport(self) -> httpx.MockTransport:
        """The network of a client."""
        return httpx.MockTransport(self)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        answer, target = self.server(request), request.url.raw_path.decode()
        if request.method != "GET":
            self.writes.append((request.method, target))
        elif answer.is_success and answer.content[:1] == b"{":
            body = json.loads(answer.content)
            self.answers.setdefault(target, copy.deepcopy(body))
            if self.mutation and self.mutation.target == target:
                self.mutation.apply(body)
            return httpx.Response(answer.status_code, json=body)
        return answer


def mutations(answers: dict[str, Any]) -> Iterator[Mutation]:
    """Every key of every answer dropped, null, and of each other type; rows doubled and left without a name."""
    for target, body in answers.items():
        for path, value in _places(body):
            if isinstance(path[-1], str):
                yield Mutation(target, path, "drop", _change(path, lambda at, key: at.pop(key)))
            for new in (None, 7, "x", True, [], {}, [7], {"a": 7}):
                if type(new) is not type(value) or isinstance(new, list | dict):
                    yield Mutation(target, path, f"{new!r} for", _change(path, _put(new)))
            if isinstance(value, list) and value:
                yield Mutation(
                    target,
                    path,
                    "double",
                    _change(
                        path, lambda at, key: at[key].append(dict(at[key][0])) if isinstance(at[key][0], dict) else None
                    ),
                )


def _put(new: Any) -> Callable[[Any, Any], None]:
    def put(at: Any, key: Any) -> None:
        at[key] = new

    return put


def _change(path: Path, action: Callable[[Any, Any], Any]) -> Callable[[Any], None]:
    def change(body: Any) -> None:
        for part in path[:-1]:
            body = body[part]
        action(body, path[-1])

    return change


def _places(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if path:
        yield path, value
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _places(inner, (*path, key))
