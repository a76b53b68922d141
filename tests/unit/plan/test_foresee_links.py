"""Relations and parents that Redmine refuses are problems of the plan; what a setting decides is a warning."""

from __future__ import annotations

import pytest
from canned import Canned
from engine import plan_of, problems_of


def shop(*others: str) -> Canned:
    """A server with the project `shop`, and others."""
    redmine = Canned()
    for identifier in ("shop", *others):
        redmine.add("projects", identifier=identifier)
    return redmine


def issues(*texts: str, project: str = "shop") -> str:
    """A manifest of issues, one a line."""
    return "issues:\n" + "\n".join(f"  - {{project: {project}, {text}}}" for text in texts)


def related(redmine: Canned, first: str, kind: str, second: str) -> None:
    """Add a live relation."""
    rows = [redmine.row("issues", name) for name in (first, second)]
    relation = {"id": 1, "issue_id": rows[0]["id"], "issue_to_id": rows[1]["id"], "relation_type": kind, "delay": None}
    for row in rows:
        redmine.set(row, "issues", relations=[*row["relations"], relation])


@pytest.mark.parametrize("kind", ["precedes", "blocks"])
def test_a_circle(kind: str) -> None:
    """A circle of relations is one problem, at the first of its issues, however long it is."""
    texts = [f"subject: {a}, relations: [{{{kind}: {b}}}]" for a, b in ("ab", "bc", "ca")]
    (problem,) = problems_of(shop(), issues(*texts))
    assert (problem.location.line, problem.subject) == (2, "issue shop/a")
    assert problem.message == (f"a circle of relations, which Redmine refuses: a {kind} b {kind} c {kind} a")
    assert not problems_of(shop(), issues(*texts[:2], "subject: c"))


def test_two_relations_of_two_issues() -> None:
    """Two issues that contradict each other are not told of a circle as well."""
    texts = [f"subject: {a}, relations: [{{blocks: {b}}}]" for a, b in ("ab", "ba")]
    assert [p.message.partition(" declares")[0] for p in problems_of(shop(), issues(*texts))] == [
        "relations: issue shop/b",
        "relations: issue shop/a",
    ]


def test_a_circle_with_a_live_relation() -> None:
    """A relation that is live, and stays, counts; one that the manifests remove does not."""
    redmine = shop()
    for subject in ("a", "b"):
        redmine.add("issues", project="shop", subject=subject)
    related(redmine, "a", "blocks", "b")
    new = "subject: c, relations: [{blocked: b}, {blocks: a}]"
    (problem,) = problems_of(redmine, issues("subject: a", "subject: b", new))
    assert problem.message.endswith("a blocks b blocks c blocks a")
    assert not problems_of(redmine, issues("subject: a, relations: [{blocked: c}]", "subject: b", new))


def test_duplicates_may_be_a_circle() -> None:
    """Redmine minds circles of two types only."""
    texts = [f"subject: {a}, relations: [{{duplicates: {b}}}]" for a, b in ("ab", "bc", "ca")]
    assert not problems_of(shop(), issues(*texts))


def test_a_relation_to_another_project_is_a_warning() -> None:
    """Whether that is allowed is a setting, which a live relation between two projects shows."""
    redmine = shop("other")
    text = issues("subject: a, relations: [{relates: {project: other, key: b}}]") + "\n  - {project: other, subject: b}"
    (warned,) = plan_of(redmine, text).warnings
    assert "other/b is in another project: refused unless" in warned.message
    for project in ("shop", "other"):
        redmine.add("issues", project=project, subject=f"old {project}")
    related(redmine, "old shop", "relates", "old other")
    assert plan_of(redmine, text).warnings == ()


def test_a_parent_in_another_tree_is_a_warning() -> None:
    """Subtasks of other projects are refused by default, unless both are in the same tree of projects."""
    redmine = shop("other")
    text = issues("subject: a, parent: {project: other, key: b}") + "\n  - {project: other, subject: b}"
    (warned,) = plan_of(redmine, text).warnings
    assert "other/b is in a project of another tree" in warned.message
    redmine.set(redmine.row("projects", "other"), "projects", parent="shop")
    assert plan_of(redmine, text).warnings == ()


CLOSED = "subject: top, status: Closed"


@pytest.mark.parametrize(
    ("child", "fits"),
    [
        ("status: New", False),
        ("tracker: Bug", False),
        ("status: Closed", True),
        ("status: Rejected", True),
        ("done_ratio: 10", False),
    ],
)
def test_a_closed_issue_above_open_ones(child: str, fits: bool) -> None:
    """Redmine closes no issue above one that stays open."""
    problems = problems_of(shop(), issues(CLOSED, f"subject: sub, parent: top, {child}"))
    said = ["Redmine leaves it open, as its subtasks stay open: sub"]
    assert [p.message for p in problems] == ([] if fits else said)


def test_an_open_subtask_that_goes_is_none() -> None:
    """A live subtask that is deleted, moved away or closed by the same manifests does not count."""
    redmine = shop()
    top = redmine.add("issues", project="shop", subject="top")
    redmine.add("issues", project="shop", subject="sub", parent=top)
    assert len(problems_of(redmine, issues(CLOSED))) == 1
    for text in ("state: absent", "parent: null", "status: Closed"):
        assert not problems_of(redmine, issues(CLOSED, f"subject: sub, {text}"))


def test_an_issue_behind_an_open_one() -> None:
    """Redmine closes no issue that an open one blocks."""
    texts = ("subject: a, status: Closed, relations: [{blocked: b}]", "subject: b, tracker: Bug")
    (problem,) = problems_of(shop(), issues(*texts))
    assert problem.message == "Redmine leaves it open, as open issues block it: b"
    assert not problems_of(shop(), issues(texts[0], "subject: b, status: Closed"))


def test_an_open_issue_below_a_closed_one() -> None:
    """A closed parent that stays closed takes no open subtask."""
    redmine = shop()
    redmine.add("issues", project="shop", subject="top", status="Closed")
    (problem,) = problems_of(redmine, issues("subject: top", "subject: sub, parent: top, status: New"))
    assert problem.message == "top is closed and takes no open subtasks"
    assert not problems_of(redmine, issues("subject: top", "subject: sub, parent: top, status: Closed"))
    assert not problems_of(redmine, issues("subject: top, status: New", "subject: sub, parent: top, status: New"))


MOVED = "  - {project: other, id: 1, subject: top}"
STAYING: dict[str, tuple[str, list[str]]] = {
    "a subtask": ("subject: mid", ["issue shop/mid"]),
    "one below a subtask that nobody declares": ("subject: low", ["issue shop/low"]),
    "one that is declared there too": ("project: other, id: 2, subject: mid", []),
    "one that leaves it": ("subject: mid, parent: null", []),
    "one that is in another project already": ("project: third, subject: far", []),
}


@pytest.mark.parametrize("case", STAYING)
def test_a_subtask_that_moves_along(case: str) -> None:
    """Redmine moves subtasks in the same project with their parent: one that is declared to stay would be created once
    more by the next run."""
    redmine = shop("other", "third")
    top = redmine.add("issues", project="shop", subject="top")
    middle = redmine.add("issues", project="shop", subject="mid", parent=top)
    redmine.add("issues", project="shop", subject="low", parent=middle)
    redmine.add("issues", project="third", subject="far", parent=top)
    text, expected = STAYING[case]
    declared = text if text.startswith("project") else f"project: shop, {text}"
    found = problems_of(redmine, f"issues:\n{MOVED}\n  - {{{declared}}}")
    assert [problem.subject for problem in found] == expected
    for problem in found:
        assert problem.message == "other/top above it moves to that project, and Redmine takes its subtasks along"
        assert (problem.location.line, problem.hint) == (3, 'declare it in project "other" too, or without a parent')


TURNED = {
    "precedes": ("follows", "start_date: 2026-12-20, due_date: 2026-12-30", "start_date: 2026-12-01"),
    "blocks": ("blocked", "status: Closed", "status: Closed"),
}


@pytest.mark.parametrize("was", TURNED)
@pytest.mark.parametrize("both", [True, False], ids=["both declare", "one declares"])
def test_a_relation_that_is_turned_round(was: str, both: bool) -> None:
    """The live relation goes, so that it is no circle together with the new one, whatever else changes: the issue that
    ends it comes first."""
    becomes, first, second = TURNED[was]
    redmine = shop()
    for subject in ("a", "b"):
        redmine.add("issues", project="shop", subject=subject, start_date="2026-12-10", due_date="2026-12-10")
    related(redmine, "a", was, "b")
    declared = f"subject: a, relations: [{{{becomes}: b}}], {first}", f"subject: b, {'relations: [], ' * both}{second}"
    plan = plan_of(redmine, issues(*declared))
    assert [change.address.own_name for change in plan.changes] == (["b", "a"] if both else ["a", "b"])
