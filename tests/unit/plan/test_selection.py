"""`--target` and `--exclude`: which objects a plan is for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from reconciler.errors import Exit, Location, ReconcilerError
from reconciler.model.address import Address
from reconciler.plan.operations import Change, Create, FieldChange, Link, OperationId, Plan, Reopen
from reconciler.plan.options import label
from reconciler.plan.targets import Selection, select

PLACE = Location("a.yaml", 1, 1)
AMY, BOB = Address("user", "amy"), Address("user", "bob")
SHOP, LIVE = Address("project", "shop"), Address("project", "live")
FIRST, SECOND = Address("version", "shop/1.0"), Address("version", "shop/2.0")
PARENT, CHILD = Address("issue", "shop/parent"), Address("issue", "shop/child")
LOCKED, INSIDE = Address("version", "live/0.9"), Address("issue", "live/late")


def new(address: Address, *requires: Address, later: tuple[Link, ...] = ()) -> Change:
    """An object that is to be created, and what that requires (its project, if that is new, too)."""
    inside = (SHOP,) if address.kind in ("version", "issue") and address.project == "shop" else ()
    first = Create(OperationId(address), requires=tuple(map(OperationId, (*requires, *inside))))
    return Change(address, None, PLACE, (first, *later))


DEFAULT = Link(
    OperationId(SHOP, 1),
    (FieldChange("default_version", None, "1.0"),),
    requires=(OperationId(SHOP), OperationId(FIRST)),
)
PLAN = Plan(
    "https://redmine.example.net",
    (
        new(AMY),
        new(BOB),
        new(SHOP, later=(DEFAULT,)),
        new(FIRST),
        new(SECOND),
        new(PARENT, AMY, FIRST),
        new(CHILD, PARENT),
        Change(LOCKED, 3, PLACE, (Reopen(OperationId(LOCKED)),)),
        new(INSIDE, LOCKED),
    ),
    unchanged=1,
)
DECLARED = (*(c.address for c in PLAN.changes), LIVE)


def chosen(targets: Sequence[str] = (), excludes: Sequence[str] = ()) -> set[str]:
    """The chosen objects, as patterns see them."""
    return set(map(label, select(PLAN, DECLARED, targets, excludes).chosen))


def test_without_patterns_everything_is_chosen() -> None:
    """Nothing is added or left out."""
    assert select(PLAN, DECLARED) == Selection(frozenset(DECLARED))


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (["user/bob"], {"user/bob"}),
        (["user/*"], {"user/amy", "user/bob"}),
        (["project/live"], {"project/live"}),
        (["user/[ab]*", "project/live"], {"user/amy", "user/bob", "project/live"}),
        # Inside a project that is created, which later names its first version.
        (["version/shop/2.0"], {"version/shop/2.0", "version/shop/1.0", "project/shop"}),
        (
            ["issue/shop/child"],
            {"issue/shop/child", "issue/shop/parent", "user/amy", "version/shop/1.0", "project/shop"},
        ),
        # A gate that is opened for it.
        (["issue/live/*"], {"issue/live/late", "version/live/0.9"}),
    ],
)
def test_a_target_takes_in_what_it_needs(targets: list[str], expected: set[str]) -> None:
    """What is to be created or opened for it, directly or not; nothing else."""
    assert chosen(targets) == expected


@pytest.mark.parametrize(
    ("excludes", "left_out"),
    [
        (["user/bob"], {"user/bob"}),
        (["user/amy"], {"user/amy", "issue/shop/parent", "issue/shop/child"}),
        (["version/live/*"], {"version/live/0.9", "issue/live/late"}),
    ],
)
def test_what_needs_an_excluded_object_is_left_out_too(excludes: list[str], left_out: set[str]) -> None:
    """It would only fail."""
    assert chosen(excludes=excludes) == set(map(label, DECLARED)) - left_out


@pytest.mark.parametrize("pattern", ["project/shop", "project/*"])
def test_what_is_inside_an_excluded_project_is_left_out_too(pattern: str) -> None:
    """Whether or not it needs a change of the project; a user with the name of the project stays."""
    namesake = Address("user", "shop")
    selection = select(PLAN, (*DECLARED, namesake, Address("version", "shop/unchanged")), (), [pattern])
    assert not {a for a in selection.chosen if a.kind not in ("user", "project") and a.project == "shop"}
    assert namesake in selection.chosen
    assert Address("version", "shop/unchanged") in selection.dropped


def test_an_exclude_takes_from_what_is_targeted() -> None:
    """Both together: the targets without the excluded ones."""
    assert chosen(["user/*"], ["user/bob"]) == {"user/amy"}


def test_it_tells_what_it_added_and_left_out() -> None:
    """So that the command can say it."""
    assert select(PLAN, DECLARED, ["issue/live/late"]).added == (LOCKED,)
    assert select(PLAN, DECLARED, (), ["user/amy"]).dropped == (CHILD, PARENT)


def test_a_target_that_needs_an_excluded_object_is_refused() -> None:
    """It cannot be done, and is not left out without a word."""
    with pytest.raises(ReconcilerError, match="issue shop/child depends on user amy, which is excluded") as caught:
        select(PLAN, DECLARED, ["issue/shop/child"], ["user/amy"])
    assert caught.value.exit_code == Exit.CANNOT_RUN


@pytest.mark.parametrize(
    ("targets", "excludes", "said"),
    [
        (["user/carl"], [], '--target "user/carl" matches no declared object'),
        (["user/bobb"], [], 'did you mean "user/bob"?'),
        (["user/amy"], ["group/*"], '--exclude "group/*" matches no declared object; a pattern is KIND/KEY'),
        (["bob"], [], '--target "bob" matches no declared object'),
        (["USER/bob"], [], '--target "USER/bob" matches no declared object'),
    ],
)
def test_a_pattern_that_matches_nothing_is_refused(targets: list[str], excludes: list[str], said: str) -> None:
    """A typo must not look like "nothing to do"."""
    with pytest.raises(ReconcilerError) as caught:
        select(PLAN, DECLARED, targets, excludes)
    assert said in str(caught.value)


def test_a_key_with_the_signs_of_a_pattern_can_be_named() -> None:
    """`issue/shop/[a]` means the issue of that name."""
    odd = Address("issue", "shop/[a]")
    assert select(Plan("u", (), 1), [odd], ["issue/shop/[a]"]).chosen == {odd}
