"""Names: what is declared, what is live, what is renamed, and how a name is looked up."""

from __future__ import annotations

import pytest

from reconciler.model.address import Address, Reference, Unresolved
from reconciler.model.name_index import Context, Names, Traits, near_miss

AMY, SHOP = Address("user", "Amy"), Address("project", "shop")
TRAITS = {
    "user": Traits(ignores_case=True),
    "group": Traits(ignores_case=True),
    "version": Traits(inside=True),
    "role": Traits(declarable=False, menu="Administration → Roles"),
}


def names() -> Names:
    """One project, one user and one version, all of them live."""
    made = Names(TRAITS)
    made.add("project", "shop", {"id": 1, "identifier": "shop"})
    made.add("user", "Amy", {"id": 5, "login": "Amy"})
    made.add("version", "shop/1.0", {"id": 9, "name": "1.0"})
    return made


def test_what_is_declared_is_known_by_its_spec() -> None:
    """Present objects have a spec, absent ones only a key, and neither is live for that."""
    made, spec = names(), object()
    made.declare(Address("user", "bob"), spec)
    made.declare_absent(Address("user", "carl"))
    assert made.spec(Address("user", "bob")) is spec
    assert made.declared("user") == {"bob": spec}
    assert set(made.absent("user")) == {"carl"}
    assert made.spec(Address("user", "carl")) is None
    assert made.known(Address("user", "bob")) and not made.is_live(Address("user", "bob"))
    assert not made.known(Address("user", "carl"))
    assert (made.declared("group"), tuple(made.absent("group"))) == ({}, ())


def test_what_is_live_has_an_id_and_a_row() -> None:
    """Of what is not there, there is neither."""
    made = names()
    assert (made.id(AMY), made.row(AMY), made.is_live(AMY)) == (5, {"id": 5, "login": "Amy"}, True)
    nobody = Address("user", "nobody")
    assert (made.id(nobody), made.row(nobody), made.is_live(nobody)) == (None, None, False)
    assert set(made.live_kinds()) == {"project", "user", "version"}


@pytest.mark.parametrize(("key", "spelling"), [("amy", "Amy"), ("Amy", "Amy"), ("AMY", "Amy"), ("bob", "bob")])
def test_the_server_spells_what_nobody_declares(key: str, spelling: str) -> None:
    """Where Redmine ignores case, a name in another case is the server's; an unknown one stays as it is."""
    assert names().canonical(Address("user", key)) == Address("user", spelling)


def test_the_manifests_spelling_comes_first() -> None:
    """What is declared is called as declared, in plans and everywhere, whatever the server says."""
    made = names()
    made.declare(Address("user", "AMY"), object())
    assert {made.canonical(Address("user", key)).key for key in ("amy", "Amy", "AMY")} == {"AMY"}
    assert made.id(Address("user", "AMY")) == 5


def test_case_counts_for_other_kinds() -> None:
    """A project in another case is another one."""
    assert names().canonical(Address("project", "SHOP")).key == "SHOP"
    assert not names().is_live(Address("project", "SHOP"))


def test_a_renamed_object_is_known_by_its_new_name_alone() -> None:
    """The old name means nothing any more, and is remembered as what the object is called on the server."""
    made = names()
    made.rename("user", {5: "annie"})
    assert (made.id(Address("user", "annie")), made.is_live(AMY)) == (5, False)
    assert made.renamed == {Address("user", "annie"): "Amy"}
    assert made.live("user").keys[5] == "annie"


def test_an_old_name_that_is_declared_again_stays() -> None:
    """`b` renamed from `a` beside a new `a`: the old name is that of the new object, which is not live yet."""
    made, new = names(), object()
    made.declare(AMY, new)
    made.rename("user", {5: "annie"})
    assert made.id(Address("user", "annie")) == 5
    assert made.spec(AMY) is new
    assert not made.is_live(AMY)


def test_what_was_worked_out_is_forgotten_with_every_change() -> None:
    """Rows that come or go make what was concluded from them stale."""
    made = names()
    for change in (lambda: made.add("user", "bob", {"id": 6}), lambda: made.remove(AMY)):
        made.memo["ancestry"] = {}
        change()
        assert made.memo == {}
    assert made.id(AMY) is None


def test_the_same_names_with_other_keys_of_one_kind() -> None:
    """An export without personal data sees other logins; everything else is shared, and the original unchanged."""
    made = names()
    made.memo["x"] = 1
    other = made.with_keys("user", {5: "person-1"})
    assert (other.id(Address("user", "person-1")), other.id(AMY)) == (5, None)
    assert other.id(SHOP) == 1
    assert other.memo == {}
    assert (made.id(AMY), made.memo) == (5, {"x": 1})


def test_all_keys_are_those_of_the_server_and_of_the_manifests() -> None:
    """Each once; inside a project without its name."""
    made = names()
    made.declare(Address("version", "shop/2.0"), object())
    made.declare(Address("version", "shop/1.0"), object())
    made.declare(Address("version", "shopping/3.0"), object())
    assert list(made.all_keys("version")) == ["shop/1.0", "shop/2.0", "shopping/3.0"]
    assert list(made.all_keys("version", "shop")) == ["1.0", "2.0"]


class _Project:
    def __init__(self, parent: str | None) -> None:
        self.parent = parent
        self.model_fields_set = {"parent"}


def test_ancestors_are_those_declared_else_those_live() -> None:
    """A declared parent beats the live one, null means none, and a cycle ends."""
    made = Names()
    made.add("project", "top", {"id": 1})
    made.add("project", "middle", {"id": 2, "parent": {"id": 1}})
    made.add("project", "low", {"id": 3, "parent": {"id": 2}})
    assert made.ancestors("low") == ["middle", "top"]
    made.declare(Address("project", "low"), _Project("top"))
    assert made.ancestors("low") == ["top"]
    made.declare(Address("project", "low"), _Project(None))
    assert made.ancestors("low") == []
    made.declare(Address("project", "top"), _Project("middle"))
    assert made.ancestors("middle") == ["top", "middle"]


# -- looking up ------------------------------------------------------------------------------------------------


def test_a_name_is_looked_up_in_its_own_project() -> None:
    """An object inside a project is found there, and not from another one."""
    context = Context(names(), "shop")
    assert context.resolve(Reference(("version",), "shop", "1.0")) == Address("version", "shop/1.0")
    with pytest.raises(Unresolved) as caught:
        context.resolve(Reference(("version",), "shop", "1.1"))
    assert str(caught.value).startswith('there is no version "1.1" in project "shop"')
    assert caught.value.hint == 'did you mean "1.0"?'


def test_a_name_of_two_kinds_is_not_guessed() -> None:
    """A user and a group of one name: the hint says how to name one of them."""
    made = names()
    made.add("group", "amy", {"id": 8})
    with pytest.raises(Unresolved) as caught:
        Context(made).resolve(Reference(("user", "group"), "", "amy"))
    assert (str(caught.value), caught.value.hint) == ('"amy" is ambiguous: user Amy and group amy', "write {user: amy}")


def test_a_project_that_does_not_exist_is_what_is_wrong() -> None:
    """Not the name inside it."""
    with pytest.raises(Unresolved, match='there is no project "shp"') as caught:
        Context(names()).resolve(Reference(("version",), "shp", "1.0"))
    assert caught.value.hint == 'did you mean "shop"?'


def test_what_only_an_administrator_can_make_says_so() -> None:
    """A kind that manifests cannot declare has its menu in the hint."""
    made = names()
    made.add("role", "Manager", {"id": 3})
    with pytest.raises(Unresolved, match='there is no role "Managr" on the server') as caught:
        Context(made).resolve(Reference(("role",), "", "Managr"))
    assert caught.value.hint == 'did you mean "Manager"?; ask an administrator to create it: Administration → Roles'


def test_the_same_miss_is_explained_once() -> None:
    """A name that stands in a thousand issues and means nothing is compared with all names once."""
    made, reference = names(), Reference(("version",), "shop", "x")
    first = made.miss(reference, lambda: ("no", "hint"))
    second = made.miss(reference, lambda: ("never", "asked"))
    assert (str(first), first.hint) == (str(second), second.hint) == ("no", "hint")


def test_a_key_is_found_by_id() -> None:
    """Of an id that was not read there is none."""
    context = Context(names())
    assert (context.key("user", 5), context.key("user", 6), context.key("group", 5)) == ("Amy", None, None)


@pytest.mark.parametrize(
    ("word", "known", "advice"),
    [
        ("Bgu", ["Bug", "Feature"], 'did you mean "Bug"?'),
        ("xyz", ["Bug", "Feature "], 'available: Bug, "Feature "'),
        ("xyz", [str(n) for n in range(13)], ""),
        ("xyz", [], ""),
    ],
)
def test_near_misses(word: str, known: list[str], advice: str) -> None:
    """The nearest name, else all of a few, blanks at their ends shown, else nothing."""
    assert near_miss(word, known) == advice


def test_an_address_knows_its_project() -> None:
    """The parts of a key, which a name with slashes does not confuse; a project contains itself."""
    version = Address("version", "shop/1.0/rc")
    assert (version.project, version.own_name, version.container) == ("shop", "1.0/rc", SHOP)
    assert SHOP.container == SHOP
    assert str(version) == "version shop/1.0/rc"
