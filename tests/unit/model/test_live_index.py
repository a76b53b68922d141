"""The live objects of one kind: by key and by id, in Redmine's spelling, and what changes them."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.live_index import LiveIndex


def index(*keys: str, ignores_case: bool = False) -> LiveIndex:
    """Objects with these keys, numbered from 1."""
    made = LiveIndex(ignores_case=ignores_case)
    for number, key in enumerate(keys, 1):
        made.add(key, {"id": number, "name": key})
    return made


def test_an_object_is_found_by_key_and_by_id() -> None:
    """Keys, ids and rows are three views of the same objects."""
    live = index("a", "b")
    assert (live.id("b"), live.keys[2], live.rows[2]) == (2, "b", {"id": 2, "name": "b"})
    assert live.ids == {"a": 1, "b": 2}
    assert live.has("a") and not live.has("c")
    assert live.id("c") is None
    assert not live.whole


def test_case_counts_unless_redmine_ignores_it() -> None:
    """A key in another case is the same object only for a kind whose names are compared without case."""
    assert index("Amy").id("AMY") is None
    assert index("Amy").spelling("AMY") == "AMY"
    ignoring = index("Amy", ignores_case=True)
    assert ignoring.id("AMY") == 1
    assert (ignoring.spelling("aMY"), ignoring.spelling("bob")) == ("Amy", "bob")


def test_of_two_spellings_the_exact_one_is_found_first() -> None:
    """Redmine's own check can be outrun: then there are `amy` and `Amy`, and each is found by its own spelling."""
    live = index("amy", "Amy", ignores_case=True)
    assert (live.id("amy"), live.id("Amy"), live.id("AMY")) == (1, 2, 1)


def test_a_deleted_object_is_gone_from_every_view() -> None:
    """SQLite gives its id to the next object: nothing of the old one may be left."""
    live = index("a", "b")
    live.remove("a")
    assert (live.ids, dict(live.keys), dict(live.rows)) == ({"b": 2}, {2: "b"}, {2: {"id": 2, "name": "b"}})
    live.add("c", {"id": 1})
    assert (live.id("a"), live.id("c")) == (None, 1)


def test_names_are_passed_on() -> None:
    """Objects get each other's keys at once; a key that nobody has any more is gone, in every spelling."""
    live = index("a", "B", "c", ignores_case=True)
    live.rename({1: "b", 2: "d"})
    assert (live.id("B"), live.id("d"), live.id("a"), live.id("C")) == (1, 2, None, 3)
    assert dict(live.keys) == {1: "b", 2: "d", 3: "c"}


def test_what_is_not_there_can_be_removed() -> None:
    """Removing a key that no object has does nothing."""
    live = index("a")
    live.remove("b")
    assert live.ids == {"a": 1}


def test_an_object_is_removed_in_any_case() -> None:
    """Where Redmine ignores case, the manifest's spelling removes the server's, and is free again."""
    live = index("Amy", ignores_case=True)
    live.remove("AMY")
    assert not live.has("Amy") and not live.ids
    live.add("amy", {"id": 5})
    assert live.id("Amy") == 5


def test_the_same_key_again_takes_the_later_row() -> None:
    """A row that is read again replaces the one that is known."""
    live = index("a")
    live.add("a", {"id": 1, "name": "new"})
    assert live.rows[1] == {"id": 1, "name": "new"}
    live.replace_row(1, {"id": 1, "name": "newer"})
    assert live.rows[1]["name"] == "newer"


def test_an_object_gets_another_key() -> None:
    """Its old key is nobody's."""
    live = index("shop/#1", "shop/#2")
    live.rekey(1, "shop/login")
    assert (live.id("shop/login"), live.id("shop/#1"), live.keys[1]) == (1, None, "shop/login")


def test_of_several_with_one_key_the_first_is_found() -> None:
    """The others keep their id's own view; a key that was somebody else's stays his."""
    live = index("a", "b")
    live.rekey(2, "a")
    assert (live.id("a"), live.keys[1], live.keys[2]) == (1, "a", "a")
    live.rekey(2, "c")
    assert (live.id("a"), live.id("c")) == (1, 2)


def test_the_projects_that_showed_an_object_are_noted() -> None:
    """A shared version is in the lists of several projects."""
    live = index("shop/1.0")
    live.note_seen(1, "shop")
    live.note_seen(1, "hq")
    live.note_seen(1, "shop")
    assert {number: set(projects) for number, projects in live.seen_from.items()} == {1: {"shop", "hq"}}


def test_rows_can_be_kept_elsewhere() -> None:
    """Of very many objects, the rows are kept on disk: in the mapping that is given."""
    live, elsewhere = LiveIndex(), dict[Any, Any]()
    live.store_rows_in(elsewhere)
    live.add("a", {"id": 1})
    assert elsewhere == {1: {"id": 1}}
    assert live.rows is elsewhere


def test_the_same_rows_with_other_keys() -> None:
    """An export without personal data has other logins for the same rows; the index itself stays as it is."""
    live = index("amy")
    other = live.rekeyed({1: "person-1"})
    assert (other.id("person-1"), other.id("amy"), other.rows[1]) == (1, None, live.rows[1])
    assert live.id("amy") == 1


@pytest.mark.parametrize("view", ["ids", "keys", "rows", "seen_from", "whole"])
def test_only_methods_change_an_index(view: str) -> None:
    """The views cannot be replaced; `whole` alone is set by whoever reads."""
    live = index("a")
    if view == "whole":
        live.whole = True
        assert live.whole
        return
    with pytest.raises(AttributeError):
        setattr(live, view, {})
