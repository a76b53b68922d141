"""What goes with an issue by requests of its own: relations, watchers, notes; lost answers, disturbance, explanations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from engine import apply_to, offline, plan_of, problems_of, rows, via
from promises import Api, permit, raw_shop, raw_user, setting
from proxy import DROPPED, REFUSED, Exchange, Fault, Proxy

from reconciler.apply.report import Report
from reconciler.sandbox import Running

BASE = """
users: [{login: amy, firstname: Amy, lastname: Able, mail: amy@example.net}]
projects: [{identifier: shop, name: Shop, members: [{user: amy, roles: [Manager]}]}]
issues: [{project: shop, subject: other}, {project: shop, subject: a%s}]
"""


def shown(world: Running, subject: str) -> Any:
    """An issue with all that goes with it."""
    (row,) = rows(world, f"/issues.json?subject={subject}&status_id=*", "issues")
    return rows(world, f"/issues/{row['id']}.json?include=watchers,relations,journals", "issue")


def notes(world: Running) -> list[str]:
    """The notes of the issue `a`, in order."""
    return [journal["notes"] for journal in shown(world, "a")["journals"] if journal["notes"]]


def failures(report: Report) -> dict[str, tuple[str, ...]]:
    """The errors of what is not done."""
    return {str(r.change.address): tuple(map(str, r.errors)) for r in report.results if r.outcome != "done"}


LINKS = ", notes: [one, two], relations: [{blocks: other}], watchers: [amy]"


@pytest.mark.parametrize("fault", [DROPPED, REFUSED], ids=["after", "before"])
@pytest.mark.parametrize("which", ["notes", "relations", "watchers"])
def test_a_lost_answer_makes_nothing_twice_and_loses_nothing(world: Running, which: str, fault: Fault) -> None:
    """Notes, relations and watchers are there once, whether the connection broke before or after the server acted."""
    apply_to(world, BASE % "")
    broken: list[int] = []

    def lose(exchange: Exchange) -> Fault | None:
        named = which in exchange.path or (which == "notes" and b'"notes"' in exchange.body)
        if exchange.method == "GET" or not named or broken:
            return None
        broken.append(exchange.number)
        return fault

    with Proxy(world.url, lose) as proxy:
        report = apply_to(via(world, proxy), BASE % LINKS)
    assert broken
    assert failures(report) == {}
    issue = shown(world, "a")
    assert sorted(notes(world)) == ["one", "two"]
    assert len(issue["relations"]) == 1
    assert [watcher["name"] for watcher in issue["watchers"]] == ["Amy Able"]
    assert plan_of(world, BASE % LINKS).changes == ()


def test_trap_35_who_writes_becomes_a_watcher(world: Running) -> None:
    """Redmine makes the account that writes to an issue its watcher. Where watchers are declared, it is none afterwards;
    where they are not, nothing is said about them."""
    setting(world, "default_users_no_self_notified", "0")
    me = rows(world, "/users/current.json", "user")["id"]
    apply_to(world, BASE % "")
    api = Api(world)
    number = shown(world, "a")["id"]
    api.change(f"/issues/{number}", notes="raw")
    assert [w["id"] for w in shown(world, "a")["watchers"]] == [me]
    with api:
        text = BASE % ", watchers: [amy], description: new, notes: [said]"
        assert failures(apply_to(world, text)) == {}
        assert [w["name"] for w in shown(world, "a")["watchers"]] == ["Amy Able"]
        with Proxy(world.url) as proxy:
            assert apply_to(via(world, proxy), text).plan.changes == ()
            text = text.replace("description: new", "description: newer")
            assert failures(apply_to(via(world, proxy), text)) == {}
            assert apply_to(via(world, proxy), text).plan.changes == ()


@pytest.mark.parametrize("role", ["Manager", "Reporter"])
def test_watchers_of_somebody_elses_issue(world: Running, role: str) -> None:
    """Redmine drops the watchers of an author who may not add any, and takes none afterwards who cannot see the issue: they
    are sent with the issue and after it."""
    watcher = "amy" if role == "Reporter" else "zoe"
    text = f"""
      users:
        - {{login: amy, firstname: Amy, lastname: Able, mail: amy@example.net}}
        - {{login: zoe, firstname: Zoe, lastname: Zed, mail: zoe@example.net}}
        - {{login: bob, firstname: Bob, lastname: Bold, mail: bob@example.net, status: locked}}
      projects:
        - identifier: shop
          name: Shop
          is_public: false
          members: [{{user: bob, roles: [{role}]}}, {{user: amy, roles: [Developer]}}]
          issues: [{{subject: a, author: bob, watchers: [{watcher}]}}]
    """
    assert failures(apply_to(world, text)) == {}
    assert plan_of(world, text).changes == ()
    names = {"amy": "Amy Able", "zoe": "Zoe Zed"}
    assert [w["name"] for w in shown(world, "a")["watchers"]] == [names[watcher]]


@pytest.mark.custom_fields("Bugs only")
def test_what_a_write_disturbs_is_put_right(world: Running) -> None:
    """A tracker without a field takes its value away; when the field is declared and the tracker has it again, it stays."""
    api = Api(world)
    with api:
        raw_shop(api)
    base = "projects: [{identifier: shop, name: Shop}]\nissues: [{project: shop, subject: a, %s}]"
    with_value = base % "tracker: Bug, custom_fields: {Bugs only: x}"
    assert failures(apply_to(world, with_value)) == {}
    report = apply_to(world, base % "tracker: Feature")
    (change,) = report.plan.changes
    assert change.reason == 'tracker "Feature" deletes custom field Bugs only'
    assert failures(apply_to(world, with_value)) == {}
    assert plan_of(world, with_value).changes == ()


def test_derived_fields_are_explained_where_they_stand(world: Running) -> None:
    """What Redmine computes for an issue with subtasks is a failure when it did not stick, and then no change again and
    again, but a warning at the field's place."""
    text = """
      projects: [{identifier: shop, name: Shop}]
      issues:
        - {project: shop, subject: top, priority: %s}
        - {project: shop, subject: leaf, parent: top, priority: Low}
    """
    ((error,),) = failures(apply_to(world, text % "High")).values()
    assert error.startswith('priority: the server accepted "High" but has "Low" (Redmine computes it from the subtasks')
    said = "priority: Redmine computes it from the subtasks"
    plan = plan_of(world, text % "High")
    assert plan.changes == ()
    (warning,) = plan.warnings
    assert said in warning.message
    assert warning.message.endswith('live is "Low", declared is "High"')
    assert warning.source.line == 4
    assert plan_of(world, text % "Low").warnings == ()


def test_independent_parents_have_values_of_their_own(world: Running) -> None:
    """Where the server's settings leave parents their own values, these are written like any other."""
    for name in ("parent_issue_priority", "parent_issue_dates", "parent_issue_done_ratio"):
        setting(world, name, "independent")
    text = """
      projects: [{identifier: shop, name: Shop}]
      issues:
        - {project: shop, subject: top, priority: %s, start_date: 2030-01-0%d, done_ratio: %d}
        - {project: shop, subject: leaf, parent: top, priority: Low, start_date: 2030-02-01}
    """
    for values in (("High", 1, 10), ("Normal", 2, 20)):
        report = apply_to(world, text % values)
        assert failures(report) == {}
        assert [note for r in report.results for note in r.notes] == []
        plan = plan_of(world, text % values)
        assert (plan.changes, plan.warnings) == ((), ())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("relations: [{blocks: nobody}]", 'no issue "nobody" is declared'),
        ("relations: [{blocks: a}]", "an issue cannot be related to itself"),
        ("relations: [{blocks: other}, {relates: other}]", "several relations with other"),
        ("relations: [{likes: other}]", "expected {TYPE: KEY}"),
        ("relations: [{blocks: other, delay: 2}]", "expected {TYPE: KEY}"),
        ("relations: [{precedes: other, delay: soon}]", "delay: expected a whole number of days"),
        ("relations: blocks", "expected a list"),
        ("watchers: [ami]", 'there is no user or group "ami"'),
        ("author: ami", 'there is no user "ami"'),
        ("notes: [{text: x, author: ami}]", 'there is no user "ami"'),
        ("notes: [{text: x, author: amy, private: true}]", "Redmine may publish a private note that has an author"),
        ("notes: [none]", 'Redmine does not store the note "none"'),
        (
            "notes: [{note: x}]",
            "expected a string or {text: …, author: LOGIN, private: true, changed_from: …, state: absent}",
        ),
        ("notes: null", "notes cannot be cleared"),
        ("attachments: [note.txt]", "{file: PATH, filename: …, description: …} or"),
        ("attachments: [{file: a.txt, filename: ..}]", '".." cannot be the name of a file'),
        ("attachments: null", "attachments cannot be cleared"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(world: Running, more: str, said: str) -> None:
    """Names and forms in relations, watchers, notes and attachments are checked first."""
    text = BASE % f", {more}"
    found = offline(text).problems or problems_of(world, text)
    assert [p.message for p in found if said in p.message], found


def test_two_issues_may_not_contradict_each_other(world: Running) -> None:
    """A relation that its two issues declare differently is a problem that names both."""
    text = """
      projects: [{identifier: shop, name: Shop}]
      issues:
        - {project: shop, subject: a, relations: [{blocks: b}]}
        - {project: shop, subject: b, relations: [{relates: a}]}
    """
    assert any("issue shop/b declares another relation with it: relates" in p.message for p in problems_of(world, text))


def test_the_two_sides_of_a_relation_have_one_delay(world: Running) -> None:
    """Two delays for one relation are a problem; the same one on both sides is fine."""
    text = """
      projects: [{identifier: shop, name: Shop}]
      issues:
        - {project: shop, subject: a, relations: [{precedes: b, delay: 2}]}
        - {project: shop, subject: b, relations: [{follows: a, delay: %d}]}
    """
    assert any("with a delay of" in problem.message for problem in problems_of(world, text % 4))
    assert problems_of(world, text % 2) == ()


def test_an_issue_and_its_subtask_cannot_be_related(world: Running) -> None:
    """A relation along the tree of parents, which Redmine would refuse, is a problem before anything is written."""
    text = """
      projects: [{identifier: shop, name: Shop}]
      issues:
        - {project: shop, subject: a, relations: [{relates: c}]}
        - {project: shop, subject: b, parent: a}
        - {project: shop, subject: c, parent: b}
    """
    assert any("an issue and its subtask" in problem.message for problem in problems_of(world, text))


def test_only_an_administrator_writes_for_others(world: Running) -> None:
    """Without an administrator's key Redmine would ignore who an issue or a note is from: nothing is written."""
    with Api(world) as api:
        raw_shop(api)
        user, bob = raw_user(api), raw_user(api, "bob")
        api.make("/projects/shop/memberships", user_id=bob, role_ids=[5])
        permit(world, "view_issues", "add_issues", "add_issue_notes")
        key = api.get(f"/users/{user}")["api_key"]
    text = "issues: [{project: shop, subject: a, author: amy, notes: [{text: x, author: amy}]}]"
    problems = problems_of(replace(world, api_key=key), text.replace("amy", "admin"))
    assert all('cannot tell whether there is a user "admin"' in problem.message for problem in problems)
    assert len(problems) == 2
    text = "issues: [{project: shop, subject: a, author: bob, notes: [{text: x, author: bob}]}]"
    problems = problems_of(replace(world, api_key=key), text)
    assert [problem.message for problem in problems] == [
        "author: only administrators can write as another user",
        "notes: only administrators can write as another user",
    ]
