"""Few declared issues in a long list: they are looked up, and each plan is the one that the whole list gives."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from calls import call
from canned import Canned, reached
from engine import apply_to, offline, plan_of, problems_of
from limited import Limited

from reconciler.errors import ManifestError
from reconciler.kinds.issues import read
from reconciler.kinds.issues.shortcut import APART
from reconciler.model.address import Address
from reconciler.model.name_index import Names
from reconciler.model.requests import Listing
from reconciler.plan.operations import Unmanaged
from reconciler.plan.undeclared import unmanaged
from reconciler.redmine.client import Client
from reconciler.state.live import read as read_state

KEY = "Config key"
MANY = 1_000
LOST = "nobody"
Fill = Callable[[Canned], None]


def shop(fill: Fill = lambda redmine: None, number: int = MANY, **more: Any) -> Canned:
    """A project with that many issues, some of them as `fill` changes them."""
    redmine = Canned()
    redmine.add("custom_fields", name=KEY)
    redmine.add("projects", identifier="shop", name="Shop")
    for n in range(1, number + 1):
        redmine.add("issues", id=n, project="shop", subject=f"issue number {n}", **more)
    fill(redmine)
    return redmine


def manifest(*issues: str) -> str:
    """A manifest of issues of the project."""
    return "\n".join(["projects:", "- identifier: shop", "  issues:", *(f"  - {{{issue}}}" for issue in issues)])


def named(*numbers: int, more: str = "") -> str:
    """A manifest of issues as `shop` has them."""
    return manifest(*(f"subject: issue number {n}{more}" for n in numbers))


def asked(redmine: Canned) -> list[list[tuple[str, str]]]:
    """The parameters of the requests for issues, and forgets the requests."""
    found = [parse_qsl(urlsplit(path).query) for _, path in redmine.seen if path.startswith("/issues.json")]
    redmine.seen.clear()
    return found


def outcome(redmine: Canned, text: str, **options: Any) -> Any:
    """What a plan says, or what is wrong with it."""
    try:
        made = plan_of(redmine, text, **options)
    except ManifestError as error:
        return [(problem.message, problem.hint) for problem in error.problems]
    return made.digest, made.changes, made.affected, made.warnings


def with_whole_list(redmine: Canned, text: str, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Any:
    """The same, if the whole list is read."""
    with monkeypatch.context() as patch:
        patch.setattr(read, "_long", lambda need, projects, filters, include, *more: _all(projects, filters, include))
        return outcome(redmine, text, **options)


def _all(projects: list[int], filters: Any, include: Any) -> Listing:
    return read.all_of(projects, filters, include)


def test_few_issues_in_a_long_list_take_a_handful_of_requests() -> None:
    """Fifty of thousands: the first page, the newest issue, the subjects, and what is below them."""
    redmine = shop(number=2_000)
    assert plan_of(redmine, named(*range(1, 2_000, 40))).changes == ()
    assert len(asked(redmine)) == 1 + 1 + 1 + 1


def test_what_hangs_on_the_newest_issue_is_not_read() -> None:
    """It only shows which ids are known."""
    redmine = shop()
    redmine.set(redmine.row("issues", MANY), "issues", parent=500)
    plan_of(redmine, named(3))
    assert len(asked(redmine)) == 1 + 1 + 1 + 1


def test_a_short_list_is_read_as_a_whole() -> None:
    """The look-up is not shorter than the pages that are left."""
    redmine = shop(number=250)
    assert plan_of(redmine, named(*range(1, 250, 5))).changes == ()
    assert len(asked(redmine)) == 3


def test_most_of_a_long_list_is_read_as_a_whole() -> None:
    """A look-up of nearly all issues would take as many requests as their pages."""
    redmine = shop()
    text = manifest(*(f"subject: issue number {n}{' ' * 0}" for n in range(1, MANY + 1)))
    assert plan_of(redmine, text).changes == ()
    assert len(asked(redmine)) == ceil(MANY / 99)


CLOSED = {"status": "Closed"}


def twins(redmine: Canned) -> None:
    """Two issues share a subject."""
    redmine.add("issues", project="shop", subject="issue number 7")


def elsewhere(redmine: Canned) -> None:
    """Another project has an issue of the same subject."""
    redmine.add("projects", identifier="other")
    redmine.add("issues", project="other", subject="issue number 1001")


def odd(redmine: Canned) -> None:
    """Subjects that a filter could misunderstand."""
    for subject in ("50% off", "a_b", "a|b", "~a", "!a", "a,b", "none", "*"):
        redmine.add("issues", project="shop", subject=subject)


def family(redmine: Canned) -> None:
    """Issue 5 is above 6, that is above 7; 8 has to do with 9."""
    redmine.set(redmine.row("issues", 6), "issues", parent=5)
    redmine.set(redmine.row("issues", 7), "issues", parent=6)
    redmine._relate(8, 9, "blocks")


def numbered(number: int) -> Fill:
    """Issues with a key, up to a number."""

    def fill(redmine: Canned) -> None:
        for n in range(1, number + 1):
            redmine.set(redmine.row("issues", n), "issues", custom_fields={KEY: f"key-{n}"})

    return fill


CASES: dict[str, tuple[Fill, str]] = {
    "as they are": (lambda redmine: None, named(3, 500, 999)),
    "a new one": (lambda redmine: None, named(3, 1001)),
    "changed": (lambda redmine: None, named(3, 500, more=", description: other")),
    "renamed": (lambda redmine: None, manifest("subject: other, renamed_from: issue number 3")),
    "renamed already": (lambda redmine: None, manifest("subject: issue number 3, renamed_from: other")),
    "absent": (lambda redmine: None, manifest("subject: issue number 3, state: absent")),
    "absent and above others": (family, manifest("subject: issue number 5, state: absent")),
    "absent already": (lambda redmine: None, manifest("subject: nothing, state: absent")),
    "by number": (lambda redmine: None, manifest("id: 12, subject: changed", "subject: issue number 3")),
    "below another": (family, named(5, 6, 7, more=", status: Closed")),
    "below one that is not declared": (family, named(7, more=", status: Closed")),
    "blocked": (family, named(9, more=", status: Closed")),
    "closed": (
        lambda redmine: redmine.set(redmine.row("issues", 3), "issues", **CLOSED),
        named(3, more=", status: Closed"),
    ),
    "of another tracker": (
        lambda redmine: redmine.set(redmine.row("issues", 3), "issues", tracker="Support"),
        named(3, more=", tracker: Bug"),
    ),
    "in another project too": (elsewhere, named(3, 1001)),
    "odd subjects": (odd, manifest(*(f"subject: '{s}'" for s in ("50% off", "a_b", "a|b", "~a", "!a", "a,b", "*")))),
    "half of odd subjects": (odd, manifest("subject: '50%'", "subject: a%b", "subject: axb", "subject: a")),
}


@pytest.mark.parametrize("case", CASES)
def test_a_look_up_makes_the_plan_that_the_whole_list_makes(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However an issue is found, and whatever hangs on it."""
    fill, text = CASES[case]
    redmine = shop(fill)
    found = outcome(redmine, text)
    assert len(asked(redmine)) <= 8
    assert found == with_whole_list(redmine, text, monkeypatch)
    assert len(asked(redmine)) >= MANY / 99


def test_what_is_ambiguous_stays_ambiguous(monkeypatch: pytest.MonkeyPatch) -> None:
    """A subject that two issues have is a problem, with the numbers of both."""
    redmine = shop(twins)
    found = problems_of(redmine, named(7))
    assert [problem.message for problem in found] == [f"several issues match: #7, #{MANY + 1}"]
    assert len(asked(redmine)) <= 6


KEYED: dict[str, tuple[int, str]] = {
    "with keys": (MANY, manifest(*(f"key: key-{n}, subject: issue number {n}" for n in (3, 700)))),
    "with a new key": (10, manifest("key: new, subject: never seen", "key: key-3, subject: issue number 3")),
    "with a new key for an old issue": (10, manifest("key: new, subject: issue number 900")),
    "without a key": (10, manifest("subject: issue number 900")),
    "without a key, and all have one": (MANY, manifest("subject: issue number 900")),
    "with another name of its key": (MANY, manifest("key: other, renamed_from: key-9, subject: issue number 9")),
}


@pytest.mark.parametrize("case", KEYED)
def test_the_same_holds_for_keys(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `issue_key_field`, issues are looked up by key, and by subject among those without one."""
    number, text = KEYED[case]
    redmine = shop(numbered(number))
    assert outcome(redmine, text, key_field=KEY) == with_whole_list(redmine, text, monkeypatch, key_field=KEY)


def keyed(*numbers: int) -> list[str]:
    """Issues as `shop` and `numbered` have them."""
    return [f"key: key-{n}, subject: issue number {n}" for n in numbers]


def late(redmine: Canned) -> None:
    """Only the newer half of the issues has keys."""
    for n in range(MANY // 2, MANY + 1):
        redmine.set(redmine.row("issues", n), "issues", custom_fields={KEY: f"key-{n}"})


def limited(redmine: Canned) -> None:
    """Only issues of two of three trackers have keys, and the first of all is of another one."""
    redmine.set(redmine.row("custom_fields", KEY), "custom_fields", trackers=[{"id": 1}, {"id": 2}])
    redmine.set(redmine.row("issues", 1), "issues", tracker="Support")
    numbered(MANY)(redmine)


def alike(redmine: Canned) -> None:
    """An issue with a key has the subject of one without; both are below others."""
    numbered(MANY - 1)(redmine)
    redmine.set(redmine.row("issues", MANY), "issues", subject="issue number 7", parent=500)
    redmine.set(redmine.row("issues", 7), "issues", parent=6)


MIXED: dict[str, tuple[Fill, str, int]] = {
    "all have keys": (numbered(MANY), manifest(*keyed(3, 700), "subject: issue number 900"), 5),
    "half have keys": (numbered(500), manifest(*keyed(3, 300), "subject: issue number 900"), 5),
    "the newer half has keys": (late, manifest(*keyed(600, 700), "subject: issue number 3"), 6),
    "none has a key": (lambda redmine: None, manifest(*keyed(3), "subject: issue number 900"), 5),
    "another tracker": (limited, manifest(*keyed(3), "subject: issue number 1"), 5),
    "a twin with a key": (alike, manifest(*keyed(6), "subject: issue number 7"), 6),
    "absent": (alike, manifest(*keyed(6), "subject: issue number 7, state: absent"), 6),
    "renamed": (numbered(500), manifest(*keyed(3), "subject: x, renamed_from: issue number 900"), 6),
    "by number": (numbered(MANY), manifest(*keyed(3, 700), "id: 900, subject: issue number 900"), 6),
}


@pytest.mark.parametrize("case", MIXED)
def test_issues_with_and_without_a_key_are_looked_up_together(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One issue that is declared without a key does not make the whole list necessary."""
    fill, text, requests = MIXED[case]
    redmine = shop(fill)
    found = outcome(redmine, text, key_field=KEY)
    assert len(asked(redmine)) == requests
    assert found == with_whole_list(redmine, text, monkeypatch, key_field=KEY)
    assert len(asked(redmine)) >= MANY / 99


def test_an_absent_issue_without_a_key_is_never_one_that_has_a_key() -> None:
    """Two issues share a subject: the one without a key is deleted, and when it is gone, the other one stays."""
    redmine = shop(numbered(7), number=9)
    number = redmine.add("issues", project="shop", subject="issue number 7")
    text = manifest("subject: issue number 7, state: absent")
    (change,) = plan_of(redmine, text, key_field=KEY).changes
    assert change.id == number
    redmine.rows("issues").remove(redmine.row("issues", number))
    assert not plan_of(redmine, text, key_field=KEY).changes


def test_a_look_up_without_a_name_is_a_look_up() -> None:
    """An absent key that no issue has, in a project whose issues have no keys, does not make the whole list necessary."""
    redmine = shop(lambda redmine: None, number=1000)
    assert not plan_of(redmine, manifest("key: gone, state: absent"), key_field=KEY).changes
    assert len(asked(redmine)) < 9


def test_what_a_look_up_was_for_is_kept_though_the_next_one_names_it() -> None:
    """An issue that was found by its key, with its subtasks, is above one without a key, which is looked up last."""
    redmine = shop(numbered(500))
    redmine.set(redmine.row("issues", 900), "issues", parent=6)
    wanted = offline(manifest(*keyed(6), "key: new, subject: issue number 900"), key_field=KEY)

    async def look(client: Client) -> Names:
        return (await read_state(client, wanted)).names

    with reached(redmine):
        names = call(redmine, look, url=redmine.url)
    assert APART not in (names.row(Address("issue", "shop/key-6")) or {APART: True})


def test_what_was_read_as_a_subtask_gets_no_key_by_chance() -> None:
    """Two issues without a key could be meant, of which only one is below an issue that was looked up."""
    redmine = shop(alike)
    redmine.add("issues", project="shop", subject="issue number 7")
    found = problems_of(redmine, manifest(*keyed(500), "key: new, subject: issue number 7"), key_field=KEY)
    assert [problem.message for problem in found] == [f"several issues match: #{MANY}, #{MANY + 1}"]


def test_without_a_filter_on_the_keys_the_whole_list_is_read() -> None:
    """An issue whose subject was changed is only known by its key, and is not created once more."""
    redmine = shop(numbered(MANY))
    redmine.set(redmine.row("custom_fields", KEY), "custom_fields", is_filter=False)
    (change,) = plan_of(redmine, manifest("key: key-3, subject: changed"), key_field=KEY).changes
    assert change.id == 3


def seen_by_a_manager(fill: Fill) -> Limited:
    """The same project for an account that sees no definitions of custom fields."""
    server = shop(fill)
    server.add("users", login="amy", firstname="Amy", lastname="Lee")
    redmine = Limited.view(server)
    redmine.add("memberships", project="shop", user="amy", roles=["Manager"])
    redmine.set(redmine.row("projects", "shop"), "projects", issue_custom_fields=[KEY])
    return redmine


@pytest.mark.parametrize("case", KEYED)
def test_an_account_that_is_no_administrators_looks_up_keys_too(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One request tells it whether the field is a filter; the plan is that of the whole list."""
    number, text = KEYED[case]
    redmine = seen_by_a_manager(numbered(number))
    short = outcome(redmine, text, key_field=KEY)
    requests = len(asked(redmine))
    assert short == with_whole_list(redmine, text, monkeypatch, key_field=KEY)
    assert requests < len(asked(redmine))


def test_an_account_that_is_no_administrators_without_a_filter() -> None:
    """If the field is none, the one request shows it, and the whole list is read."""
    redmine = seen_by_a_manager(numbered(MANY))
    redmine.set(redmine.row("custom_fields", KEY), "custom_fields", is_filter=False)
    (change,) = plan_of(redmine, manifest("key: key-3, subject: changed"), key_field=KEY).changes
    assert change.id == 3
    assert len(asked(redmine)) == ceil(MANY / 99) + 1


def test_a_new_key_among_many_issues_without_one_takes_few_requests() -> None:
    """Whether it is an old issue that has no key yet is asked by its subject."""
    redmine = shop(numbered(10))
    plan_of(redmine, KEYED["with a new key"][1], key_field=KEY)
    assert len(asked(redmine)) <= 8


def without(name: str, redmine: Canned) -> Callable[[str, str], None]:
    """From now on, the server does not do what a filter asks for."""
    real = redmine.answer

    def answer(method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        return real(method, target.replace(f"op%5B{name}%5D=%3D", f"op%5B{name}%5D=%21%2A"), body)

    redmine.answer = answer  # type: ignore[method-assign]
    return lambda method, path: None


def test_issues_that_were_not_read_are_not_counted() -> None:
    """How many issues no manifest declares is only told if all were read."""
    few, many = (Canned(), shop())
    few.add("projects", identifier="shop", name="Shop")
    for n in range(3):
        few.add("issues", project="shop", subject=f"issue number {n}")
    assert [len(counted(redmine).objects) for redmine in (few, many)] == [2, 0]


def counted(redmine: Canned) -> Unmanaged:
    """What a plan of one issue says of those that no manifest declares."""

    async def look(client: Client) -> Unmanaged:
        wanted = offline(named(1))
        state = await read_state(client, wanted)
        return unmanaged(wanted, state.names, (), listed=False, complete=True)

    with reached(redmine):
        return call(redmine, look, url=redmine.url)


def test_a_filter_that_does_not_work_is_not_believed() -> None:
    """If the look-up does not show the issue that is known to be there, the whole list is read."""
    redmine = shop()
    without("subject", redmine)
    assert plan_of(redmine, named(3, 500)).changes == ()
    assert len(asked(redmine)) >= MANY / 99


def test_what_is_created_among_many_is_looked_for_among_the_newest_only() -> None:
    """Before the POST, only what is newer than the plan is read."""
    redmine = shop()
    report = apply_to(redmine, named(3, 2000))
    assert report.summary["done"] == 1
    assert len(asked(redmine)) <= 9
