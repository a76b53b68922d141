"""Values and names without a server: manifest → canonical ↔ API, and what a name stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from engine import offline
from plans import live_of

from reconciler.kinds import kinds
from reconciler.model.address import Address, Reference, Unresolved
from reconciler.model.capabilities import Sharing
from reconciler.model.codecs import Codec, Names, Number, Ref, RefSet, Text, blank, ordered
from reconciler.model.name_index import Context

WORLD = """
projects: [{identifier: shop, parent: hq}, {identifier: new, parent: shop}]
users: [{login: Cid}]
versions: [{project: new, name: "3.0"}, {project: shop, name: tree, sharing: tree}]
"""
"""What is declared besides what is live."""


@pytest.fixture(scope="module")
def context() -> Context:
    """Project `shop`, below the live `hq`. Live: user amy, group team, both user and group `both`; versions."""
    rows: list[tuple[str, str, Mapping[str, Any]]] = [
        ("project", "shop", {"id": 1, "parent": {"id": 2}}),
        ("project", "hq", {"id": 2}),
        ("user", "amy", {"id": 5}),
        ("group", "team", {"id": 6}),
        ("user", "both", {"id": 7}),
        ("group", "both", {"id": 8}),
        ("version", "shop/1.0", {"id": 21, "sharing": "none"}),
        ("version", "hq/1.0", {"id": 22, "sharing": "descendants"}),
        ("version", "hq/2.0", {"id": 23, "sharing": "descendants"}),
        ("version", "hq/twice", {"id": 24, "sharing": "tree"}),
        ("version", "other/twice", {"id": 25, "sharing": "system"}),
        ("version", "hq/own", {"id": 26, "sharing": "none"}),
    ]
    names = live_of(offline(WORLD), rows).names
    seen_from = {21: {"shop"}, 22: {"hq", "shop"}, 23: {"hq", "shop"}, 24: {"shop"}, 25: {"shop"}, 26: {"hq"}}
    for number, projects in seen_from.items():
        for project in sorted(projects):
            names.live("version").note_seen(number, project)
    return Context(names, "shop")


PERSON = Ref(("user", "group"))
VERSION = Ref(("version",))


@pytest.mark.parametrize(
    "codec, said, meant",
    [
        (Codec(), "text ", "text "),
        (Text(), "a\r\nb\rc", "a\nb\nc"),
        (Text(), None, None),
        (Text(), "", ""),
        (Names(), ["wiki", "news", "wiki"], ["news", "wiki"]),
        (Names(), None, []),
        (RefSet(Ref(("tracker",))), ["Feature", "Bug"], ["Bug", "Feature"]),
        (RefSet(Ref(("tracker",))), None, []),
        (PERSON, "amy", "amy"),
        (PERSON, "AMY", "amy"),
        (PERSON, "cid", "Cid"),
        (PERSON, "team", {"group": "team"}),
        (PERSON, "Team", {"group": "team"}),
        (PERSON, {"group": "team"}, {"group": "team"}),
        (PERSON, {"group": "both"}, {"group": "both"}),
        (PERSON, None, None),
        (PERSON, "", None),
        (VERSION, "1.0", "1.0"),
        (VERSION, "2.0", {"project": "hq", "name": "2.0"}),
        (VERSION, {"project": "hq", "name": "1.0"}, {"project": "hq", "name": "1.0"}),
        (VERSION, {"project": "shop", "name": "1.0"}, "1.0"),
        (VERSION, "tree", "tree"),
    ],
)
def test_canonical(context: Context, codec: Codec, said: Any, meant: Any) -> None:
    """What manifests may say has one form, which is itself a way to say it."""
    assert codec.canonical(said, context) == meant
    assert codec.canonical(meant, context) == meant


@pytest.mark.parametrize(
    "codec, wire, meant, sent",
    [
        (Text(), "a\r\nb", "a\nb", "a\nb"),
        (Names(), [{"id": 1, "name": "wiki"}, {"id": 2, "name": "news"}], ["news", "wiki"], ["news", "wiki"]),
        (RefSet(Ref(("tracker",))), [{"id": 2, "name": "x"}, {"id": 1}], ["Bug", "Feature"], [1, 2]),
        (PERSON, {"id": 5, "name": "Amy Able"}, "amy", 5),
        (PERSON, {"id": 6, "name": "team"}, {"group": "team"}, 6),
        (VERSION, {"id": 21, "name": "x"}, "1.0", 21),
        (VERSION, {"id": 23, "name": "x"}, {"project": "hq", "name": "2.0"}, 23),
        (Ref(("issue_status",)), {"id": 5, "name": "x"}, "Closed", 5),
        (Ref(("project",)), {"id": 2, "name": "Headquarters"}, "hq", 2),
        (PERSON, None, None, None),
    ],
)
def test_wire(context: Context, codec: Codec, wire: Any, meant: Any, sent: Any) -> None:
    """What the API shows by id is the same by name, and goes back by id."""
    assert codec.decode(wire, context) == meant
    assert codec.encode(meant, context) == sent


def test_what_has_no_name_is_shown_by_its_id(context: Context) -> None:
    """A live reference to what was not read shows its id and what Redmine calls it."""
    assert PERSON.decode({"id": 99, "name": "Zoe Zed"}, context) == "#99 (Zoe Zed)"
    assert Ref(("issue",)).decode({"id": 99}, context) == "#99"


def test_what_does_not_exist_yet_has_no_id(context: Context) -> None:
    """A name that is only declared is known, and cannot be sent before it exists."""
    assert PERSON.canonical("Cid", context) == "Cid"
    with pytest.raises(Unresolved, match="user Cid does not exist on the server"):
        PERSON.encode("Cid", context)


@pytest.mark.parametrize(
    "reference, message, hint",
    [
        (Reference(("user",), "", "ami"), 'there is no user "ami", neither on the server nor in the manifests', "amy"),
        (Reference(("user", "group"), "", "taem"), 'there is no user or group "taem"', 'did you mean "team"?'),
        (
            Reference(("user", "group"), "", "both"),
            '"both" is ambiguous: user both and group both',
            "write {user: both}",
        ),
        (Reference(("tracker",), "", "Task"), 'there is no tracker "Task"', "available: Bug, Feature, Support"),
        (Reference(("issue_status",), "", "closed"), 'there is no issue status "closed"', 'did you mean "Closed"?'),
        (Reference(("version",), "shop", "1,0"), 'there is no version "1,0" in project "shop"', 'did you mean "1.0"?'),
        (
            Reference(("version",), "shop", "twice"),
            '"twice" is ambiguous: version hq/twice and version other/twice',
            "write {project: hq, name: twice}",
        ),
        (Reference(("version",), "shop", "own"), 'there is no version "own" in project "shop"', ""),
        (Reference(("version",), "shop", "2.0", exact=True), 'there is no version "2.0" in project "shop"', ""),
        (Reference(("project",), "", "shp"), 'there is no project "shp"', 'did you mean "shop"?'),
        (Reference(("group",), "", "amy"), 'there is no group "amy"', ""),
    ],
)
def test_names_that_stand_for_nothing(context: Context, reference: Reference, message: str, hint: str) -> None:
    """A name without an object, or with several, says so, and how to go on."""
    with pytest.raises(Unresolved) as caught:
        context.resolve(reference)
    assert message in str(caught.value)
    assert hint in caught.value.hint


TREE = """
projects:
  - {identifier: top}
  - {identifier: sub, parent: top}
  - {identifier: leaf, parent: sub}
  - {identifier: twin, parent: top}
  - {identifier: alone}
"""


@pytest.mark.parametrize(
    "sharing, owner, user, usable",
    [
        ("none", "top", "sub", False),
        ("descendants", "top", "sub", True),
        ("descendants", "top", "leaf", True),
        ("descendants", "sub", "top", False),
        ("descendants", "top", "alone", False),
        ("hierarchy", "sub", "top", True),
        ("hierarchy", "sub", "leaf", True),
        ("hierarchy", "sub", "twin", False),
        ("tree", "sub", "twin", True),
        ("tree", "leaf", "top", True),
        ("tree", "top", "alone", False),
        ("system", "alone", "leaf", True),
    ],
)
def test_sharing(sharing: str, owner: str, user: str, usable: bool) -> None:
    """A declared version can be named from the projects that its sharing reaches, and from no other."""
    version = f"versions: [{{project: {owner}, name: v, sharing: {sharing}}}]"
    names = live_of(offline(f"{TREE}\n{version}")).names
    reference = Reference(("version",), user, "v")
    found = [
        a
        for a in kinds()["version"].capability(Sharing).visible_elsewhere(reference, names)
        if a == Address("version", f"{owner}/v")
    ]
    assert bool(found) is usable


@pytest.mark.parametrize(
    "codec, desired, live, alike",
    [
        (Codec(), "a", "a", True),
        (Codec(), "a", "a ", False),
        (Codec(), None, "", True),
        (Codec(), "", None, True),
        (Codec(), [], None, True),
        (Codec(), False, None, False),
        (Codec(), 0, None, False),
        (Number(), 1.5, 1.5, True),
        (Number(), 1, 1.0, True),
        (Number(), 1.5, 1.51, False),
        (Number(), None, None, True),
        (Number(), 0, None, False),
        (Number(empty=0), None, 0, True),
        (Number(empty=0), None, 10, False),
    ],
)
def test_equal(codec: Codec, desired: Any, live: Any, alike: bool) -> None:
    """Nothing equals nothing of any kind; zero and false are something, unless a field says what null becomes."""
    assert codec.equal(desired, live) is alike
    assert codec.differences(desired, live) == ([] if alike else [("", live, desired)])


def test_blank() -> None:
    """Null, "" and what is empty are blank; zero and false are not."""
    assert all(map(blank, (None, "", [], {})))
    assert not any(map(blank, (0, False, 0.0, " ", [None])))


def test_ordered_takes_any_shape() -> None:
    """Names and mappings have one order together, each once."""
    mixed = [{"project": "b", "name": "v"}, "z", "a", {"name": "v", "project": "b"}, {"project": "a", "name": "v"}]
    assert ordered(mixed) == ordered(reversed(mixed)) == ["a", "z", *ordered(mixed)[2:]]
    assert len(ordered(mixed)) == 4


ROLES = kinds()["membership"].fields["roles"].codec


def test_inherited_roles_are_no_difference(context: Context) -> None:
    """A role that a member also inherits counts as there, declared or not."""
    wire = [{"id": 3, "name": "Manager", "inherited": True}, {"id": 4, "name": "Developer"}]
    live = ROLES.decode(wire, context)
    assert ROLES.differences(["Developer"], live) == []
    assert ROLES.differences(["Developer", "Manager"], live) == []
    assert ROLES.differences(["Reporter"], live) == [("", ["Developer"], ["Reporter"])]


def test_a_project_that_will_be_removed_can_be_shown(context: Context) -> None:
    """The status of a project that Redmine is deleting (5.1 and later) has a name of its own."""
    status = kinds()["project"].fields["status"].codec
    assert status.decode(10, context) == "scheduled for deletion"
    assert [status.decode(number, context) for number in (1, 5, 9)] == ["active", "closed", "archived"]


def test_the_status_of_a_user(context: Context) -> None:
    """The states of users are numbers in the API."""
    status = kinds()["user"].fields["status"].codec
    assert [status.encode(status.decode(number, context), context) for number in (1, 2, 3)] == [1, 2, 3]
    assert status.decode(3, context) == "locked"
