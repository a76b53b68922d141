"""`check` as a probe: what is missing, each thing once; exit codes; JSON; waiting for a server that starts."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from canned import Canned, reached
from click.testing import CliRunner, Result
from limited import RIGHTS, Limited
from paths import ROOT

from reconciler import pipeline
from reconciler.cli import check, main
from reconciler.cli.options import State
from reconciler.cli.progress import Progress
from reconciler.redmine import waiting
from schemas import conform

SHOP = "projects: [{identifier: shop, name: shop}]"
NAMES = """\
issues:
  - {project: shop, subject: a, tracker: Bgu, status: New}
  - {project: shop, subject: b, tracker: Bug, status: Nwe}
  - {project: shop, subject: c, tracker: Bgu, priority: Normal}
memberships:
  - {project: shop, user: nobody, roles: [Boss]}
"""


def run(*args: str, manifest: str = SHOP) -> Result:
    """A check of manifests."""
    Path("a.yaml").write_text(manifest)
    result = CliRunner().invoke(main, ["check", *args])
    assert "Internal error" not in result.output
    return result


def data(*args: str, code: int = 0, manifest: str = SHOP) -> dict[str, Any]:
    """What it prints as JSON, which has the form of its schema."""
    result = run("--format", "json", *args, manifest=manifest)
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    conform(found, "check")
    return found


@contextmanager
def amy(*permissions: str, member: bool = True) -> Iterator[Limited]:
    """The view of an account that is no administrator, with these permissions in the project."""
    redmine = Limited(permissions=[*RIGHTS, *permissions])
    redmine.add("roles", id=1, name="Non member", permissions=["view_issues", "add_issues"])
    if not member:
        redmine.rows("memberships").clear()
    with reached(redmine):
        yield redmine


# -- names -----------------------------------------------------------------------------------------------------


def test_all_right(canned: Canned) -> None:
    """The server, the account and what a plan would do."""
    found = data()
    assert (found["status"], found["url"]) == ("ok", canned.url)
    assert found["account"] == {"login": "admin", "admin": True}
    assert found["missing"] == found["permissions"] == found["problems"] == []
    assert found["summary"] == {"create": 0, "update": 0, "delete": 0, "unchanged": 1}
    assert "ended" not in found


def test_each_missing_name_once_with_all_its_places(canned: Canned) -> None:
    """A tracker that two issues name is one finding with two places; other problems stand beside them."""
    found = data(code=3, manifest=NAMES)
    assert found["status"] == "incomplete"
    named = {(one["kind"], one["name"]): [p["line"] for p in one["places"]] for one in found["missing"]}
    assert named == {
        ("tracker", "Bgu"): [2, 4],
        ("issue status", "Nwe"): [3],
        ("user", "nobody"): [6],
        ("role", "Boss"): [6],
    }
    assert 'did you mean "Bug"?' in found["missing"][0]["hint"]
    assert found["problems"] == [] and "summary" not in found


def test_the_text_has_each_name_once(canned: Canned) -> None:
    """At its first place, with the others below it."""
    result = run(manifest=NAMES)
    assert result.exit_code == 3
    assert result.stdout.count('there is no tracker "Bgu"') == 1
    assert "! a.yaml:2:33  there is no tracker" in result.stdout
    assert "  also a.yaml:4:33" in result.stdout
    assert "! a.yaml:3:47  issue shop/b: status: there is no issue status" in result.stdout
    assert "Error: 4 problems in the manifests." in result.stderr


def test_a_project_and_a_custom_field_that_are_missing(canned: Canned) -> None:
    """What is inside a project that is nowhere names the project, however much that is."""
    text = """
        versions: [{project: nowhere, name: "1"}, {project: nowhere, name: "2"}]
        projects: [{identifier: shop, custom_fields: {None such: x}}]
        """
    named = {(one["kind"], one["name"]): len(one["places"]) for one in data(code=3, manifest=text)["missing"]}
    assert named == {("project", "nowhere"): 2, ("custom field", "None such"): 1}


def test_invalid_manifests_are_problems(canned: Canned) -> None:
    """What is wrong without a server is told beside what is missing there."""
    found = data(code=3, manifest="projects: [{identifier: shop, nmae: x, trackers: [Bgu]}]")
    assert [problem["message"] for problem in found["problems"]] == ['unknown field "nmae"']
    assert [one["name"] for one in found["missing"]] == ["Bgu"]
    assert found["account"]["login"] == "admin"


# -- permissions -----------------------------------------------------------------------------------------------

WORK = """\
versions:
  - {project: shop, name: "1.0"}
  - {project: shop, name: "2.0"}
issues:
  - {project: shop, subject: a, tracker: Bug}
  - {project: shop, subject: b, tracker: Bug, watchers: [amy]}
"""


def test_each_missing_permission_once_with_all_its_places(canned: Canned) -> None:
    """Of an account that is not an administrator, by its roles in the project."""
    with amy("add_issues"):
        found, text = data(code=3, manifest=WORK), run(manifest=WORK)
    lacking = {
        one["permission"]: (one["for"], [place["line"] for place in one["places"]]) for one in found["permissions"]
    }
    assert lacking == {
        "manage_versions": (["version shop/1.0", "version shop/2.0"], [2, 3]),
        "add_issue_watchers or delete_issue_watchers": (["issue shop/b"], [6]),
    }
    assert {one["project"] for one in found["permissions"]} == {"shop"}
    assert found["status"] == "incomplete" and found["missing"] == []
    assert found["memberships"] == [{"project": "shop", "roles": ["Manager"]}]
    said = 'the account lacks the permission manage_versions in project "shop": 2 planned changes need it'
    assert said in text.stdout
    assert "Error: amy lacks 2 permissions." in text.stderr


def test_problems_and_missing_permissions_are_both_counted(canned: Canned) -> None:
    """The last line on stderr does not say less than stdout."""
    with amy("manage_versions", "add_issue_watchers"):
        text = run(manifest=WORK + "  - {project: shop, subject: c, tracker: Bgu}\n")
    assert text.stdout.endswith("2 problems.\n")
    assert "Error: 1 problem in the manifests; amy lacks 1 permission." in text.stderr


def test_permissions_that_suffice(canned: Canned) -> None:
    """Nothing is missing, and the exit code is 0."""
    with amy("add_issues", "manage_versions", "add_issue_watchers"):
        assert data(manifest=WORK)["permissions"] == []


def test_no_member_of_the_project(canned: Canned) -> None:
    """What those who are not members may do counts in a public project, and nothing in a private one."""
    with amy("manage_versions", member=False):
        found = data(code=3, manifest="issues: [{project: shop, subject: a, tracker: Bug, watchers: [amy]}]")
    assert [one["permission"] for one in found["permissions"]] == ["add_issue_watchers or delete_issue_watchers"]


def test_a_new_wiki_page_is_not_renamed(canned: Canned) -> None:
    """The title of a page that is created needs no permission of its own; that of one that is renamed does."""
    page = "wiki_pages: [{project: shop, title: Start, text: hello%s}]"
    with amy("edit_wiki_pages") as redmine:
        assert data(manifest=page % "")["permissions"] == []
        redmine.add("wiki_pages", inside="shop", title="Old", text="hello", version=1, author=None)
        [lacking] = data(code=3, manifest=page % ", renamed_from: Old")["permissions"]
    assert lacking["permission"] == "rename_wiki_pages"


def test_what_only_administrators_do(canned: Canned) -> None:
    """Archiving; and a project that is new needs the permission to add one, wherever that is."""
    new = "projects: [{identifier: fresh, name: Fresh, versions: [{name: '1'}]}]"
    with amy():
        archive = data(code=3, manifest="projects: [{identifier: shop, name: shop, status: archived}]")
        assert [one["permission"] for one in archive["permissions"]] == ["admin"]
        assert [one["permission"] for one in data(code=3, manifest=new)["permissions"]] == ["add_project"]
    with amy("add_project"):
        assert data(manifest=new)["permissions"] == []


def test_an_administrator_may_do_everything(canned: Canned) -> None:
    """No role is looked at."""
    canned.add("users", login="amy")
    assert data(manifest=WORK)["permissions"] == []
    assert not any("/roles/" in path for _, path in canned.seen)


# -- what ends it early ------------------------------------------------------------------------------------------


def test_without_credentials(canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1, and JSON of the same form."""
    monkeypatch.setenv("REDMINE_API_KEY", "")
    found = data(code=1)
    assert found["status"] == "failed" and "No credentials for" in found["ended"]
    assert found["account"] is None


def test_ctrl_c(canned: Canned) -> None:
    """JSON of the same form says that it was interrupted."""
    canned.before = lambda method, path: os.kill(os.getpid(), signal.SIGINT)
    found = data(code=130)
    assert (found["status"], found["ended"]) == ("failed", "The run was interrupted.")


def test_an_internal_error(canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same form also then."""
    monkeypatch.setattr(pipeline, "plan_or_rest", lambda *given, **more: 1 / 0)
    Path("a.yaml").write_text(SHOP)
    result = CliRunner().invoke(main, ["check", "--format", "json", "a.yaml"])
    found = json.loads(result.stdout)
    conform(found, "check")
    assert (result.exit_code, found["ended"]) == (1, "Internal error: ZeroDivisionError.")


def test_without_manifests(canned: Canned) -> None:
    """The server and the account."""
    result = CliRunner().invoke(main, ["check", "--format", "json"])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    conform(found, "check")
    assert found["status"] == "ok" and "summary" not in found


ACCOUNT = {"id": 1, "login": "amy", "updated_on": ""}
ROLE = {"id": 3, "name": "Boss"}
ODD_ACCOUNTS: dict[str, tuple[dict[str, Any], str]] = {
    "no login": ({"login": None}, "user.login is missing"),
    "a number as login": ({"login": 5}, "user.login is not a text"),
    "a text as id": ({"id": "1"}, "user.id is not a whole number"),
    "a text as flag": ({"admin": "false"}, "user.admin is not true or false"),
    "memberships that are none": ({"memberships": {}}, "user.memberships is an empty object, not a list"),
    "no project": ({"memberships": [{"id": 3, "roles": [ROLE]}]}, "user.memberships[0].project is missing"),
    "no roles": ({"memberships": [{"project": {"id": 1, "name": "x"}}]}, "user.memberships[0].roles is missing"),
    "a role without id": (
        {"memberships": [{"project": {"id": 1, "name": "x"}, "roles": [ROLE, {"name": "b"}]}]},
        "user.memberships[0].roles[1].id is missing",
    ),
}


@pytest.mark.parametrize("case", ODD_ACCOUNTS)
def test_an_account_that_is_odd(case: str, canned: Canned) -> None:
    """The request and the field are named; nothing is taken for an administrator that does not say so."""
    values, why = ODD_ACCOUNTS[case]
    canned.tables["users"] = [{**ACCOUNT, **values}]
    assert data(code=1)["ended"] == f"The response to GET /users/current is not as Redmine's are: {why}."


def test_an_account_without_memberships(canned: Canned) -> None:
    """Redmine leaves out what is empty, and null is the same."""
    canned.tables["users"] = [{**ACCOUNT, "memberships": None}]
    assert data()["memberships"] == []


def test_a_role_that_is_odd(canned: Canned) -> None:
    """Its page is named."""
    with amy() as redmine:
        redmine.role["permissions"] = "all"
        found = data(code=1, manifest=WORK)
    assert re.search(r"GET /roles/\d+ is not .*: role.permissions is a text, not a list", found["ended"])


# -- waiting ---------------------------------------------------------------------------------------------------


class Starting:
    """A server that first fails in some ways."""

    def __init__(self, canned: Canned, monkeypatch: pytest.MonkeyPatch, *faults: Exception | int) -> None:
        self.faults, self.attempts = list(faults), 0
        monkeypatch.setattr(waiting, "PAUSE", 0.01)
        answer = Canned.answer

        def failing(server: Canned, method: str, path: str, *rest: Any) -> Any:
            self.attempts += 1
            if self.faults:
                fault = self.faults.pop(0)
                if isinstance(fault, Exception):
                    raise fault
                return fault, b"<html>starting</html>"
            return answer(server, method, path, *rest)

        monkeypatch.setattr(Canned, "answer", failing)


REFUSED = httpx.ConnectError("refused")


def test_waits_until_the_server_is_there(canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused connections, 502, 503 and 500 are what a server that starts may show; then everything is checked."""
    starting = Starting(canned, monkeypatch, REFUSED, REFUSED, 502, 503, 500)
    result = run("--wait", "30")
    assert result.exit_code == 0, result.output
    assert starting.faults == []
    assert result.stderr.count("Waiting for the server: ") == 4, "each reason once"
    assert "The account is admin" in result.stdout
    assert data("--wait", "30")["waited"] >= 0


def test_without_the_option_it_does_not_wait(canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe that is repeated must end soon."""
    Starting(canned, monkeypatch, *[503] * 50)
    result = run()
    assert result.exit_code == 1 and "Waiting" not in result.stderr


def test_waits_no_longer_than_it_may(canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it ends as without the option, and says for how long it has waited."""
    Starting(canned, monkeypatch, *[503] * 1000)
    found = data("--wait", "0.1", code=1)
    assert found["status"] == "failed" and "503" in found["ended"] and found["waited"] > 0
    assert "The server was not ready within 0.1 s.\nError: " in run("--wait", "0.1").stderr


def test_a_log_says_that_it_waits(canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that it reads, until the server answers."""
    phases: list[str] = []
    monkeypatch.setattr(Progress, "resume", lambda shown, phase: phases.append(phase))
    Starting(canned, monkeypatch, REFUSED, 503)
    assert run("--wait", "30").exit_code == 0
    assert phases[:3] == [f"Waiting for {canned.url}", f"Waiting for {canned.url}", f"Reading {canned.url}"]


def test_progress_is_shown_until_all_is_compared(canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """To compare the manifests takes longest, and is no silence; the terminal is free when the result is printed."""
    phases: dict[str, str] = {}
    shown = Progress(State())

    async def compared(*given: Any, **more: Any) -> Any:
        phases["compared"] = shown.phase
        return await plan_or_rest(*given, **more)

    def printed(*given: Any) -> int:
        phases["printed"] = shown.phase
        return 0

    plan_or_rest = pipeline.plan_or_rest
    monkeypatch.setattr(pipeline, "plan_or_rest", compared)
    monkeypatch.setattr(check, "progress", lambda state: shown)
    monkeypatch.setattr(check, "_printed", printed)
    run()
    assert phases == {"compared": f"Reading {canned.url}", "printed": ""}


@pytest.mark.parametrize("fault", [401, 404, 403])
def test_what_waiting_cannot_mend_ends_at_once(
    canned: Canned, monkeypatch: pytest.MonkeyPatch, fault: Exception | int
) -> None:
    """A wrong key, another server than a Redmine."""
    starting = Starting(canned, monkeypatch, *[fault] * 50)
    assert run("--wait", "30").exit_code == 1
    assert starting.attempts == 1


def test_a_certificate_that_is_not_trusted_ends_at_once(canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays as it is."""
    fault = httpx.ConnectError("certificate")
    fault.__cause__ = ssl.SSLCertVerificationError("self-signed")
    vars(fault.__cause__)["verify_message"] = "self-signed"
    starting = Starting(canned, monkeypatch, *[fault] * 50)
    assert run("--wait", "30").exit_code == 1
    assert starting.attempts == 1


def test_the_transcript_of_the_page(canned: Canned) -> None:
    """What docs/check.md shows is what is printed."""
    text = (ROOT / "docs" / "check.md").read_text()
    manifest = re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S)[0]
    command, _, expected = re.findall(r"^```console\n(.*?)^```", text, re.M | re.S)[0].partition("\n")
    Path("redmine.yaml").write_text(manifest)
    assert CliRunner().invoke(main, command.split()[2:]).stdout == expected
