"""Notes of issues: changed, published and deleted from the manifests, and never written twice."""

from __future__ import annotations

import pytest
from canned import Canned
from engine import apply_to, offline, plan_of, problems_of
from limited import Limited

from reconciler.kinds.issues.note_pairs import paired, unwanted
from reconciler.plan.operations import FieldChange
from reconciler.render import words


def redmine(*notes: str, **more: object) -> Canned:
    """A server with one issue and these notes of the administrator; `private` are the texts of the private ones."""
    server = Canned()
    server.add("projects", identifier="shop")
    server.add("issues", project="shop", subject="s", journals=journals(1, *notes, **more))
    return server


def journals(user: int, *notes: str, private: object = ()) -> list[dict[str, object]]:
    """Notes of an account as the API shows them."""
    hidden = private if isinstance(private, tuple) else ()
    common = {"user": {"id": user, "name": "Somebody"}, "details": []}
    return [
        {"id": n, "notes": text, "private_notes": text in hidden, **common} for n, text in enumerate(notes, start=1)
    ]


def shop(notes: str) -> str:
    """A manifest of the issue with these notes."""
    return f"projects: [{{identifier: shop, name: shop, issues: [{{subject: s, notes: {notes}}}]}}]"


def texts(server: Canned) -> list[str]:
    """The notes that the server has, a private one with an exclamation mark."""
    entries = server.row("issues", "s")["journals"]
    return [entry["notes"] + "!" * entry["private_notes"] for entry in entries if entry["notes"]]


def writes(server: Canned) -> list[str]:
    """What was sent, in short."""
    return [f"{method} {path}" for method, path in server.seen if method != "GET"]


CHANGES = {
    "a text": (("old", "other"), "[{text: new, changed_from: old}]", ["new", "other"]),
    "a text with the line break of YAML": (("old",), '[{text: "new", changed_from: "old\\n"}]', ["new"]),
    "one of two equal texts": (("old", "old"), "[{text: new, changed_from: old}]", ["new", "old"]),
    "a chain": (("a", "b"), "[{text: b, changed_from: a}, {text: c, changed_from: b}]", ["b", "c"]),
    "a text that becomes private": (("old",), "[{text: new, changed_from: old, private: true}]", ["new!"]),
    "a note by its author": (("old",), "[{text: new, changed_from: old, author: admin}]", ["new"]),
    "a deletion": (("old", "other"), "[{text: old, state: absent}]", ["other"]),
    "a deletion of all that are equal": (("old", "old"), "[{text: old, state: absent}]", []),
    "a change and a deletion of the rest": (
        ("old", "old"),
        "[{text: new, changed_from: old}, {text: old, state: absent}]",
        ["new"],
    ),
}
"""Case → live notes, declared notes, and the notes after it; each is a change of what is there."""


@pytest.mark.parametrize(("live", "notes", "after"), CHANGES.values(), ids=CHANGES)
def test_a_note_is_changed_in_place(live: tuple[str, ...], notes: str, after: list[str]) -> None:
    """What is declared is so after one apply, no note is added, and the next plan is empty."""
    server = redmine(*live)
    report = apply_to(server, shop(notes))
    assert [result.outcome for result in report.results] == ["done"]
    assert texts(server) == after
    assert all(write.startswith("PUT /journals/") for write in writes(server))
    assert plan_of(server, shop(notes)).changes == ()


ADDITIONS = {
    "neither text is there": ((), "[{text: new, changed_from: old}]", ["new"]),
    "the earlier text is declared too": (("old",), "[old, {text: new, changed_from: old}]", ["old", "new"]),
}


@pytest.mark.parametrize(("live", "notes", "after"), ADDITIONS.values(), ids=ADDITIONS)
def test_a_note_without_an_earlier_one_is_added(live: tuple[str, ...], notes: str, after: list[str]) -> None:
    """Like an object with `renamed_from` that is not there under either name."""
    server = redmine(*live)
    assert [result.outcome for result in apply_to(server, shop(notes)).results] == ["done"]
    assert texts(server) == after
    assert writes(server) == ["PUT /issues/1.json"]


def test_a_note_of_somebody_else_is_not_changed() -> None:
    """With an author, only a note of that author counts: another one is added."""
    server = redmine("old")
    server.add("users", login="amy", firstname="A", lastname="B", mail="a@example.net", status=1)
    (change,) = plan_of(server, shop("[{text: new, changed_from: old, author: amy}]")).changes
    assert [(f.before, f.after) for f in change.fields] == [([], [{"text": "new", "author": "amy"}])]


@pytest.mark.parametrize(
    ("live", "notes"),
    [
        (("new",), "[{text: new, changed_from: old}]"),
        (("old", "new"), "[{text: new, changed_from: old}]"),
        (("b", "c"), "[{text: b, changed_from: a}, {text: c, changed_from: b}]"),
        ((), "[{text: old, state: absent}]"),
        (("OLD",), "[{text: old, state: absent}]"),
    ],
)
def test_a_change_that_is_made_already_is_no_change(live: tuple[str, ...], notes: str) -> None:
    """It is never made twice, and never undone."""
    assert plan_of(redmine(*live), shop(notes)).changes == ()


def test_a_new_issue_gets_the_new_texts_only() -> None:
    """There is nothing to change or to delete."""
    server = Canned()
    server.add("projects", identifier="shop")
    notes = shop("[{text: new, changed_from: old}, {text: gone, state: absent}]")
    (change,) = plan_of(server, notes).changes
    assert [f.after for f in change.all_fields if f.path == "notes"] == [[{"text": "new"}]]
    apply_to(server, notes)
    assert texts(server) == ["new"]


def test_a_private_note_is_published_only_if_the_manifest_says_so() -> None:
    """`private: false` makes it public; without it, it stays as it is."""
    server = redmine("old", private=("old",))
    assert plan_of(server, shop("[old]")).changes == ()
    (change,) = plan_of(server, shop("[{text: old, private: false}]")).changes
    assert [(f.before, f.after) for f in change.fields] == [
        ([{"text": "old", "private": True}], [{"text": "old", "private": False}])
    ]
    apply_to(server, shop("[{text: old, private: false}]"))
    assert texts(server) == ["old"]


def test_changes_of_fields_beside_a_deleted_note_stay() -> None:
    """Redmine keeps them in the same journal."""
    server = redmine("old")
    server.row("issues", "s")["journals"][0]["details"] = [{"property": "attr", "name": "done_ratio"}]
    apply_to(server, shop("[{text: old, state: absent}]"))
    assert [entry["notes"] for entry in server.row("issues", "s")["journals"]] == [""]


def test_a_note_that_is_deleted_meanwhile_is_deleted() -> None:
    """A 404 says that there is nothing to delete any more; 5.0 answers so to a request that is repeated."""
    server = redmine("old")

    def deleted(method: str, path: str) -> None:
        if method == "PUT":
            server.row("issues", "s")["journals"] = []

    server.before = deleted
    assert [r.outcome for r in apply_to(server, shop("[{text: old, state: absent}]")).results] == ["done"]


def test_a_note_that_is_deleted_before_it_is_changed_is_a_failure() -> None:
    """Nothing is added in its place; the next apply adds it."""
    server = redmine("old")

    def deleted(method: str, path: str) -> None:
        if method == "PUT":
            server.row("issues", "s")["journals"] = []

    server.before = deleted
    (result,) = apply_to(server, shop("[{text: new, changed_from: old}]")).results
    assert (result.outcome, texts(server)) == ("failed", [])


# -- what is wrong without a server ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ("{text: a, changed_from: [b]}", "expected a string or {text: …"),
        ('{text: a, changed_from: " "}', "changed_from: expected the earlier text of the note"),
        ("{text: a, was: b}", "expected a string or {text: …"),
        ("{text: a, state: gone}", "expected state present or absent"),
        ("{text: a, state: absent, private: true}", "a note with `state: absent` has only a text and an author"),
        ("{state: absent}", "expected a string or {text: …"),
    ],
)
def test_an_invalid_note_is_a_problem(note: str, said: str) -> None:
    """It is told without a server, with the forms that there are."""
    (problem,) = offline(shop(f"[{note}]")).problems
    assert said in problem.message


def test_a_note_cannot_be_present_and_absent() -> None:
    """It would be added and deleted in turn; of different authors there can be both."""
    (problem,) = offline(shop("[old, {text: old, state: absent}]")).problems
    assert 'the note "old" is declared present and absent' in problem.message
    assert offline(shop("[{text: old, author: amy}, {text: old, author: bob, state: absent}]")).problems == ()


# -- accounts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("note", ["{text: new, changed_from: old}", "{text: old, state: absent}"])
def test_what_the_account_may_not_edit_is_a_problem(note: str) -> None:
    """Redmine answers 403. The own notes take another permission than those of others."""
    for own, needed in ((True, "edit_own_issue_notes"), (False, "edit_issue_notes")):
        account = Limited(permissions=["view_issues", "edit_own_issue_notes"] if not own else ["view_issues"])
        account.add("issues", project="shop", subject="s", journals=journals(account.amy if own else 1, "old"))
        (problem,) = problems_of(account, shop(f"[{note}]"))
        assert problem.message == f"notes: this account may not edit {'its notes' if own else 'the notes of others'}"
        account.role["permissions"].append(needed)
        assert problems_of(account, shop(f"[{note}]")) == ()


def test_a_private_note_that_the_account_may_not_publish_is_a_problem() -> None:
    """Redmine answers 204, and it stays private."""
    account = Limited(permissions=["view_issues", "view_private_notes", "edit_issue_notes"])
    account.add("issues", project="shop", subject="s", journals=journals(1, "old", private=("old",)))
    (problem,) = problems_of(account, shop("[{text: old, private: false}]"))
    assert problem.message == "notes: this account may not make private notes public"


# -- pairs and words -------------------------------------------------------------------------------------------


def test_each_live_note_counts_once() -> None:
    """There are as many pairs as there can be, first of equal texts."""
    live = [{"text": t, "author": "a", "private": False} for t in ("a", "b", "b")]
    wanted = [{"text": "c", "changed_from": "b"}, {"text": "b", "changed_from": "a"}, {"text": "b"}]
    assert [held["text"] for _, held in paired(wanted, live) if held] == ["b", "a", "b"]
    assert unwanted([*wanted, {"text": "a", "state": "absent"}], live) == []


def test_a_changed_note_is_shown_as_a_diff() -> None:
    """A text of several lines line by line; what is deleted, changed and new in the order of the manifest."""
    before = [{"text": "one\ntwo\n"}, {"text": "short"}, {"text": "kept"}, {"text": "gone"}]
    after = [
        {"text": "one\nthree\n", "changed_from": "one\ntwo\n"},
        {"text": "longer", "changed_from": "short"},
        {"text": "kept"},
        {"text": "added", "private": True},
        {"text": "gone", "state": "absent"},
    ]
    assert words.field(FieldChange("notes", before, after, None), new=False).lines == (
        "@@ -1,2 +1,2 @@",
        " one",
        "-two",
        "+three",
        "-text short",
        "+text longer",
        "+{text: added, private: true}",
        "-text gone",
        " … 1 unchanged",
    )


def test_a_long_chain_of_changes_is_no_recursion() -> None:
    """Thousands of notes of which each becomes the next one: the live ones are found for all of them."""
    count = 3000
    live = [{"text": str(n), "author": "amy", "private": False} for n in range(count)]
    wanted = [{"text": str(n + 1), "changed_from": str(n)} for n in range(count)]
    assert [held["text"] for _, held in paired(wanted, live) if held] == [note["changed_from"] for note in wanted]
