"""All problems at once: what is wrong without a server does not hide what the server shows; `check` says the same."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from canned import Canned, reached
from click.testing import CliRunner, Result

from reconciler import ManifestError, load
from reconciler.cli import main
from reconciler.errors import Unreachable
from schemas import conform

UNKNOWN = 'tracker: there is no tracker "Bgu" on the server'
"""What only the server shows, of an issue that has no other problem."""
ISSUE = "{subject: Other, key: other, tracker: Bgu}"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Canned]:
    """A server, with a folder for manifests as the current one."""
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith(("REDMINE_", "RECONCILER_"))]:
        monkeypatch.delenv(name)
    redmine = Canned()
    redmine.add("custom_fields", name="Config key")
    redmine.add("users", login="amy", firstname="Amy", lastname="Ames", mail="amy@example.net")
    redmine.add("users", login="bob", firstname="Bob", lastname="Boo", mail="bob@example.net")
    redmine.add("projects", identifier="shop", name="Shop", enabled_modules=["issue_tracking"])
    redmine.add("versions", project="shop", name="1.0")
    for name, value in {"URL": redmine.url, "API_KEY": redmine.api_key, "RETRIES": "0"}.items():
        monkeypatch.setenv(f"REDMINE_{name}", value)
    Path("reconciler.yaml").write_text("issue_key_field: Config key\n")
    with reached(redmine):
        yield redmine


def run(*args: str, manifest: str = "") -> Result:
    """One command."""
    if manifest:
        Path("a.yaml").write_text(manifest)
    result = CliRunner().invoke(main, args)
    assert "Internal error" not in result.output
    return result


def messages(manifest: str) -> list[str]:
    """The problems of a plan, which sends no write; `check` and `apply --keep-going` show the same ones."""
    result = run("plan", "--format", "json", manifest=manifest)
    assert result.exit_code == 3, result.output
    problems = json.loads(result.stdout)["problems"]
    places = [f"{p['line']}:{p['column']}" for p in problems]
    for args in (["check"], ["apply", "--yes"], ["apply", "--yes", "--keep-going"]):
        other = run(*args)
        assert other.exit_code == 3
        assert re.findall(r"^! [ab]\.yaml:(\d+:\d+) ", other.output, re.M) == places
    return [p["message"] for p in problems]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        # an invalid field: the others of the object are checked on the server too
        (
            "projects: [{identifier: shop, issues: [{subject: A, key: a, done_ratio: x, status: Nwe}, %s]}]",
            ['done_ratio: expected a whole number, found "x"', 'status: there is no issue status "Nwe" on the server'],
        ),
        # a misspelled field that a new object needs is not missing as well
        (
            "projects: [{identifier: fresh, nmae: New}, {identifier: shop, parent: fresh, issues: [%s]}]",
            ['unknown field "nmae"'],
        ),
        # references to an invalid object
        (
            "users: [{login: zoe, firstname: Z, lastname: Z, mail: z@b.c, status: odd}]\n"
            "groups: [{name: Team, users: [zoe]}]\n"
            "projects: [{identifier: shop, members: [{user: zoe, roles: [Manager]}], issues: [%s]}]",
            ['status: expected one of active, locked, registered, found "odd"'],
        ),
        # references to an object whose key is invalid or missing
        (
            "users: [{lgoin: zoe, firstname: Z, lastname: Z, mail: z@b.c}]\n"
            "groups: [{name: Team, users: [zoe]}]\n"
            "projects: [{identifier: shop, issues: [%s]}]",
            ["login is missing", 'unknown field "lgoin"'],
        ),
        # references to a value that is not set
        (
            "users: [{login: '${ZOE}', firstname: Z, lastname: Z, mail: z@b.c}]\n"
            "groups: [{name: Team, users: [zoe]}]\n"
            "projects: [{identifier: shop, issues: [%s]}]",
            ["the environment variable ZOE is not set"],
        ),
        # a value that is not set is not checked as if it were the value
        (
            "users: [{login: zoe, firstname: Z, lastname: Z, mail: 'zoe@${DOMAIN}'}]\n"
            "projects: [{identifier: shop, issues: [%s]}]",
            ["the environment variable DOMAIN is not set"],
        ),
        # one that no key depends on: unknown names are still told
        (
            "users: [{login: zoe, firstname: Z, lastname: Z, mail: z@b.c, password: '${ZOE}'}]\n"
            "groups: [{name: Team, users: [zoe, yan]}]\n"
            "projects: [{identifier: shop, issues: [%s]}]",
            [
                "the environment variable ZOE is not set",
                'users: there is no user "yan", neither on the server nor in the manifests',
            ],
        ),
        # a whole list is lost
        (
            "uesrs: [{login: zoe}]\ngroups: [{name: Team, users: [zoe]}]\nprojects: [{identifier: shop, issues: [%s]}]",
            ['unknown top-level key "uesrs"'],
        ),
        # the modules of a project are unknown
        (
            "projects: [{identifier: shop, enabled_modules: wiki, wiki_pages: [{title: A, text: B}], issues: [%s]}]",
            ['enabled_modules: expected a list, found "wiki"'],
        ),
        # an invalid status, without which the project is not known to be declared
        (
            "projects: [{identifier: shop, status: opne, versions: [{name: '2.0'}], issues: [%s]}]",
            ['status: expected one of active, closed, archived, found "opne"'],
        ),
        # an invalid state
        (
            "users: [{login: zoe, state: gone}]\nprojects: [{identifier: shop, issues: [%s]}]\n"
            "groups: [{name: Team, users: [zoe]}]",
            ['state: expected one of present, absent, found "gone"'],
        ),
        # a mail that an invalid user may give up
        (
            "users: [{login: amy, mail: [x]}, {login: bob, mail: amy@example.net}]\n"
            "projects: [{identifier: shop, issues: [%s]}]",
            ["mail: expected a string, found a list"],
        ),
        # values that cannot be cleared, references in a circle, and twice the same
        (
            "projects: [{identifier: shop, issues: [{subject: A, key: a, subject: null}, %s]}]",
            ['duplicate key "subject"'],
        ),
        (
            "projects: [{identifier: shop, issues: [{subject: A, key: a, tracker: null}, %s]}]",
            ["tracker cannot be cleared"],
        ),
        (
            "projects: [{identifier: shop, issues: [{subject: A, key: a, parent: b}, {subject: B, key: b, parent: a},"
            " %s]}]",
            ["dependency cycle: shop/a → shop/b → shop/a"],
        ),
        (
            "projects: [{identifier: shop, issues: [{subject: A, key: other}, %s]}]",
            ["declared twice"],
        ),
    ],
)
def test_other_problems_are_shown_too(wrong: str, said: list[str], server: Canned) -> None:
    """A problem that needs no server, and one of another object that does, and nothing that only follows from them."""
    shown = messages(wrong % ISSUE)
    assert sorted(shown) == sorted([*said, *([] if "declared twice" in said else [UNKNOWN])])
    assert {method for method, _ in server.seen} == {"GET"}


def test_a_file_that_cannot_be_read(server: Canned) -> None:
    """What a file with a syntax error may declare is not unknown; what only an administrator creates is."""
    Path("b.yaml").write_text("users: [{login: zoe, \n")
    shown = messages(f"groups: [{{name: T, users: [zoe]}}]\nprojects: [{{identifier: shop, issues: [{ISSUE}]}}]")
    assert len(shown) == 2 and UNKNOWN in shown


@pytest.mark.parametrize("command", ["plan", "check"])
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"REDMINE_URL": ""}, "No Redmine is configured"),
        ({"REDMINE_API_KEY": ""}, "No credentials for"),
        ({"REDMINE_URL": "http://127.0.0.1:1"}, "the connection was refused"),
    ],
)
def test_a_server_that_cannot_be_asked(
    command: str, fault: dict[str, str], said: str, server: Canned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The problems that need no server are shown with the reason why there may be others."""
    for name, value in fault.items():
        monkeypatch.setenv(name, value)
    if "127" in str(fault):
        server.before = _refuse
    result = run(command, manifest="projects: [{identifier: shop, nmae: x}]")
    assert result.exit_code == 3
    assert 'unknown field "nmae"' in result.output
    assert re.search(f"The server could not be asked for further problems. .*{said}", result.output)


def _refuse(method: str, path: str) -> None:
    import httpx

    raise httpx.ConnectError("no") from ConnectionRefusedError()


def test_the_reason_in_a_program(server: Canned) -> None:
    """The Python API has the problems and the reason."""
    server.before = _refuse
    Path("a.yaml").write_text("projects: [{identifier: shop, nmae: x}]")
    with pytest.raises(ManifestError) as caught:
        load("a.yaml").plan()
    assert [p.message for p in caught.value.problems] == ['unknown field "nmae"']
    assert isinstance(caught.value.unasked, Unreachable)


FAULTS = {
    "unknown names": f"projects: [{{identifier: shop, issues: [{ISSUE}], members: [{{user: nobody, roles: [No]}}]}}]",
    "a mail that is taken": "users: [{login: zoe, firstname: Z, lastname: Z, mail: amy@example.net}]",
    "a module that is off": "projects: [{identifier: shop, wiki_pages: [{title: A, text: B}]}]",
    "what is missing": "projects: [{identifier: fresh}]",
    "invalid": "projects: [{identifier: shop, nmae: x, parent: no}]",
    "protected": "versions: [{project: shop, name: '1.0', state: absent, protect: true}]",
    "no manifests": "",
}


def sentences(result: Result) -> list[str]:
    """What is wrong, without where it was printed and how much it is."""
    lines = [line.removeprefix("! ") for line in result.output.splitlines() if "in the manifests." not in line]
    return sorted(line for line in lines if re.match(r"a\.yaml:|reconciler\.yaml:|\.: |Error: |The server could", line))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    "world", ["as it is", "unreachable", "wrong key", "no such field", "no key", "no URL", "not an administrator"]
)
def test_check_and_plan_agree(fault: str, world: str, server: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both say the same of the same manifests, and exit with the same code."""
    if world == "unreachable":
        server.before = _refuse
    elif world == "wrong key":
        monkeypatch.setattr(Canned, "__call__", lambda self, request: _denied())
    elif world == "no such field":
        Path("reconciler.yaml").write_text("issue_key_field: None such")
    elif world == "no key":
        monkeypatch.setenv("REDMINE_API_KEY", "")
    elif world == "no URL":
        monkeypatch.setenv("REDMINE_URL", "")
    elif world == "not an administrator":
        server.row("users", 1)["admin"] = False
    Path("a.yaml").write_text(FAULTS[fault] or "projects: []")
    plan, check = run("plan", "a.yaml"), run("check", "a.yaml")
    assert sentences(plan) == sentences(check)
    assert plan.exit_code == check.exit_code


def _denied() -> object:
    import httpx

    return httpx.Response(401)


SOME = f"""
projects: [{{identifier: shop, issues: [{ISSUE}, {{subject: Below, key: below, parent: other, tracker: Bug}}]}}]
groups: [{{name: Team}}, {{name: Others}}]
"""


@pytest.mark.parametrize("form", ["text", "json", "markdown", "html"])
def test_the_plan_of_the_rest(form: str, server: Canned) -> None:
    """Beside the problems, a plan shows what `apply --keep-going` would do; it is not saved, and exits with 3."""
    result = run("plan", "--format", form, "--out", "saved.plan", manifest=SOME)
    assert result.exit_code == 3
    assert not Path("saved.plan").exists()
    assert "The plan was not saved, because it is incomplete." in result.stderr
    said = re.sub(r"\\(.)|</?code>|&quot;", lambda match: match[1] or '"' * (match[0] == "&quot;"), result.output)
    assert UNKNOWN in said or json.dumps(UNKNOWN)[1:-1] in result.output
    assert "group Team" in said or '"key": "Team"' in said
    assert form == "json" or "shop/below" not in result.stdout
    if form == "json":
        data = json.loads(result.stdout)
        conform(data, "problems")
        conform(data["rest"], "plan")
        assert data["left_out"] == ["issue shop/other", "issue shop/below"]
        assert [change["key"] for change in data["rest"]["changes"]] == ["Others", "Team"]
    else:
        assert "apply --keep-going" in result.stdout


def test_the_rest_is_what_is_applied(server: Canned) -> None:
    """`apply --keep-going` does just what that plan shows."""
    shown = json.loads(run("plan", "--format", "json", manifest=SOME).stdout)
    done = run("apply", "--yes", "--keep-going", "--format", "json")
    assert done.exit_code == 4
    results = json.loads(done.stdout)["results"]
    assert [r["key"] for r in results if r["outcome"] == "done"] == [c["key"] for c in shown["rest"]["changes"]]
    assert [f"{r['kind']} {r['key']}" for r in results if r["outcome"] != "done"] == shown["left_out"]


def test_a_rest_without_changes_is_not_shown(server: Canned) -> None:
    """Where nothing would change, there are just the problems."""
    result = run("plan", manifest=f"projects: [{{identifier: shop, issues: [{ISSUE}]}}]")
    assert result.exit_code == 3
    assert result.stdout == "" and "Left out" not in result.stderr


def test_the_problems_come_before_a_refusal(server: Canned) -> None:
    """A protected object that would be deleted does not hide the problems of others."""
    text = f"projects: [{{identifier: shop, issues: [{ISSUE}]}}]\n"
    text += "users: [{login: amy, state: absent, protect: true}]\ngroups: [{name: Team}]"
    result = run("plan", manifest=text)
    assert result.exit_code == 3
    assert UNKNOWN in result.stderr
