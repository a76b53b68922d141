"""Unique values and renames: what is given up before it is taken, and what cannot be."""

from __future__ import annotations

from typing import Any

import pytest
from canned import Canned
from engine import offline, problems_of
from plans import SHOP, Present, comes_before, inside, issue, plan, steps, the, user, version

from reconciler.errors import ManifestError, Problem
from reconciler.kinds import kinds
from reconciler.model.address import Address
from reconciler.model.unique import temporary
from reconciler.plan.targets import select

OLD = user(8, "old", firstname="O", lastname="L", mail="o@example.net")
AMY = user(5, "amy", firstname="A", lastname="L", mail="amy@example.net")
BOB = user(6, "bob", firstname="B", lastname="L", mail="bob@example.net")
NEW = "firstname: F, lastname: L"


def group(number: int, name: str) -> Present:
    """A live group."""
    return ("group", name, {"id": number, "name": name})


def problems(text: str, *present: Present) -> list[Problem]:
    """What is wrong with a plan."""
    with pytest.raises(ManifestError) as caught:
        plan(text, *present)
    return list(caught.value.problems)


# -- mail addresses --------------------------------------------------------------------------------------------


def test_a_deleted_user_gives_its_mail_up_first() -> None:
    """A new user gets the mail of one who is deleted before, whatever its case."""
    made = plan(f"users: [{{login: old, state: absent}}, {{login: fresh, {NEW}, mail: O@example.net}}]", OLD)
    assert comes_before(made, (Address("user", "old"), 0), (Address("user", "fresh"), 0))
    create = the(made, "user", "fresh").operations[0]
    assert [one.address.key for one in create.requires] == ["old"]


def test_a_mail_that_is_given_up_is_free() -> None:
    """A mail goes from one user to another, new or live, after the first one got another."""
    for taker in (f"{{login: fresh, {NEW}, mail: amy@example.net}}", "{login: bob, mail: amy@example.net}"):
        made = plan(f"users: [{{login: amy, mail: new@example.net}}, {taker}]", AMY, BOB)
        (other,) = [c.address for c in made.changes if c.address.key != "amy"]
        assert comes_before(made, (Address("user", "amy"), 0), (other, 0))


def test_mails_are_exchanged_through_a_temporary_one() -> None:
    """Of two users who exchange their mails, one has another in between, in an operation that the plan shows."""
    made = plan("users: [{login: amy, mail: bob@example.net}, {login: bob, mail: amy@example.net}]", AMY, BOB)
    first, last = steps(the(made, "user", "amy"))
    assert first["mail"].startswith("amy-temporary-")
    assert first["mail"].endswith("@example.net")
    assert last == {"mail": "bob@example.net"}
    assert steps(the(made, "user", "bob")) == [{"mail": "amy@example.net"}]
    amy, bob = Address("user", "amy"), Address("user", "bob")
    assert comes_before(made, (amy, 0), (bob, 0))
    assert comes_before(made, (bob, 0), (amy, 1))


def test_three_mails_in_a_circle() -> None:
    """One temporary value is enough for a circle of any length."""
    cid = user(7, "cid", firstname="C", lastname="L", mail="cid@example.net")
    circle = {"amy": "bob", "bob": "cid", "cid": "amy"}
    text = ", ".join(f"{{login: {login}, mail: {mail}@example.net}}" for login, mail in circle.items())
    made = plan(f"users: [{text}]", AMY, BOB, cid)
    assert [len(steps(the(made, "user", login))) for login in circle] == [2, 1, 1]


def test_a_successor_is_there_before_the_one_whose_mail_it_gets_is_deleted() -> None:
    """Where work passes to a new user of the same mail, it is created with another, and gets it after the deletion."""
    text = f"users: [{{login: old, state: absent}}, {{login: fresh, {NEW}, mail: o@example.net}}]\n"
    made = plan(
        text + inside("issues: [{subject: s, assigned_to: fresh}]"),
        OLD,
        SHOP,
        issue(9, "shop", "s", assigned_to={"id": 8, "name": "O L"}),
    )
    old, fresh, work = Address("user", "old"), Address("user", "fresh"), Address("issue", "shop/s")
    assert comes_before(made, (fresh, 0), (work, 0))
    assert comes_before(made, (work, 0), (old, 0))
    assert comes_before(made, (old, 0), (fresh, 1))
    assert steps(the(made, "user", "fresh"))[1] == {"mail": "o@example.net"}


def test_two_declared_users_with_one_mail() -> None:
    """A mail that two users declare is a problem that names both places, also in another case."""
    text = f"users:\n  - {{login: a, {NEW}, mail: x@example.net}}\n  - {{login: b, {NEW}, mail: X@example.net}}"
    (problem,) = offline(text).problems
    assert (problem.subject, problem.location.line, problem.also[0].line) == ("user b", 3, 2)
    assert problem.message == "mail: user a has the same, and it is unique"
    assert offline(text.replace("login: a,", "login: a, state: absent,")).problems == ()


def test_a_mail_of_an_undeclared_user() -> None:
    """A mail that a live, undeclared user has is a problem that names that user, and how to rename it."""
    (problem,) = problems(f"users: [{{login: fresh, {NEW}, mail: O@example.net}}]", OLD)
    assert problem.message == "mail: user old has it already, and Redmine allows it once"
    assert "`renamed_from: old`" in problem.hint
    (problem,) = problems("users: [{login: amy, mail: o@example.net}]", OLD, AMY)
    assert "renamed_from" not in problem.hint


def test_a_mail_that_a_declared_user_keeps() -> None:
    """A mail that another declared user keeps is a problem that names both places."""
    (problem,) = problems(f"users: [{{login: old}}, {{login: fresh, {NEW}, mail: o@example.net}}]", OLD)
    assert (problem.subject, len(problem.also)) == ("user fresh", 1)


def test_a_mail_of_a_locked_user(canned: Canned) -> None:
    """Whoever gets another mail: locked users, which the first list does not show, are looked at for it too."""
    canned.add("users", login="amy", mail="amy@example.net")
    canned.add("users", login="gone", mail="gone@example.net", status=3)
    (problem,) = problems_of(canned, "users: [{login: amy, mail: gone@example.net}]")
    assert problem.message == "mail: user gone has it already, and Redmine allows it once"


def test_an_own_mail_in_another_case_is_no_conflict() -> None:
    """A user's own mail is never somebody else's."""
    made = plan("users: [{login: amy, mail: AMY@example.net}]", AMY)
    assert steps(the(made, "user", "amy")) == [{"mail": "AMY@example.net"}]


# -- renames ---------------------------------------------------------------------------------------------------


def page(title: str, **more: Any) -> Present:
    """A live wiki page."""
    return ("wiki_page", f"shop/{title}", {"id": 1, "title": title, "text": "x", "version": 1, **more})


def test_a_title_goes_to_the_parent_of_the_page_that_had_it() -> None:
    """A page that moves below the new page of its old title gives that up first, and moves when the new one is there."""
    pages = "wiki_pages: [{title: Guide_old, renamed_from: Guide, parent: Guide}, {title: Guide, text: new}]"
    made = plan(inside(pages), SHOP, page("Guide"))
    new, old = Address("wiki_page", "shop/Guide"), Address("wiki_page", "shop/Guide_old")
    assert steps(the(made, "wiki_page", "shop/Guide_old")) == [{"title": "Guide_old"}, {"parent": "Guide"}]
    assert comes_before(made, (old, 0), (new, 0))
    assert comes_before(made, (new, 0), (old, 1))


CHAIN = inside('versions: [{name: "3.0", renamed_from: "2.0"}, {name: "2.0", renamed_from: "1.0"}]')


def test_a_chain_of_renames() -> None:
    """The version whose name is taken is renamed first; nothing is done twice, nor backwards."""
    one, two = version(1, "shop", "1.0"), version(2, "shop", "2.0")
    made = plan(CHAIN, SHOP, one, two)
    assert (the(made, "version", "shop/3.0").id, the(made, "version", "shop/2.0").id) == (2, 1)
    assert comes_before(made, (Address("version", "shop/3.0"), 0), (Address("version", "shop/2.0"), 0))
    half = plan(CHAIN, SHOP, one, version(2, "shop", "3.0"))
    assert [(str(c.address), c.id) for c in half.changes] == [("version shop/2.0", 1)]
    assert plan(CHAIN, SHOP, version(1, "shop", "2.0"), version(2, "shop", "3.0")).changes == ()


def test_a_new_object_of_the_old_name() -> None:
    """A group is renamed before another one is created under its old name; when both are there, nothing is to do."""
    text = "groups: [{name: Ops old, renamed_from: Ops}, {name: Ops}]"
    made = plan(text, group(3, "Ops"))
    assert [(str(c.address), c.action, c.id) for c in made.changes] == [
        ("group Ops old", "update", 3),
        ("group Ops", "create", None),
    ]
    assert plan(text, group(3, "Ops old"), group(4, "Ops")).changes == ()
    assert [c.action for c in plan(text, group(3, "Ops old")).changes] == ["create"]


def test_a_renamed_object_is_not_deleted_under_its_old_name() -> None:
    """An old name that is declared absent is gone with the rename."""
    made = plan("groups: [{name: Ops old, renamed_from: Ops}, {name: Ops, state: absent}]", group(3, "Ops"))
    assert [(str(c.address), c.action) for c in made.changes] == [("group Ops old", "update")]


SWAP = inside(
    'versions: [{name: "2.0", renamed_from: "1.0", description: one}, {name: "1.0", renamed_from: "2.0", description: two}]'
)


def test_names_are_exchanged_through_a_temporary_one() -> None:
    """Two versions exchange their names: each keeps its id and its description."""
    made = plan(SWAP, SHOP, version(1, "shop", "1.0", description="one"), version(2, "shop", "2.0", description="two"))
    first, last = steps(the(made, "version", "shop/1.0"))
    assert (the(made, "version", "shop/1.0").id, last) == (2, {"name": "1.0"})
    assert first["name"].startswith("1.0-temporary-")
    assert steps(the(made, "version", "shop/2.0")) == [{"name": "2.0"}]


def test_an_exchange_is_not_done_backwards() -> None:
    """When the values show that names have been exchanged, nothing is left to do; other changes are made as they are."""
    one, two = version(1, "shop", "2.0", description="one"), version(2, "shop", "1.0", description="two")
    assert plan(SWAP, SHOP, one, two).changes == ()
    made = plan(SWAP, SHOP, version(1, "shop", "2.0", description="other"), two)
    assert steps(the(made, "version", "shop/2.0")) == [{"description": "one"}]


def test_an_exchange_that_cannot_be_told() -> None:
    """Where no declared value tells whether names have been exchanged, that is a problem at both."""
    text = SWAP.replace(", description: one", "").replace(", description: two", "")
    (problem,) = problems(text, SHOP, version(1, "shop", "1.0"), version(2, "shop", "2.0"))
    assert "exchanged their names already" in problem.message
    assert (problem.subject, len(problem.also)) == ("version shop/1.0", 1)


def test_an_exchange_that_was_stopped_goes_on() -> None:
    """An object with its temporary name is known, and gets the name that it was on its way to."""
    address = Address("version", "shop/1.0")
    name = temporary(kinds()["version"], address).partition("/")[2]
    half = version(2, "shop", name, description="two")
    made = plan(SWAP, SHOP, version(1, "shop", "1.0", description="one"), half)
    assert comes_before(made, (Address("version", "shop/2.0"), 0), (address, 0))
    assert {str(c.address): (c.id, steps(c)) for c in made.changes} == {
        "version shop/2.0": (1, [{"name": "2.0"}]),
        "version shop/1.0": (2, [{"name": "1.0"}]),
    }
    made = plan(SWAP, SHOP, version(1, "shop", "2.0", description="one"), half)
    assert [(c.id, steps(c)) for c in made.changes] == [(2, [{"name": "1.0"}])]


@pytest.mark.parametrize("kind", ["user", "group", "version", "issue_category", "wiki_page"])
def test_every_kind_that_is_renamed_has_ordered_renames(kind: str) -> None:
    """The names of every kind that Redmine keeps unique are given up before they are taken, in chains and circles."""
    name, plural = kinds()[kind].identity[0], kinds()[kind].plural
    text = f"{plural}: [{{{name}: Three, renamed_from: Two}}, {{{name}: Two, renamed_from: One}}]"
    prefix = "shop/" if kinds()[kind].inside else ""
    rows: list[Present] = [_live(kind, f"{prefix}{key}", number) for number, key in ((1, "One"), (2, "Two"))]
    made = plan(inside(text) if prefix else text, SHOP, *rows)
    assert comes_before(made, (Address(kind, f"{prefix}Three"), 0), (Address(kind, f"{prefix}Two"), 0))
    assert {c.id for c in made.changes} == {row["id"] for _, _, row in rows}


def _live(kind: str, key: str, number: int) -> Present:
    name = key.rpartition("/")[2]
    identity = kinds()[kind].identity[0]
    more = {"status": "open", "sharing": "none"} if kind == "version" else {}
    row = {"id": key if kind == "wiki_page" else number, identity: name, "project": {"id": 1}, **more}
    return (kind, key, row)


def test_two_with_one_earlier_name() -> None:
    """An object can only become one other: two with one earlier name are a problem that names both places."""
    text = "groups:\n  - {name: A, renamed_from: X}\n  - {name: B, renamed_from: x}"
    (problem,) = offline(text).problems
    assert (problem.location.line, problem.also[0].line) == (3, 2)


def test_a_target_takes_in_who_gives_a_value_up() -> None:
    """`--target` of one of two that exchange a value takes in the other."""
    text = "users: [{login: amy, mail: bob@example.net}, {login: bob, mail: amy@example.net}]"
    made = plan(text, AMY, BOB)
    for login in ("amy", "bob"):
        chosen = select(made, offline(text).objects, [f"user/{login}"]).chosen
        assert {a.key for a in chosen} == {"amy", "bob"}
