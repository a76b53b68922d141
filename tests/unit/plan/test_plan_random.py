"""Any manifest against any live state: the plan can be carried out, in every order that its graph leaves open.

`Redmine` is a model of what the server refuses, as far as the order of work goes; that it refuses just this is shown on
the real one by `test_kinds`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from engine import offline
from extent import either
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plans import Present, issue, planned, project, user, version

from reconciler.plan.dependencies import in_order, sorter
from reconciler.plan.operations import Change, Lock, MilestoneId, OperationId
from reconciler.plan.planner import Plan

PROJECTS = {"p0": None, "p1": "p0", "p2": "p1"}
"""Project → its parent."""
LOGINS = ("amy", "bob")
LABELS = {"user": "login", "project": "identifier", "membership": "user", "version": "name", "issue": "subject"}
NEEDED: Mapping[str, Mapping[str, Any]] = {
    "user": {"firstname": "A", "lastname": "B"},
    "project": {"name": "A"},
    "membership": {"roles": ["Manager"]},
}
"""What must be declared of a new object."""
NESTED = {"memberships": "members"}
STATUSES = ("New", "In Progress", "Closed")

State = dict[str, dict[str, Any]]
"""`kind key` → its fields, references as `kind key` too."""


@dataclass
class World:
    """What is live, and what the manifests lead to: `wanted` is there in the end, `gone` is declared absent.

    `declared` are the fields that are declared although they need not be.
    """

    live: State
    wanted: State
    declared: dict[str, set[str]]
    gone: set[str] = field(default_factory=set)


def needed(kind: str, key: str) -> dict[str, Any]:
    """What must be declared of a new object; each user has a mail address of its own."""
    return {**NEEDED.get(kind, {}), **({"mail": f"{key}@example.net"} if kind == "user" else {})}


# -- random worlds ---------------------------------------------------------------------------------------------


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A live state, a state to get to, and which of the fields that need not change are declared all the same."""
    names = [*(f"user {login}" for login in LOGINS), *(f"project {p}" for p in PROJECTS)]
    for owner in PROJECTS:
        names += [f"membership {owner}/user:{login}" for login in LOGINS]
        names += [f"version {owner}/{name}" for name in "ab"[: draw(st.integers(0, 2))]]
        names += [f"issue {owner}/{name}" for name in "abc"[: draw(st.integers(0, 3))]]
    present = {name for name in names if draw(st.booleans())}
    while missing := {c for name in present for c in _containers(name) if c not in present}:
        present |= missing
    chosen = {name for name in names if name in present or draw(st.booleans())}
    while missing := {c for name in chosen for c in _containers(name) if c not in chosen}:
        chosen |= missing
    live = _possible({name: draw(_fields(name, present)) for name in names if name in present})
    wanted = _possible({name: draw(_fields(name, chosen)) for name in names if name in chosen})
    also = {name: {f for f in fields if draw(st.booleans())} for name, fields in wanted.items()}
    # Who is locked before and after is only unlocked in between if the status is declared.
    for who in {fields.get("assigned_to") for fields in wanted.values()} - {None}:
        also[who].add("status")
    gone = {name for name in sorted(live.keys() - chosen) if "/" in name and draw(st.booleans())}
    return World(live, wanted, also, gone - _in_use(live, chosen | gone))


def _in_use(live: State, declared: set[str]) -> set[str]:
    """The versions that issues are in of which the manifests say nothing."""
    return {str(fields.get("fixed_version")) for name, fields in live.items() if name not in declared}


def _containers(name: str) -> list[str]:
    """What must exist where an object does."""
    kind, _, key = name.partition(" ")
    owner, _, rest = key.partition("/")
    if kind == "project":
        return [f"project {PROJECTS[key]}"] if PROJECTS[key] else []
    if kind == "membership":
        return [f"project {owner}", f"user {rest.removeprefix('user:')}"]
    return [f"project {owner}"] if rest else []


@st.composite
def _fields(draw: st.DrawFn, name: str, present: set[str]) -> dict[str, Any]:
    kind, _, key = name.partition(" ")
    owner = key.partition("/")[0]
    if kind == "user":
        return {"status": draw(st.sampled_from(("active", "locked")))}
    if kind == "project":
        return {"status": draw(st.sampled_from(("active", "closed")))}
    if kind == "version":
        return {"status": draw(st.sampled_from(("open", "locked", "closed")))}
    if kind == "membership":
        return {}
    known = sorted(n for n in present if n.split(" ")[1].partition("/")[0] == owner)
    parents = [None, *(n for n in known if n.startswith("issue ") and n < name)]
    members = [f"user {n.partition(':')[2]}" for n in known if n.startswith("membership ")]
    return {
        "status": draw(st.sampled_from(STATUSES)),
        "parent": draw(st.sampled_from(parents)),
        "fixed_version": draw(st.sampled_from([None, *(n for n in known if n.startswith("version "))])),
        "assigned_to": draw(st.sampled_from([None, *members])),
    }


def _possible(state: State) -> State:
    """The state, with what Redmine cannot have put right: what is below something shut is shut."""
    for name in sorted(state):
        above = f"project {PROJECTS.get(name.partition(' ')[2])}"
        if name.startswith("project ") and state.get(above, {}).get("status") == "closed":
            state[name]["status"] = "closed"
        parent = state.get(state[name].get("parent") or "", {})
        if parent.get("status") == "Closed":
            state[name]["status"] = "Closed"
    return state


def _manifests(world: World, shuffle: random.Random) -> str:
    """Documents that declare the world, in a random order, nested or not."""
    lists: dict[str, list[dict[str, Any]]] = {"projects": [], "users": []}
    items = {name: _item(name, world) for name in (*world.wanted, *sorted(world.gone))}
    for name, item in items.items():
        kind, _, key = name.partition(" ")
        owner = items.get(f"project {key.partition('/')[0]}")
        plural = f"{kind}s"
        if "/" in key and owner is not None and shuffle.random() < 0.5:
            owner.setdefault(NESTED.get(plural, plural), []).append(item)
        else:
            if "/" in key:
                item["project"] = key.partition("/")[0]
            lists.setdefault(plural, []).append(item)
    documents: list[dict[str, Any]] = [{}, {}, {}]
    for plural, content in lists.items():
        for item in content:
            documents[shuffle.randrange(3)].setdefault(plural, []).append(item)
    shuffle.shuffle(documents)
    return "".join(f"---\n{json.dumps(_shuffled(document, shuffle))}\n" for document in documents)


def _item(name: str, world: World) -> dict[str, Any]:
    """An object of a manifest: what must change, and what is declared all the same."""
    kind, _, key = name.partition(" ")
    rest = key.partition("/")[2] or key
    item: dict[str, Any] = {LABELS[kind]: rest.removeprefix("user:")}
    if name in world.gone:
        return {**item, "state": "absent"}
    item |= needed(kind, key)
    if kind == "project" and PROJECTS[key]:
        item["parent"] = PROJECTS[key]
    before = world.live.get(name)
    for path, value in world.wanted[name].items():
        if path in world.declared[name] or (before or DEFAULTS)[path] != value:
            item[path] = value.split("/")[-1].split(" ")[-1] if value and path != "status" else value
    return item


DEFAULTS = {"parent": None, "fixed_version": None, "assigned_to": None, "status": ""}


def _shuffled(value: Any, shuffle: random.Random) -> Any:
    if isinstance(value, dict):
        keys = shuffle.sample(sorted(value), len(value))
        return {key: _shuffled(value[key], shuffle) for key in keys}
    if isinstance(value, list):
        return [_shuffled(item, shuffle) for item in shuffle.sample(value, len(value))]
    return value


def _rows(live: State) -> list[Present]:
    """The live state as the API would show it."""
    ids = {name: number for number, name in enumerate(live, 1)}
    found = []
    for name, fields in live.items():
        kind, _, key = name.partition(" ")
        owner, _, rest = key.partition("/")
        inside = {"project": {"id": ids.get(f"project {owner}")}}
        refs = {p: {"id": ids[v]} for p, v in fields.items() if v and p != "status"}
        if kind == "user":
            found.append(user(ids[name], key, **needed(kind, key), status={"active": 1, "locked": 3}[fields["status"]]))
        elif kind == "project":
            above = {"parent": {"id": ids[f"project {PROJECTS[key]}"]}} if PROJECTS[key] else {}
            status = {"active": 1, "closed": 5}[fields["status"]]
            found.append(project(ids[name], key, **NEEDED[kind], status=status, **above))
        elif kind == "membership":
            who = {"user": {"id": ids[f"user {rest.removeprefix('user:')}"]}}
            found.append((kind, key, {"id": ids[name], "roles": [{"id": 3, "name": "Manager"}], **inside, **who}))
        elif kind == "version":
            found.append(version(ids[name], owner, rest, status=fields["status"], **inside))
        else:
            found.append(issue(ids[name], owner, rest, named={"issue_status": fields["status"]}, **inside, **refs))
    return found


# -- a model of the server -------------------------------------------------------------------------------------


class Redmine:
    """Takes the steps of changes one by one; an AssertionError is a write that Redmine refuses or ignores."""

    def __init__(self, state: State) -> None:
        self.state = {name: dict(fields) for name, fields in state.items()}

    def take(self, change: Change, index: int) -> None:
        """One step of a change."""
        name, fields = str(change.address), change.operations[index].fields
        values = {f.path: self._named(f.path, f.after, change) for f in fields if f.path in DEFAULTS}
        kind, owner = change.address.kind, f"project {change.address.project}"
        if kind == "project":
            self._project(name, values, create=change.action == "create" and index == 0)
            return
        if kind != "user":
            assert self.state[owner]["status"] == "active", f"{name}: its project is closed"
        if change.action == "delete":
            self._delete(name)
            return
        if change.action == "create" and index == 0:
            assert all(c in self.state for c in _containers(name)), f"{name}: not possible yet"
            start = {"user": "active", "version": "open", "issue": "New"}.get(kind)
            self.state[name] = {**(DEFAULTS if kind == "issue" else {}), **({"status": start} if start else {})}
        if kind == "issue":
            self._issue(name, values)
        else:
            self.state[name] |= values

    def _named(self, path: str, value: Any, change: Change) -> Any:
        """A reference as the state has it."""
        kind = {"parent": "issue", "fixed_version": "version", "assigned_to": "user"}.get(path)
        if kind is None or value is None or change.address.kind == "project":
            return value
        target = f"{kind} {value}" if kind == "user" else f"{kind} {change.address.project}/{value}"
        assert target in self.state, f"{change.address}: {target} does not exist yet"
        return target

    def _delete(self, name: str) -> None:
        assert all(fields.get("fixed_version") != name for fields in self.state.values()), f"{name}: it is in use"
        del self.state[name]
        for child in [n for n, fields in self.state.items() if fields.get("parent") == name]:
            if child in self.state:
                self._delete(child)

    def _project(self, name: str, values: Mapping[str, Any], create: bool) -> None:
        above = PROJECTS[name.removeprefix("project ")]
        if create:
            assert above is None or self.state[f"project {above}"]["status"] == "active", f"{name}: below a closed one"
            self.state[name] = {"status": "active"}
        elif "status" not in values:
            assert self.state[name]["status"] == "active", f"{name}: it is closed"
        if "status" in values:
            for below in (name, *self._below(name)):
                self.state[below]["status"] = values["status"]

    def _below(self, name: str) -> Iterable[str]:
        for key, above in PROJECTS.items():
            if f"project {above}" == name and f"project {key}" in self.state:
                yield f"project {key}"
                yield from self._below(f"project {key}")

    def _issue(self, name: str, values: dict[str, Any]) -> None:
        own = self.state[name]
        target, who, above = values.get("fixed_version"), values.get("assigned_to"), values.get("parent")
        if target and target != own["fixed_version"]:
            assert self.state[target]["status"] == "open", f"{name}: {target} is {self.state[target]['status']}"
        if who and who != own["assigned_to"]:
            member = f"membership {name.split(' ')[1].partition('/')[0]}/user:{who.removeprefix('user ')}"
            assert self.state[who]["status"] == "active", f"{name}: {who} is locked"
            assert member in self.state, f"{name}: {who} is no member yet"
        closed = values.get("status", own["status"]) == "Closed"
        if above:
            assert closed or self.state[above]["status"] != "Closed", f"{name}: {above} is closed"
        if closed and own["status"] != "Closed":
            children = [n for n, fields in self.state.items() if fields.get("parent") == name]
            assert all(self.state[n]["status"] == "Closed" for n in children), f"{name}: has open subtasks"
        if not closed and own["status"] == "Closed":
            parent = {**own, **values}["parent"]
            assert not parent or self.state[parent]["status"] != "Closed", f"{name}: {parent} is closed"
            version = {**own, **values}["fixed_version"]
            assert not version or self.state[version]["status"] != "closed", f"{name}: {version} is closed"
        own |= values


def _carry_out(plan: Plan, server: Redmine, choice: random.Random) -> None:
    """All operations in an order that the edges allow; those that hold until all else is verified last."""
    changes = {c.address: c for c in plan.changes}
    operations = {o.id: o for o in plan.operations}
    left = sorter(plan)
    ready: list[OperationId] = []
    while left.is_active():
        reached = left.get_ready()
        milestones = [one for one in reached if isinstance(one, MilestoneId)]
        ready += [one for one in reached if isinstance(one, OperationId)]
        left.done(*milestones)
        if milestones or not ready:
            continue
        free = [one for one in ready if not operations[one].holds_until_verified]
        chosen = choice.choice(sorted(free or ready))
        ready.remove(chosen)
        server.take(changes[chosen.address], chosen.number)
        left.done(chosen)


# -- properties ------------------------------------------------------------------------------------------------

RANDOM = settings(
    max_examples=either(50, 150), deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@pytest.mark.prove
@pytest.mark.slow
@RANDOM
@given(worlds(), st.integers(0, 2**32))
def test_a_plan_can_be_carried_out_in_any_order_that_it_leaves_open(world: World, seed: int) -> None:
    """No step of a plan is refused, whatever is chosen among the steps that are ready; and all ends as declared."""
    choice = random.Random(seed)
    wanted = offline(_manifests(world, choice))
    assert wanted.problems == ()
    server = Redmine(world.live)
    _carry_out(planned(wanted, _rows(world.live)), server, choice)
    assert {name: server.state.get(name) for name in world.wanted} == world.wanted
    assert not world.gone & server.state.keys()


@pytest.mark.prove
@pytest.mark.slow
@RANDOM
@given(worlds(), st.integers(0, 2**32))
def test_order_does_not_matter(world: World, seed: int) -> None:
    """Documents, lists and keys in any order, nested or not, make one and the same plan."""
    one, other = (planned(offline(_manifests(world, random.Random(s))), _rows(world.live)) for s in (0, seed))
    assert one.digest == other.digest
    assert [c.address for c in one.changes] == [c.address for c in other.changes]
    assert [c.operations for c in one.changes] == [c.operations for c in other.changes]
    assert set(one.milestones) == set(other.milestones)
    assert one.summary == other.summary


@pytest.mark.prove
@pytest.mark.slow
@RANDOM
@given(worlds())
def test_the_edges_of_a_plan(world: World) -> None:
    """Every operation requires the one before it on its object, and comes only after what is in the plan, once.

    The lock of a user only comes after it: an account is locked whatever fails. A new one must exist.
    """
    plan = planned(offline(_manifests(world, random.Random(0))), _rows(world.live))
    ids = [o.id for o in plan.operations]
    milestones = [m.id for m in plan.milestones]
    assert ids == [(c.address, number) for c in plan.changes for number in range(len(c.operations))]
    assert len({*ids, *milestones}) == len(ids) + len(milestones)
    for one in plan.operations:
        assert {*one.predecessors} <= {*ids, *milestones}
        assert len({*one.predecessors}) == len(one.predecessors)
        locks = isinstance(one, Lock) and one.id.address.kind == "user"
        before = (one.id.address, one.id.number - 1)
        assert one.id.number == 0 or before in (one.predecessors if locks else one.requires)
        assert not locks or {*one.requires} <= {(one.id.address, 0)}
    assert {one for m in plan.milestones for one in m.after} <= {*ids}
    assert list(plan.changes) == list(in_order(list(reversed(plan.changes)), plan.milestones))
    place = {c.address: number for number, c in enumerate(plan.changes)}
    first = {one.id: one for one in plan.operations if one.id.number == 0}
    for one in first.values():
        before = (other for other in one.predecessors if isinstance(other, OperationId) and other in first)
        assert all(place[other.address] < place[one.id.address] for other in before)


@pytest.mark.prove
@pytest.mark.slow
@RANDOM
@given(worlds())
def test_nothing_declared_twice_is_nothing_to_do(world: World) -> None:
    """Manifests of what is live already make an empty plan."""
    same = World(world.live, world.live, {name: set(fields) for name, fields in world.live.items()})
    made = planned(offline(_manifests(same, random.Random(0))), _rows(world.live))
    assert made.changes == ()
    assert made.unchanged == len(world.live)
