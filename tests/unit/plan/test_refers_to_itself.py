"""A new object whose own fields refer to it: they are written once it exists."""

from __future__ import annotations

from canned import Canned
from engine import apply_to, plan_of

from reconciler.plan.operations import Create, Link

TEXT = """
projects: [{identifier: shop, name: Shop}]
versions: [{project: shop, name: "1.0", custom_fields: {Follows: "1.0", Note: x}}, {project: shop, name: "2.0"}]
"""


def server() -> Canned:
    """A server whose versions name another version in a custom field."""
    redmine = Canned()
    redmine.add("custom_fields", name="Follows", customized_type="version", field_format="version")
    redmine.add("custom_fields", name="Note", customized_type="version", field_format="string")
    return redmine


def test_a_version_that_names_itself() -> None:
    """It is created without that value, which is a step of its own; the rest is in the first."""
    (change,) = (c for c in plan_of(server(), TEXT).changes if c.address.key == "shop/1.0")
    first, second = change.operations
    assert isinstance(first, Create) and isinstance(second, Link)
    assert [field.path for field in second.fields] == ["custom_fields.Follows"]
    assert "custom_fields.Note" in [field.path for field in first.fields]


def test_it_is_done_in_one_apply() -> None:
    """Everything is done, and nothing is left."""
    redmine = server()
    assert {r.outcome for r in apply_to(redmine, TEXT).results} == {"done"}
    assert plan_of(redmine, TEXT).changes == ()


def test_it_still_waits_for_others() -> None:
    """A list that names the object and another new one is written when both exist."""
    redmine = Canned()
    redmine.add("custom_fields", name="Follow", customized_type="version", field_format="version", multiple=True)
    text = TEXT.replace('Follows: "1.0", Note: x', 'Follow: ["1.0", "2.0"]')
    (change,) = (c for c in plan_of(redmine, text).changes if c.address.key == "shop/1.0")
    assert any(before.address.key == "shop/2.0" for before in change.operations[1].requires)
    assert {r.outcome for r in apply_to(redmine, text).results} == {"done"}
    assert plan_of(redmine, text).changes == ()
