"""`reconciler export` from the command line: what is written, what is asked for, and what is kept secret."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from custom_fields import Again
from exports import left, run
from promises import KEY, Api, person, project, raw_issue, raw_shop, raw_user, shop, sql, tool, values
from proxy import Proxy

import reconciler
from reconciler.reference.json_schema import SCHEMAS
from reconciler.sandbox import Running
from schemas import conform


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    with Api(world) as api:
        yield api


def tree(folder: Path) -> dict[str, bytes]:
    """All files of a folder by their names."""
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def on_terminal(*args: str, answer: str, code: int) -> str:
    """One command on a terminal, with what is typed there; all that it shows."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "reconciler", *args]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        os.write(ours, f"{answer}\n".encode())
        shown = b""
        with suppress(OSError):
            while part := os.read(ours, 4096):
                shown += part
        assert process.wait() == code, shown
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


def with_key_field(folder: Path) -> None:
    """Settings that say where issues have their keys."""
    (folder / "reconciler.yaml").write_text(f"issue_key_field: {KEY}\n")


# -- what is asked for -----------------------------------------------------------------------------------------


TEAM = {
    "users": [person("amy"), person("bob"), person("eve")],
    "groups": [{"name": "Support", "users": ["bob"]}, {"name": "Sales", "users": []}],
    "projects": [
        {
            **project("shop"),
            "enabled_modules": ["issue_tracking", "wiki", "news"],
            "members": [{"user": "amy", "roles": ["Manager"]}, {"group": "Support", "roles": ["Developer"]}],
            "versions": [{"name": "1.0"}],
            "issue_categories": [{"name": "Backend", "assigned_to": "amy"}],
            "issues": [
                {"key": "one", "subject": "One", "category": "Backend", "fixed_version": "1.0", "assigned_to": "amy"},
                {"key": "two", "subject": "Two", "parent": "one", "watchers": ["amy"]},
            ],
            "wiki_pages": [{"title": "Wiki", "text": "Hello."}],
            "news": [{"title": "Open", "description": "At last."}],
        },
        {**project("below"), "parent": "shop", "issues": [{"subject": "Deep"}]},
        project("other"),
    ],
}
"""Three users, one of whom nothing names; three projects, one below another."""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "4 users, 2 groups, 3 projects, 2 memberships, 1 version, 1 issue category"),
        (("--project", "other"), "1 project"),
        (("--project", "shop"), "3 users, 1 group, 1 project, 2 memberships"),
        (("--project", "shop", "--with-subprojects"), "3 users, 1 group, 2 projects, 2 memberships"),
        (("--kind", "issue"), "3 issues (2 files)"),
        (("--kind", "wiki_pages", "--kind", "group"), "2 groups, 1 wiki page"),
        (("--kind", "issue", "--project", "below"), "1 issue (1 file)"),
    ],
)
def test_what_is_chosen_is_a_folder_whose_plan_is_empty(
    there: Path, world: Running, options: tuple[str, ...], said: str
) -> None:
    """Of all, of some projects with whom they name (admin wrote the issues), of some kinds: the summary counts, and a
    plan finds no change."""
    tool(world).settle(TEAM)
    shown = run("export", "-o", "out", *options).stdout
    assert shown.startswith("Exported to out: ")
    assert said in shown
    assert left("out") == []


def test_nothing_but_get_is_sent(there: Path, world: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export writes nothing to the server, sanitized or not."""
    tool(world).settle(TEAM)
    with Proxy(world.url) as proxy:
        monkeypatch.setenv("REDMINE_URL", proxy.url)
        run("export", "-o", "out")
        run("export", "-o", "without", "--sanitize")
    assert {exchange.method for exchange in proxy.exchanges} == {"GET"}


def test_an_export_as_json(there: Path, world: Running) -> None:
    """The summary is one JSON document with its schema; what goes on meanwhile is on stderr."""
    tool(world).settle(shop(issues=[{"subject": "One"}]))
    result = run("export", "-o", "out", "--format", "json", "--kind", "project", "--kind", "issue")
    data = json.loads(result.stdout)
    conform(data, "export")
    assert set(data) <= set(SCHEMAS["export"]()["properties"])
    assert data["objects"] == {"project": 1, "issue": 1}
    assert (data["url"], data["folder"], data["left_out"]) == (world.url, "out", [])
    # The two that the export keeps for itself do not count.
    assert data["files"] == len(tree(there / "out")) - 2
    assert "Reading" in result.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("-o", "out", "--project", "shp"), 'There is no project "shp" (did you mean "shop"?).'),
        (("-o", "out", "--kind", "isue"), 'There is no kind "isue" (did you mean "issue"?).'),
        ((), "Missing option '-o'"),
        (("-o", "out", "--with-subprojects"), "--with-subprojects needs --project"),
        (("-o", "out", "--yes"), "--yes needs --write-keys"),
        (("-o", "out", "--write-keys"), "--write-keys needs `issue_key_field` in reconciler.yaml"),
        (("-o", "out", "--write-keys", "--kind", "user"), "--write-keys needs issues"),
        (("-o", "mine"), "mine is not empty and contains no earlier export"),
        (("-o", "mine/notes.txt"), "notes.txt is not a folder; choose another path."),
    ],
)
def test_what_cannot_be_exported(there: Path, api: Api, args: tuple[str, ...], said: str) -> None:
    """A sentence says what is wrong, the exit code is 1, and nothing is written."""
    raw_shop(api)
    (there / "mine").mkdir()
    (there / "mine" / "notes.txt").write_text("mine")
    assert said in run("export", *args, code=1).stderr
    assert tree(there) == {"mine/notes.txt": b"mine"}


def test_an_archived_project_is_said_to_be_archived(there: Path, api: Api) -> None:
    """Whoever names it learns why nothing is exported; the API shows nothing of what is in it."""
    raw_shop(api)
    api.send("PUT", "/projects/shop/archive")
    said = run("export", "-o", "out", "--project", "shop", code=1).stderr
    assert 'Project "shop" cannot be exported: it is archived, so the API does not show its contents' in said
    assert tree(there) == {}


def test_somebody_who_is_no_administrator(there: Path, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are not shown everything: nothing is exported for them."""
    api.make("/users", login="amy", firstname="A", lastname="B", mail="amy@example.net", password="long enough 1")
    monkeypatch.delenv("REDMINE_API_KEY")
    monkeypatch.setenv("REDMINE_USERNAME", "amy")
    monkeypatch.setenv("REDMINE_PASSWORD", "long enough 1")
    assert "An export needs an administrator's API key" in run("export", "-o", "out", code=1).stderr
    assert not (there / "out").exists()


def test_a_folder_of_an_earlier_export(there: Path, world: Running, api: Api) -> None:
    """What is not there any more goes, what is as it was is not written again, and other files stay."""
    tool(world).settle(TEAM)
    run("export", "-o", "out")
    (there / "out" / "README.md").write_text("mine")
    before = (there / "out" / "users.yaml").stat().st_mtime_ns
    api.delete("/projects/other")
    run("export", "-o", "out")
    assert (there / "out" / "users.yaml").stat().st_mtime_ns == before
    assert "projects/other.yaml" not in tree(there / "out")
    assert (there / "out" / "README.md").read_text() == "mine"


# -- keys ------------------------------------------------------------------------------------------------------


def test_issues_without_a_key_are_known_by_their_subject(there: Path, world: Running, api: Api) -> None:
    """With issue_key_field, an issue that has none is exported without; a plan of that is empty."""
    with_key_field(there)
    tool(world, key_field=KEY).settle(shop(issues=[{"key": "login", "subject": "Login fails"}]))
    raw_issue(api, "Log out")
    run("export", "-o", "out")
    found = yaml.safe_load((there / "out" / "projects" / "shop" / "issues.yaml").read_text())["issues"]
    assert sorted((i.get("key"), i["subject"]) for i in found if "key" in i) == [("login", "Login fails")]
    assert [i["subject"] for i in found if "key" not in i] == ["Log out"]
    assert left("out") == []


def test_keys_are_written_and_exported(there: Path, world: Running, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each issue without a key gets a readable one of its own, what else it has stays, and the export has the keys."""
    with_key_field(there)
    raw_shop(api, enabled_module_names=["issue_tracking", "time_tracking"])
    field = api.id("/custom_fields", KEY)
    kept = raw_issue(api, "Kept", custom_fields=[{"id": field, "value": "log-out"}])
    made = [raw_issue(api, subject) for subject in ("Log out", "Log out!", "Überall: Ärger")]
    activity = api.get("/enumerations/time_entry_activities")[0]["id"]
    for number in made:
        api.delete(f"/issues/{number}/watchers/1")
        api.make("/time_entries", issue_id=number, hours=1, spent_on="2026-01-02", activity_id=activity)
    result = run("export", "-o", "out", "--write-keys", "--yes")
    assert "Done: 3 changed" in result.stderr
    stored = {n: values(api.get(f"/issues/{n}"))[KEY] for n in (kept, *made)}
    assert stored == dict(zip((kept, *made), ("log-out", "log-out-2", "log-out-3", "überall-ärger"), strict=True))
    assert [api.get(f"/issues/{n}?include=watchers")["watchers"] for n in made] == [[], [], []]
    found = yaml.safe_load((there / "out" / "projects" / "shop" / "issues.yaml").read_text())["issues"]
    assert sorted(i["key"] for i in found) == sorted(stored.values())
    assert left("out") == []

    before = tree(there / "out")
    with Proxy(world.url) as proxy:
        monkeypatch.setenv("REDMINE_URL", proxy.url)
        run("export", "-o", "out", "--write-keys", "--yes")
    assert proxy.writes == []
    assert tree(there / "out") == before


def test_keys_are_confirmed(there: Path, api: Api) -> None:
    """Without a terminal and --yes, the plan is shown, and neither the server nor the folder is changed."""
    with_key_field(there)
    raw_shop(api)
    number = raw_issue(api, "Log out")
    said = run("export", "-o", "out", "--write-keys", code=1).stderr
    assert f"issue shop/log-out (#{number})" in said
    assert f"custom field {KEY}  (none) → log-out" in said
    assert "review the plan above, then add --yes" in said
    assert not values(api.get(f"/issues/{number}"))[KEY]
    assert not (there / "out").exists()


@pytest.mark.custom_fields("Bugs only")
def test_issues_that_cannot_have_a_key(there: Path, api: Api) -> None:
    """An issue whose tracker does not have the field is named, and exported without a key; the others get theirs."""
    (there / "reconciler.yaml").write_text("issue_key_field: Bugs only\n")
    raw_shop(api)
    raw_issue(api, "A bug", tracker_id=1)
    raw_issue(api, "A feature", tracker_id=2)
    said = run("export", "-o", "out", "--write-keys", "--yes").stderr
    assert 'Left without a key, because they lack the custom field "Bugs only": issue shop/a-feature.' in said
    found = yaml.safe_load((there / "out" / "projects" / "shop" / "issues.yaml").read_text())["issues"]
    assert {i["subject"]: i.get("key") for i in found} == {"A bug": "a-bug", "A feature": None}
    assert left("out") == []


def test_keys_are_no_longer_than_the_field_allows(there: Path, world: Running, api: Api) -> None:
    """They fit a field with a greatest length, with their numbers."""
    with_key_field(there)
    raw_shop(api)
    numbers = [raw_issue(api, "A rather long subject") for _ in range(3)]
    sql(world, "UPDATE custom_fields SET max_length = 10 WHERE name = 'Config key'")
    run("export", "-o", "out", "--write-keys", "--yes")
    assert {values(api.get(f"/issues/{n}"))[KEY] for n in numbers} == {"a-rather-l", "a-rather-2", "a-rather-3"}
    assert left("out") == []


def test_keys_behind_closed_doors(there: Path, world: Running, api: Api) -> None:
    """An issue of a closed project gets its key too: the project is opened for that, and closed again."""
    with_key_field(there)
    raw_shop(api)
    number = raw_issue(api, "Log out")
    api.send("PUT", "/projects/shop/close")
    said = run("export", "-o", "out", "--write-keys", "--yes").stderr
    assert "Done: 2 changed" in said
    assert values(api.get(f"/issues/{number}"))[KEY] == "log-out"
    assert api.get("/projects/shop")["status"] == 5
    assert left("out") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_keys_behind_doors_that_a_killed_run_left_open(there: Path, world: Running, api: Api, number: int) -> None:
    """However a run ended that had opened a closed project, the next one closes it."""
    with_key_field(there)
    raw_shop(api)
    for subject in ("one", "two", "three"):
        raw_issue(api, subject)
    api.send("PUT", "/projects/shop/close")
    command = [sys.executable, "-m", "reconciler", "export", "-o", "out", "--write-keys", "--yes", "--concurrency", "1"]
    with Proxy(world.url) as proxy:
        process = subprocess.Popen(command, env={**os.environ, "REDMINE_URL": proxy.url}, stderr=subprocess.DEVNULL)
        proxy.fault = lambda e: process.send_signal(number) if e.method == "PUT" and "/issues/" in e.path else None
        assert process.wait(60) != 0
    assert api.get("/projects/shop")["status"] == 1
    run("export", "-o", "out", "--write-keys", "--yes")
    assert api.get("/projects/shop")["status"] == 5
    assert {values(row)[KEY] for row in api.get("/issues?project_id=shop")} == {"one", "two", "three"}
    assert "status: closed" in (there / "out" / "projects" / "shop.yaml").read_text()
    assert not (there / "out" / ".reconciler-reopened").exists()


def test_keys_after_a_yes(there: Path, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the plan is shown and asked about, as by `apply`; without a yes, nothing is written."""
    with_key_field(there)
    raw_shop(api)
    number = raw_issue(api, "Log out")
    for answer, code, stored in (("n", 1, None), ("y", 0, "log-out")):
        shown = on_terminal("export", "-o", "out", "--write-keys", answer=answer, code=code)
        assert "(none) → log-out" in shown
        assert "  Change    1 issue\r\nApply this? " in shown
        assert (values(api.get(f"/issues/{number}"))[KEY] or None) == stored
        assert (there / "out").exists() == (code == 0)


def test_keys_that_redmine_refuses(there: Path, world: Running, api: Api) -> None:
    """What would be refused is told of its issue, the exit code is 4, and what got its key is exported with it."""
    with_key_field(there)
    raw_shop(api)
    raw_issue(api, "Log in")
    raw_issue(api, "Something much longer")
    sql(world, f"UPDATE custom_fields SET regexp = '^.{{1,8}}$' WHERE name = '{KEY}'")
    result = run("export", "-o", "out", "--write-keys", "--yes", code=4)
    assert "does not match the field's pattern ^.{1,8}$" in result.stderr
    found = yaml.safe_load((there / "out" / "projects" / "shop" / "issues.yaml").read_text())["issues"]
    assert {i["subject"]: i.get("key") for i in found} == {"Log in": "log-in", "Something much longer": None}


# -- personal data ---------------------------------------------------------------------------------------------

LOGIN, FIRST, LAST, MAIL = "qxlogin.one", "Qxfirst", "O'Qxlast", "qxmail@qxcompany.example.com"
OTHER, FOREIGN = "Qxsecond", "qxforeign+x@qxelse.example.org"
CANARIES = ("qx", "o'q", "canary")
"""Every piece of personal data in `PERSONAL` has one of these in it, and nothing else has."""


def personal(folder: Path) -> dict[str, Any]:
    """A world full of two people."""
    for name in ("qxlogin.one.txt", "plain.txt"):
        (folder / name).write_text("canary")
    text = f"Ask {FIRST} {LAST} (@{LOGIN}, {MAIL}), {LAST}, {FIRST} or {FOREIGN.upper()}.\n\n{LAST} knows, {LOGIN.upper()}."
    one = {"login": LOGIN, "firstname": FIRST, "lastname": LAST, "mail": MAIL}
    fields = {"User string": "canary", "User text": "a\ncanary", "User list": "red", "User int": 3}
    two = {
        "login": OTHER,
        "firstname": "Anna Qxmaria",
        "lastname": "von Qxberg",
        "mail": "qxanna@qxcompany.example.com",
    }
    members = [{"user": LOGIN, "roles": ["Manager"]}, {"user": OTHER, "roles": ["Developer"]}]
    files = [{"file": "qxlogin.one.txt", "description": f"by {LOGIN}"}, {"file": "plain.txt"}]
    issue = {
        "subject": f"Call {FIRST} {LAST}",
        "description": text,
        "assigned_to": LOGIN,
        "watchers": [OTHER],
        "notes": [{"text": text, "author": LOGIN}, "anna qxmaria von qxberg agrees"],
        "attachments": files,
        "custom_fields": {"Issue user": OTHER, "Issue string": LOGIN, "Issue text": text},
    }
    inside = {
        "members": members,
        "versions": [{"name": f"For {FIRST} {LAST}", "description": LOGIN}],
        "issue_categories": [{"name": OTHER, "assigned_to": OTHER}],
        "issues": [
            {**issue, "fixed_version": f"For {FIRST} {LAST}"},
            {"subject": LOGIN, "parent": f"Call {FIRST} {LAST}"},
        ],
        "wiki_pages": [
            {"title": "Wiki", "text": text},
            {"title": f"{FIRST}_{LAST}", "text": "[[Wiki]]", "parent": "Wiki"},
        ],
        "news": [{"title": f"{LOGIN} is here", "summary": LAST, "description": text, "attachments": files[:1]}],
        "files": [{"path": "qxlogin.one.txt", "description": LOGIN}],
        "time_entries": [
            {"user": LOGIN, "spent_on": "2026-01-02", "activity": "Design", "comments": f"with {OTHER}", "hours": 1.5},
        ],
    }
    modules = ["issue_tracking", "wiki", "news", "files", "time_tracking"]
    named = {
        "identifier": "qxsecond-home",
        "name": f"Home of {OTHER}",
        "description": text,
        "homepage": f"http://{LOGIN}.test",
    }
    return {
        "users": [{**one, "custom_fields": fields}, two],
        "groups": [{"name": f"Team {LOGIN}", "users": [LOGIN, OTHER]}],
        "projects": [{**named, "trackers": ["Bug"], "enabled_modules": modules, **inside}],
    }


@pytest.mark.custom_fields(
    "Issue string", "Issue text", "Issue user", "User int", "User list", "User string", "User text"
)
def test_no_personal_data_is_in_a_sanitized_export(there: Path, world: Running, again: Again) -> None:
    """Neither logins, names and addresses nor what is in files occurs in any byte or file name; the same person is the
    same everywhere; two exports are equal; and an empty Redmine takes it all."""
    seen = personal(there)
    (there / "in.yaml").write_text(yaml.safe_dump(seen))
    run("apply", "--yes", "in.yaml")
    result = run("export", "-o", "out", "--sanitize")
    assert "Sanitized: 3 users and 1 other mail address replaced." in result.stdout
    found = tree(there / "out")
    everything = "\n".join(f"{name}\n{content.decode()}" for name, content in sorted(found.items())) + result.stdout
    assert [canary for canary in CANARIES if canary in everything.lower()] == []

    users = yaml.safe_load(found["users.yaml"])["users"]
    assert users[1] == {
        "login": "user2",
        "firstname": "First2",
        "lastname": "Last2",
        "mail": "user2@example.net",
        "custom_fields": {"User int": 3, "User list": "red", "User string": "(left out)", "User text": "(left out)"},
    }
    issues = yaml.safe_load(found["projects/user3-home/issues.yaml"])["issues"]
    issue = next(i for i in issues if i["subject"] == "Call First2 Last2")
    said = "Ask First2 Last2 (@user2, user2@example.net), Last2, First2 or person1@example.net.\n\nLast2 knows, User2."
    assert issue["description"] == said
    assert (issue["assigned_to"], issue["watchers"], issue["custom_fields"]["Issue user"]) == (
        "user2",
        ["user3"],
        "user3",
    )
    assert {"text": said, "author": "user2"}.items() <= issue["notes"][0].items()
    assert b"left out" in found["projects/user3-home/issues/call-first2-last2/user2.txt"]

    run("export", "-o", "again", "--sanitize")
    assert tree(there / "again") == found
    again()
    run("validate", "out")
    run("apply", "--yes", "out")
    assert left("out") == []


def test_words_that_are_logins_too(there: Path, world: Running, api: Api) -> None:
    """People who are called like a module, a role, a status or a word of the tool's own sentences do no harm."""
    for login in ("wiki", "Manager", "open", "left", "no", "Design", "new", "relates", "12"):
        raw_user(api, login)
    sql(world, "UPDATE users SET firstname = 'Open', lastname = 'None' WHERE login = 'open'")
    modules = ["issue_tracking", "time_tracking", "wiki"]
    inside = {
        "members": [{"user": "open", "roles": ["Manager"]}],
        "versions": [{"name": "12", "sharing": "none", "due_date": "2026-12-12"}],
        "wiki_pages": [{"title": "Wiki", "text": "wiki"}],
        "issues": [{"subject": "left", "status": "New", "relations": [{"relates": "no"}]}, {"subject": "no"}],
        "time_entries": [{"user": "open", "spent_on": "2026-12-12", "activity": "Design", "hours": 12, "issue": "no"}],
    }
    tool(world).settle(shop(**inside, enabled_modules=modules))
    api.make("/projects/shop/issues", subject="odd", start_date="2026-12-12", due_date="2026-12-12")
    sql(world, "UPDATE issues SET due_date = '2026-01-01' WHERE subject = 'odd'")
    shown = run("export", "-o", "out", "--sanitize").stdout
    assert "issue shop/odd: due_date: due_date 2026-01-01 is before start_date 2026-12-12" in shown
    found = yaml.safe_load((there / "out" / "projects" / "shop.yaml").read_text())["projects"][0]
    assert found["enabled_modules"] == modules
    assert [member["roles"] for member in found["members"]] == [["Manager"]]
    (version,) = found["versions"]
    assert (version["name"], str(version["due_date"])) == ("user1", "2026-12-12")
    (entry,) = yaml.safe_load((there / "out" / "projects" / "shop" / "time_entries.yaml").read_text())["time_entries"]
    assert (entry["activity"], entry["hours"]) == ("Design", 12)
    run("validate", "out")


@pytest.mark.custom_fields("Issue bool", "Issue list")
def test_values_of_choices_that_name_somebody(there: Path, world: Running, api: Api) -> None:
    """A choice cannot be replaced, as the other server must know it: it is left out, and that is said."""
    raw_user(api, "red")
    tool(world).settle(shop(issues=[{"subject": "It", "custom_fields": {"Issue list": "red", "Issue bool": True}}]))
    shown = run("export", "-o", "out", "--sanitize").stdout
    assert "issue shop/it: custom_fields.Issue list: left out because it names a person" in shown
    (issue,) = yaml.safe_load((there / "out" / "projects" / "shop" / "issues.yaml").read_text())["issues"]
    assert issue["custom_fields"] == {"Issue bool": True}


def test_keys_in_issues_are_without_personal_data_too(there: Path, world: Running) -> None:
    """A stored key that names somebody is exported with the stand-in."""
    with_key_field(there)
    amy = person("qxamy", firstname="Qxam", lastname="Qxyz")
    issues = [
        {"key": "ask-qxamy", "subject": "Ask"},
        {"key": "call-qxam-qxyz", "subject": "Call", "parent": "ask-qxamy"},
    ]
    tool(world, key_field=KEY).settle({"users": [amy], **shop(issues=issues)})
    run("export", "-o", "out", "--sanitize")
    found = yaml.safe_load((there / "out" / "projects" / "shop" / "issues.yaml").read_text())["issues"]
    assert [(i["key"], i.get("parent")) for i in found] == [("ask-user2", None), ("call-first2-last2", "ask-user2")]
    assert [name for name, content in tree(there / "out").items() if "qx" in name or b"qx" in content] == []


@pytest.mark.custom_fields("Issue string", "User string", "User text")
def test_texts_that_do_not_fit_any_more(there: Path, world: Running, api: Api) -> None:
    """A subject that gets too long is cut; a custom field whose pattern the stand-in may not match is left out."""
    sql(world, "UPDATE custom_fields SET regexp = '^[a-z]+$' WHERE name IN ('User string', 'Issue string')")
    long = f"{'x' * 250} Bo Y"
    one = {"subject": long, "assigned_to": "boy", "custom_fields": {"Issue string": "boy"}}
    users = [person("boy", firstname="Bo", lastname="Y", custom_fields={"User string": "abc", "User text": "abc"})]
    tool(world).settle({"users": users, **shop(members=[{"user": "boy", "roles": ["Manager"]}], issues=[one])})
    shown = run("export", "-o", "out", "--sanitize", "--project", "shop").stdout
    assert "user user2: custom_fields.User string: left out because it names a person" in shown
    assert "custom_fields.Issue string: left out because it names a person" in shown
    (issue,) = yaml.safe_load((there / "out" / "projects" / "shop" / "issues.yaml").read_text())["issues"]
    assert issue["subject"] == f"{'x' * 250} Firs"
    run("validate", "out")


def test_stand_ins_are_written_nowhere_else(there: Path, world: Running, again: Again) -> None:
    """What looks like a stand-in already, a name or a word in a text, is nobody's: nothing gets the name of another."""
    zoe = person("zoe@corp.com", firstname="First4", lastname="Zed", mail="zoe@corp.com")
    inside = {
        "enabled_modules": ["issue_tracking", "wiki"],
        "versions": [{"name": "1.0"}],
        "issue_categories": [{"name": "Backend"}],
    }
    page, issue = {"title": "Wiki", "text": "By zoe@corp.com, LAST3 and person1."}, {"subject": "Write to x@corp.com"}
    projects = [project(name, **inside, wiki_pages=[page], issues=[issue]) for name in ("shop", "user2")]
    tool(world).settle({"users": [person("shop"), zoe], "projects": projects})
    run("export", "-o", "out", "--sanitize")
    found = tree(there / "out")
    assert [user["login"] for user in yaml.safe_load(found["users.yaml"])["users"]] == ["user1", "user5", "user6"]
    for name in ("user5", "user2"):
        (shown,) = yaml.safe_load(found[f"projects/{name}.yaml"])["projects"]
        assert (shown["versions"], shown["issue_categories"]) == (inside["versions"], inside["issue_categories"])
        assert b"By user6, LAST3 and person1." in found[f"projects/{name}/wiki_pages/Wiki.txt"]
        (issue,) = yaml.safe_load(found[f"projects/{name}/issues.yaml"])["issues"]
        assert issue["subject"] == "Write to person2@example.net"
    again()
    run("apply", "--yes", "out")
    assert left("out") == []


def test_names_that_become_the_same(there: Path, world: Running) -> None:
    """Two projects whose identifiers are one name in two spellings stay two; a wiki page whose title has become that of
    another one is left out, and that is said."""
    users = [person("sj", firstname="Sam", lastname="Smith-Jones")]
    pages = [{"title": title, "text": title} for title in ("Smith-Jones", "Smith_Jones")]
    more = {"enabled_modules": ["issue_tracking", "wiki"], "issues": [{"subject": "One"}], "wiki_pages": pages}
    tool(world).settle({"users": users, "projects": [project(name, **more) for name in ("smith-jones", "smith_jones")]})
    shown = run("export", "-o", "out", "--sanitize").stdout
    for name in ("last2", "last2-2"):
        assert f"wiki_page {name}/Last2: its sanitized name is that of another object" in shown
        assert b"title: Last2" in tree(there / "out")[f"projects/{name}/wiki_pages.yaml"]
        assert b"subject: One" in tree(there / "out")[f"projects/{name}/issues.yaml"]
    run("validate", "out")


@pytest.mark.custom_fields("Issue attachment")
def test_addresses_in_names_of_files_in_custom_fields(there: Path, world: Running, api: Api) -> None:
    """An address that is written nowhere else has a stand-in of its own too."""
    for name in ("x@corp.com.txt", "y@corp.com.txt"):
        (there / name).write_text("text")
    files = ({"file": "x@corp.com.txt"}, {"file": "y@corp.com.txt"})
    issues = [{"subject": f"{n}", "custom_fields": {"Issue attachment": file}} for n, file in enumerate(files)]
    (there / "in.yaml").write_text(yaml.safe_dump(shop(issues=issues)))
    run("apply", "--yes", "in.yaml")
    run("export", "-o", "out", "--sanitize")
    names = {Path(name).name for name in tree(there / "out") if "/issues/" in name}
    assert names == {"person1_example.net", "person2_example.net"}


def test_what_is_inside_a_project_that_cannot_be_said(there: Path, world: Running) -> None:
    """Each object in it is left out as well: below the project, and in the summary."""
    more = {"versions": [{"name": "1.0"}], "issue_categories": [{"name": "Backend"}], "issues": [{"subject": "One"}]}
    tool(world).settle(shop(**more))
    sql(world, "UPDATE projects SET identifier = 'SHOP'")
    shown = run("export", "-o", "out").stdout
    written = b"".join(tree(there / "out").values()).decode()
    for said in ("version SHOP/1.0", "issue_category SHOP/Backend", "issue SHOP/one"):
        assert f"{said}: project SHOP is left out" in " ".join(shown.split())
        assert f"# {said}:" in written
    run("validate", "out")


# -- from Python -----------------------------------------------------------------------------------------------


def test_export_from_python(there: Path, world: Running) -> None:
    """`export_to` takes what the command takes, and tells what it wrote."""
    tool(world).settle(TEAM)
    environ: Mapping[str, str] = {"REDMINE_URL": world.url, "REDMINE_API_KEY": world.api_key}
    done = reconciler.export_to("out", projects=["shop"], kinds=["issues"], environ=environ)
    assert (done.counts, done.folder, done.left_out) == ({"issue": 2}, Path("out"), ())
    assert list(tree(there / "out")) != []
    with pytest.raises(reconciler.ReconcilerError, match='There is no kind "isue"'):
        reconciler.export_to("other", kinds=["isue"], environ=environ)
