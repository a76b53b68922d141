"""Watchers of wiki pages and news: what only the program inside Redmine reads and writes of objects of the API."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from canned import Canned
from catalog import Counting, MemorySession
from click.testing import CliRunner, Result
from engine import apply_to, offline, plan_of, problems_of

from reconciler.apply.report import Report
from reconciler.cli import main
from reconciler.errors import AnswerLost, CatalogError
from reconciler.plan.operations import ByProgram, OperationId

PEOPLE = """
users:
  - {login: amy, firstname: Amy, lastname: Able, mail: amy@example.net}
  - {login: bob, firstname: Bob, lastname: Bee, mail: bob@example.net}
groups: [{name: Support}]
"""
SHOP = "projects: [{identifier: shop, name: Shop, enabled_modules: [wiki, news], members: [{user: amy, roles: [Manager]}]}]"
PAGES = """
wiki_pages: [{project: shop, title: Handbook, text: Hi, watchers: [amy, {group: Support}]}]
news: [{project: shop, title: Out, description: It is out, watchers: [bob]}]
"""
ALL = f"{PEOPLE}\n{SHOP}\n{PAGES}"
ALONE = "wiki_pages: [{project: shop, title: Handbook, watchers: [amy, {group: Support}]}]"


def run(*args: str, manifest: str = ALL) -> Result:
    """One command."""
    Path("a.yaml").write_text(manifest)
    result = CliRunner().invoke(main, args)
    assert "Internal error" not in result.output
    return result


def outcomes(report: Report) -> dict[str, str]:
    """The outcome of each object."""
    return {str(result.change.address): result.outcome for result in report.results}


def made(program: Counting) -> Counting:
    """A Redmine with all of it, and no calls yet."""
    assert set(outcomes(apply_to(program.redmine, ALL, catalog=program)).values()) == {"done"}
    program.counts.clear()
    program.asked.clear()
    program.items.clear()
    return program


# -- with the program ------------------------------------------------------------------------------------------


def test_what_is_declared_is_written_and_a_second_plan_is_empty(canned: Canned, program: Counting) -> None:
    """Pages and news that the same plan creates get their watchers, users and groups, in one call."""
    assert set(outcomes(apply_to(canned, ALL, catalog=program)).values()) == {"done"}
    assert program.counts == ["write"]
    assert program.watching("wiki_page", "Handbook") == {"amy", "Support"}
    assert program.watching("news", "Out") == {"bob"}
    assert not plan_of(canned, ALL, catalog=program).changes
    assert program.counts == ["write", "read"] and program.asked == [{"shop"}]


def test_the_write_is_an_operation_of_its_own(canned: Canned) -> None:
    """After the page, the watchers that the plan creates, and the members of the project."""
    changes = {str(c.address): c for c in plan_of(canned, ALL, catalog=MemorySession(canned)).changes}
    page = changes["wiki_page shop/Handbook"]
    create, watch = page.operations
    assert [f.path for f in create.fields] == ["title", "text"]
    assert isinstance(watch, ByProgram) and [f.path for f in watch.fields] == ["watchers"]
    people = {OperationId(changes[name].address) for name in ("user amy", "group Support")}
    assert {create.id} | people == set(watch.requires)
    assert "membership" in {one.kind for one in watch.after if not isinstance(one, OperationId)}
    assert not people & set(create.predecessors)


def test_who_watches_and_who_does_not_any_more(program: Counting) -> None:
    """Somebody has unwatched, somebody else watches: the plan shows both, and one call puts it right."""
    made(program).watch("wiki_page", "Handbook", "bob", "Support")
    (change,) = plan_of(program.redmine, ALL, catalog=program).changes
    (field,) = change.all_fields
    assert (field.path, field.before, field.after) == (
        "watchers", ["bob", {"group": "Support"}], ["amy", {"group": "Support"}]
    )  # fmt: skip
    assert [type(one) for one in change.operations] == [ByProgram]
    sent = len(program.redmine.seen)
    assert outcomes(apply_to(program.redmine, ALL, catalog=program)) == {"wiki_page shop/Handbook": "done"}
    assert program.watching("wiki_page", "Handbook") == {"amy", "Support"}
    assert {method for method, _ in program.redmine.seen[sent:]} == {"GET"}


@pytest.mark.parametrize("nobody", ["[]", "null"])
def test_nobody(program: Counting, nobody: str) -> None:
    """An empty list and null are nobody; what is not declared is not compared."""
    made(program)
    text = (
        f"wiki_pages: [{{project: shop, title: Handbook, watchers: {nobody}}}]\nnews: [{{project: shop, title: Out}}]"
    )
    assert outcomes(apply_to(program.redmine, text, catalog=program)) == {"wiki_page shop/Handbook": "done"}
    assert program.watching("wiki_page", "Handbook") == set() and program.watching("news", "Out") == {"bob"}
    assert not plan_of(program.redmine, text, catalog=program).changes


def test_only_on_create(program: Counting) -> None:
    """With `create_only`, watchers are set for a new page, and left to people afterwards."""
    text = ALL.replace("text: Hi, ", "text: Hi, create_only: [watchers], ")
    apply_to(program.redmine, text, catalog=program)
    assert program.watching("wiki_page", "Handbook") == {"amy", "Support"}
    program.watch("wiki_page", "Handbook", "bob")
    assert not plan_of(program.redmine, text, catalog=program).changes


def test_a_page_that_is_renamed_and_changed_keeps_its_watchers(program: Counting) -> None:
    """The program is told the new title, after the API has renamed the page."""
    made(program)
    text = "wiki_pages: [{project: shop, title: Guide, renamed_from: Handbook, text: Hello, watchers: [bob]}]"
    page = next(row for row in program.redmine.rows("wiki_pages"))
    number = f"{page['inside']}/{page['title']}"
    assert number == "shop/Handbook"
    (change,) = plan_of(program.redmine, text, catalog=program).changes
    first, second = change.operations
    assert {f.path for f in first.fields} == {"title", "text"} and {f.path for f in second.fields} == {"watchers"}


def test_manifests_without_watchers_start_no_program(program: Counting) -> None:
    """Nor do new pages: there is nothing to compare yet."""
    text = f"{PEOPLE}\n{SHOP}\nwiki_pages: [{{project: shop, title: Handbook, text: Hi}}]"
    assert run("apply", "--yes", manifest=text).exit_code == 0
    assert run("plan", "--detailed-exitcode", manifest=text).exit_code == 0
    assert program.counts == []
    assert run("plan", manifest=ALL).exit_code == 0
    assert program.counts == ["read", "check"]


def test_one_read_has_the_catalog_too(program: Counting) -> None:
    """What the program is asked for anyway and the watchers are one call."""
    made(program)
    assert not plan_of(program.redmine, f"{ALL}\nissue_statuses: [{{name: New}}]", catalog=program).changes
    assert program.counts == ["read"] and program.asked == [{"shop"}]


def test_what_the_program_refuses_is_a_problem_at_its_field(canned: Canned, program: Counting) -> None:
    """At plan time, for a page that is there; nothing is written."""
    canned.add("projects", identifier="shop", enabled_modules=["wiki"])
    canned.add("users", login="amy")
    canned.add("wiki_pages", inside="shop", title="Handbook", text="Hi")
    program.refusals["Handbook"] = ("watchers", "amy may not see it")
    result = run("plan", manifest="wiki_pages: [{project: shop, title: Handbook, watchers: [amy]}]")
    assert result.exit_code == 3
    assert "! a.yaml:1:47  wiki_page shop/Handbook: amy may not see it" in result.stderr
    assert program.counts == ["read", "check"]


def test_a_saved_plan_is_applied(program: Counting) -> None:
    """And refused if somebody has unwatched since."""
    made(program).watch("wiki_page", "Handbook")
    assert run("plan", "--out", "p.plan").exit_code == 0
    program.watch("wiki_page", "Handbook", "bob")
    late = run("apply", "--yes", "--plan", "p.plan")
    assert late.exit_code == 5 and "wiki_page shop/Handbook changed: watchers" in late.stderr
    program.watch("wiki_page", "Handbook")
    assert run("apply", "--yes", "--plan", "p.plan").exit_code == 0
    assert program.watching("wiki_page", "Handbook") == {"amy", "Support"}


def test_a_user_is_deleted_after_the_watchers_are_set(program: Counting) -> None:
    """Whoever is deleted has been taken off the page before; the page is not touched through the API."""
    made(program).watch("wiki_page", "Handbook", "bob")
    text = "users: [{login: bob, state: absent}]\n" + ALONE
    plan = plan_of(program.redmine, text, catalog=program)
    order = [str(change.address) for change in plan.changes]
    assert order.index("wiki_page shop/Handbook") < order.index("user bob")
    assert set(outcomes(apply_to(program.redmine, text, catalog=program)).values()) == {"done"}
    assert program.watching("wiki_page", "Handbook") == {"amy", "Support"}


def test_a_user_that_cannot_be_created_fails_the_watchers_alone(canned: Canned, program: Counting) -> None:
    """The page is there; its report says what was not set, and why."""
    canned.refuse("POST", "/users.json") if hasattr(canned, "refuse") else None
    program.failure = CatalogError("catalog_command cannot be run.")
    report = apply_to(canned, ALL, catalog=program)
    said = {str(r.change.address): [str(e) for e in r.errors] for r in report.results if r.outcome == "failed"}
    assert said == {name: ["catalog_command cannot be run."] for name in ("wiki_page shop/Handbook", "news shop/Out")}
    assert [row["title"] for row in canned.rows("wiki_pages")] == ["Handbook"]


# -- a lost answer ---------------------------------------------------------------------------------------------

LOST = AnswerLost("catalog_command did not answer within 300 seconds", timed_out=True)


def test_what_was_written_is_not_sent_again(canned: Canned, program: Counting) -> None:
    """The answer is lost after the end of the transaction: who watches by then decides."""
    program.failure = LOST
    assert set(outcomes(apply_to(canned, ALL, catalog=program)).values()) == {"done"}
    assert program.counts == ["write", "read"] and len(program.items) == 2


def test_what_was_not_written_is_unknown(canned: Canned, program: Counting) -> None:
    """Nothing is there: the outcome is told as unknown, and nothing is sent again."""
    program.deaf = LOST
    report = outcomes(apply_to(canned, ALL, catalog=program))
    assert {name for name, outcome in report.items() if outcome == "unknown"} == {
        "wiki_page shop/Handbook", "news shop/Out"
    }  # fmt: skip
    assert program.counts == ["write", "read"]


def test_what_the_program_kept_otherwise_is_a_failure(
    canned: Canned, program: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read back: a write that has not done what it should is no success, and is not sent again."""
    monkeypatch.setattr(program, "_set_watchers", lambda item: 1)
    report = apply_to(canned, ALL, catalog=program)
    assert outcomes(report)["wiki_page shop/Handbook"] == "failed"
    said = [str(e) for r in report.results for e in r.errors if str(r.change.address) == "wiki_page shop/Handbook"]
    assert said == ['watchers: the server accepted "amy", group "Support" but has nothing']
    assert program.counts.count("write") == 1


# -- without it ------------------------------------------------------------------------------------------------


def test_without_the_program_everything_else_is_done(canned: Canned) -> None:
    """The pages are created; each fails with its watchers, and with what to do."""
    report = apply_to(canned, ALL)
    failed = {str(r.change.address): [str(e) for e in r.errors] for r in report.results if r.outcome != "done"}
    assert set(failed) == {"wiki_page shop/Handbook", "news shop/Out"}
    for errors in failed.values():
        assert errors == [
            "watchers: REST cannot write it: set catalog_command, or give an administrator the output of "
            "`reconciler catalog script`"
        ]
    assert len(canned.rows("wiki_pages")) == len(canned.rows("news")) == 1
    places = [e.location for r in report.results for e in r.errors]
    assert all(place.line for place in places)


def test_without_the_program_the_plan_says_so_once(canned: Canned) -> None:
    """Watchers of what is there are not compared, so that a second plan is empty but for the warning."""
    apply_to(canned, ALL)
    result = run("plan", "--detailed-exitcode")
    assert result.exit_code == 0
    assert result.output.count("watchers: REST neither shows nor writes it and 1 more: set catalog_command") == 1
    quiet = run("plan", "--detailed-exitcode", "--target", "user/amy")
    assert "watchers" not in quiet.output


# -- the script ------------------------------------------------------------------------------------------------


def test_the_script_sets_them(canned: Canned) -> None:
    """By project and name, as pages may not be there yet; after what it sets up besides."""
    listed = _items(run("catalog", "script", manifest=f"{ALL}\nissue_statuses: [{{name: New}}]").stdout)
    assert [(item["op"], item["kind"]) for item in listed] == [
        ("ensure", "issue_status"), ("ensure", "news"), ("ensure", "wiki_page")
    ]  # fmt: skip
    assert listed[2]["key"] == {"project": "shop", "name": "Handbook"}
    assert listed[2]["set"] == {"watchers": [{"user": "amy"}, {"group": "Support"}]}


def _items(text: str) -> list[dict[str, Any]]:
    encoded = re.match(r"CATALOG_REQUEST='([^']*)'", text)
    assert encoded is not None
    return list(json.loads(base64.b64decode(encoded[1]))["items"])


# -- export ----------------------------------------------------------------------------------------------------


def test_an_export_plans_empty(program: Counting) -> None:
    """It has the watchers whenever the program can be asked, and is what is live; nobody watches some news."""
    made(program).watch("news", "Out")
    assert CliRunner().invoke(main, ["export", "-o", "out"]).exit_code == 0
    text = "".join(path.read_text() for path in Path("out").rglob("*.yaml"))
    assert "watchers: [amy, {group: Support}]" in text and "watchers: []" in text
    assert program.counts == ["read"]
    again = CliRunner().invoke(main, ["plan", "--detailed-exitcode", "out"])
    assert again.exit_code == 0, again.output
    assert CliRunner().invoke(main, ["export", "--all", "-o", "all"]).exit_code == 0
    assert program.counts == ["read"] * 3


def test_an_export_without_pages_starts_no_program(program: Counting) -> None:
    """Nor does one of other kinds."""
    run("apply", "--yes", manifest=f"{PEOPLE}\n{SHOP}")
    assert CliRunner().invoke(main, ["export", "-o", "out"]).exit_code == 0
    assert CliRunner().invoke(main, ["export", "--kind", "user", "-o", "users"]).exit_code == 0
    assert program.counts == []


def test_an_export_without_the_program_has_what_the_api_shows(canned: Canned) -> None:
    """No remark on each page."""
    apply_to(canned, ALL)
    result = CliRunner().invoke(main, ["export", "-o", "out"])
    assert result.exit_code == 0 and "watchers" not in result.output
    assert "watchers" not in Path("out/projects/shop/news.yaml").read_text()


# -- what is wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("watchers", "said"),
    [
        ("amy", "watchers: expected a list"),
        ("[{user: amy, group: Support}]", "expected a name or {user: …} or {group: …}"),
        ("[[amy]]", "expected a name or {user: …} or {group: …}"),
    ],
)
def test_what_is_no_list_of_names(watchers: str, said: str) -> None:
    """As with the watchers of issues."""
    problems = offline(f"news: [{{project: shop, title: Out, watchers: {watchers}}}]").problems
    assert said in " ".join(map(str, problems))


def test_a_name_that_nobody_has(canned: Canned) -> None:
    """A problem at its place in the list, with a near miss."""
    text = ALL.replace("watchers: [bob]", "watchers: [amy, bobb]")
    (problem,) = problems_of(canned, text, catalog=MemorySession(canned))
    assert 'there is no user or group "bobb"' in problem.message and 'did you mean "bob"?' in problem.hint


def test_odd_names_arrive_as_they_are(program: Counting) -> None:
    """Whatever a group or a page is called, it is sent as data."""
    odd = 'it\'s \\"#{1}\\" `id`'
    text = ALL.replace("Support", "odd").replace("odd", f'"{odd}"').replace("Handbook", f'"{odd}"')
    assert set(outcomes(apply_to(program.redmine, text, catalog=program)).values()) == {"done"}
    assert not plan_of(program.redmine, text, catalog=program).changes


def test_watchers_who_are_not_known(program: Counting) -> None:
    """Who was not read from the API is called by the login that the program shows, or by a number."""
    made(program)
    number = program.redmine.add("users", login="eve")
    program.watchers["wiki_page"]["shop/Handbook"] = [{"id": number, "user": "eve"}, {"id": 77, "name": "Anonymous"}]
    (change,) = plan_of(program.redmine, ALONE, catalog=program).changes
    assert change.all_fields[0].before == ["#77 (Anonymous)", "eve"]
