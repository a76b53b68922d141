"""Which fields of a kind have something in common."""

from __future__ import annotations

from reconciler.kinds import kinds
from reconciler.model.field_sets import field_sets


def test_names_of_one_object_link_to_it() -> None:
    """Of issues, the fields with one name are links; people and lists of names are read by codecs of their own."""
    links = field_sets(kinds()["issue"]).linking
    assert links["tracker"] == "tracker"
    assert {"status", "priority", "category", "fixed_version", "assigned_to", "parent"} <= links.keys()
    assert links.keys().isdisjoint({"subject", "watchers", "relations", "custom_fields"})


def test_plain_values_are_compared_as_they_are() -> None:
    """Dates and numbers need no translation; a text may have other line ends in a row."""
    sets = field_sets(kinds()["issue"])
    assert {"subject", "start_date", "estimated_hours", "done_ratio"} <= sets.as_declared & sets.as_shown.keys()
    assert "description" not in sets.as_declared | sets.as_shown.keys()


def test_secrets_are_never_taken_as_they_are() -> None:
    """A password is neither compared as declared nor as shown."""
    sets = field_sets(kinds()["user"])
    assert "password" in kinds()["user"].fields
    assert "password" not in sets.as_declared | sets.as_shown.keys() | sets.linking.keys()


def test_a_kind_that_reads_rows_in_its_own_way_is_asked_for_each_value() -> None:
    """The status of a user may be that of the list that showed it, which only the kind knows."""
    sets = field_sets(kinds()["user"])
    assert (sets.as_shown, sets.linking) == ({}, {})


def test_what_only_an_own_page_shows_and_what_must_be_unique() -> None:
    """Watchers and notes are on an issue's own page; a mail address is one user's."""
    assert field_sets(kinds()["issue"]).detailed == {"watchers": "watchers", "notes": "journals"}
    assert "mail" in field_sets(kinds()["user"]).unique
