"""The lease on the command line: who gets it, who is refused, and that it is free in the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from canned import Canned
from click.testing import CliRunner, Result
from commands import on_a_terminal
from msgspec.structs import replace
from stub import Stub

from reconciler.apply import lease as leases
from reconciler.apply.lease_page import Entry, entry_of, text_of
from reconciler.cli import main
from schemas import conform

SHOP = "projects: [{identifier: shop, issues: [{subject: a}, {subject: b}]}]"
OTHER = Entry("0123", "amy@ci-7", "4711", "reconciler apply", "2036-01-01 12:00:00 UTC", "2036-01-01 12:02:00 UTC")


@pytest.fixture
def site(canned: Canned, monkeypatch: pytest.MonkeyPatch) -> Canned:
    """A Redmine with a project for the lease, and manifests for it in the current folder."""
    monkeypatch.setattr(leases, "SETTLING", 0.0)
    monkeypatch.setattr(leases, "POLL", 0.01)
    canned.add("projects", identifier="ops", enabled_modules=["wiki"])
    Path("reconciler.yaml").write_text("lease: {project: ops}\n")
    Path("a.yaml").write_text(SHOP)
    return canned


@pytest.fixture
def served(site: Canned, monkeypatch: pytest.MonkeyPatch) -> Iterator[Canned]:
    """The same over a real connection, for a process of its own."""
    with Stub(site.answer) as stub:
        monkeypatch.setenv("REDMINE_URL", stub.url)
        yield site


def run(*args: str) -> Result:
    """One command."""
    return CliRunner().invoke(main, args)


def entry(site: Canned) -> Entry:
    """What the page of the lease says."""
    found = entry_of(site.row("wiki_pages", "Reconciler_lease")["text"])
    assert found is not None
    return found


def hold(site: Canned, other: Entry = OTHER) -> None:
    """Lets another run hold the lease."""
    site.add("wiki_pages", inside="ops", title="Reconciler_lease", text=text_of(other), version=7)


def writes(site: Canned) -> list[str]:
    """The paths of all writes but those to the page of the lease."""
    return [path for method, path in site.seen if method != "GET" and "/wiki/" not in path]


def test_the_lease_is_taken_before_anything_is_read(site: Canned) -> None:
    """The second of two runs plans with what the first has done: no list is read before the lease is held."""
    assert run("apply", "--yes").exit_code == 0
    paths = [f"{method} {path}" for method, path in site.seen]
    swap = next(n for n, path in enumerate(paths) if path.startswith("PUT") and "Reconciler_lease" in path)
    assert swap < min(n for n, path in enumerate(paths) if "trackers" in path or "/issues" in path)
    assert paths[-2].startswith("PUT /projects/ops/wiki/Reconciler_lease"), "it is given back at the end"
    assert entry(site).holder == ""
    assert [row["subject"] for row in site.rows("issues")] == ["a", "b"]


def test_a_lease_that_another_run_holds_ends_the_command_with_5(site: Canned) -> None:
    """Nothing is read or written, and the message says who holds the lease and how to end it."""
    hold(site)
    result = run("apply", "--yes")
    assert result.exit_code == 5
    assert "amy@ci-7 (reconciler apply, process 4711), since 2036-01-01 12:00:00 UTC" in result.stderr
    assert "reconciler lease break" in result.stderr
    assert writes(site) == [] and entry(site) == OTHER
    assert not any("issues" in path for _, path in site.seen)


def test_a_lease_that_another_run_holds_is_json_too(site: Canned) -> None:
    """With --format json, stdout has one document."""
    hold(site)
    result = run("apply", "--yes", "--format", "json")
    assert result.exit_code == 5
    assert "Another run holds the lease" in json.loads(result.stdout)["problems"][0]["message"]


def test_an_apply_waits_for_the_lease_and_says_for_whom(site: Canned) -> None:
    """With --lease-timeout, it goes on as soon as the other run is done."""
    hold(site)
    looks = []

    def release(method: str, path: str) -> None:
        if "Reconciler_lease" in path and method == "GET":
            looks.append(path)
            if len(looks) == 3:
                site.row("wiki_pages", "Reconciler_lease").update(text=text_of(OTHER.ended("released")), version=8)

    site.before = release
    result = run("apply", "--yes", "--lease-timeout", "30")
    assert result.exit_code == 0
    assert result.stderr.count("Waiting for the lease: amy@ci-7") == 1
    assert len(site.rows("issues")) == 2


def test_an_apply_waits_no_longer_than_it_may(site: Canned) -> None:
    """After the time it ends with 5."""
    hold(site)
    assert run("apply", "--yes", "--lease-timeout", "0.1").exit_code == 5
    assert writes(site) == []


@pytest.mark.parametrize("command", [["plan"], ["check"], ["validate"], ["export", "-o", "out"]])
def test_what_only_reads_needs_no_lease(site: Canned, command: list[str]) -> None:
    """While another run holds the lease, everything that writes nothing can be used, and leaves the page alone."""
    hold(site)
    assert run(*command).exit_code == 0
    assert entry(site) == OTHER and site.row("wiki_pages", "Reconciler_lease")["version"] == 7


def test_an_export_leaves_the_page_of_the_lease_out(site: Canned) -> None:
    """The page is the program's own: no manifest of an export declares it, and none says that it is left out."""
    hold(site)
    site.add("wiki_pages", inside="ops", title="Other", text="other", author=None)
    result = run("export", "-o", "out")
    assert result.exit_code == 0
    texts = "\n".join(path.read_text() for path in Path("out").rglob("*") if path.is_file())
    assert "title: Other" in texts and "lease" not in (texts + result.output).casefold()


def test_the_page_of_the_lease_is_neither_unmanaged_nor_pruned(site: Canned) -> None:
    """In a project whose wiki pages are all declared, a page that is not is listed and deleted; that of the lease stays."""
    site.add("wiki_pages", inside="ops", title="Other", text="other")
    hold(site, Entry())
    Path("a.yaml").write_text(
        "projects: [{identifier: ops, authoritative: [wiki_pages], wiki_pages: [{title: Kept, text: kept}]}]"
    )
    listed = run("plan", "--unmanaged")
    assert "ops/Other" in listed.stdout and "lease" not in listed.stdout.casefold()
    assert "ops/Other" in run("plan", "--prune").stdout
    assert "lease" not in run("plan", "--prune").stdout.casefold()


def test_no_manifest_declares_the_page_of_the_lease(site: Canned) -> None:
    """A manifest that does would overwrite the lease: a problem, without a server."""
    Path("a.yaml").write_text("wiki_pages: [{project: ops, title: reconciler lease, text: x}]")
    result = run("validate")
    assert result.exit_code == 3
    assert "the lease of reconciler.yaml is kept on this page" in result.output


def test_writing_keys_takes_the_lease(site: Canned) -> None:
    """`export --write-keys` writes, so it ends with 5 while another run holds the lease."""
    site.add("custom_fields", name="Config key")
    site.add("issues", project="shop", subject="old")
    Path("reconciler.yaml").write_text("lease: {project: ops}\nissue_key_field: Config key\n")
    hold(site)
    assert run("export", "-o", "out", "--write-keys", "--yes").exit_code == 5
    assert writes(site) == []
    site.row("wiki_pages", "Reconciler_lease").update(text=text_of(Entry()))
    assert run("export", "-o", "out", "--write-keys", "--yes").exit_code == 0
    assert writes(site) != [] and entry(site).command == "reconciler export --write-keys"


def test_a_saved_plan_takes_the_lease(site: Canned) -> None:
    """`apply --plan` writes as well."""
    assert run("plan", "--out", "saved.plan").exit_code == 0
    hold(site)
    assert run("apply", "--plan", "saved.plan", "--yes").exit_code == 5
    site.row("wiki_pages", "Reconciler_lease").update(text=text_of(Entry()))
    assert run("apply", "--plan", "saved.plan", "--yes").exit_code == 0
    assert entry(site).holder == "" and len(site.rows("issues")) == 2


def test_show_says_who_holds_the_lease(site: Canned) -> None:
    """Held, free, or never held: with the address of the page."""
    assert run("lease", "show").stdout == f"The lease is free.\n{site.url}/projects/ops/wiki/Reconciler_lease\n"
    hold(site)
    assert run("lease", "show").stdout.splitlines() == [
        "Held by: amy@ci-7 (reconciler apply, process 4711)",
        "Since:   2036-01-01 12:00:00 UTC",
        "Until:   2036-01-01 12:02:00 UTC (if it is not renewed)",
        f"Page:    {site.url}/projects/ops/wiki/Reconciler_lease",
    ]
    assert all(method == "GET" for method, _ in site.seen)


def test_break_ends_the_lease(site: Canned) -> None:
    """The page says who ended it; the next run takes the lease."""
    hold(site)
    result = run("lease", "break", "--yes")
    assert (result.exit_code, entry(site).holder) == (0, "")
    assert entry(site).note.startswith("ended by ")
    assert run("apply", "--yes").exit_code == 0
    assert run("lease", "break", "--yes").stdout.startswith("The lease is free")


def test_break_needs_a_confirmation(site: Canned) -> None:
    """Without a terminal and without --yes, the lease stays."""
    hold(site)
    result = run("lease", "break")
    assert result.exit_code == 1 and "add --yes" in result.stderr
    assert entry(site) == OTHER


@pytest.mark.parametrize("command", ["show", "break"])
def test_without_the_setting_there_is_no_lease_to_show(site: Canned, command: str) -> None:
    """The message says what to set."""
    Path("reconciler.yaml").write_text("")
    result = run("lease", command)
    assert result.exit_code == 1 and "lease: {project: ops}" in result.stderr


def start(*args: str) -> subprocess.Popen[str]:
    """A process of its own."""
    command = [sys.executable, "-m", "reconciler", *args]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("during", ["GET /issues.json", "POST /projects/shop/issues.json"])
def test_a_signal_gives_the_lease_back(served: Canned, number: int, during: str) -> None:
    """Ctrl-C and SIGTERM, while the server is read or while changes are made: the lease is free afterwards."""
    with_lease = []

    def interrupt(method: str, path: str) -> None:
        if f"{method} {path.partition('?')[0]}" == during and not with_lease:
            with_lease.append(entry(served).holder)
            process.send_signal(number)
            time.sleep(0.3)

    served.before = interrupt
    process = start("apply", "--yes", "--concurrency", "1")
    stderr = process.communicate(timeout=30)[1]
    assert process.returncode == 130, stderr
    assert with_lease[0] and entry(served).holder == ""
    assert "Traceback" not in stderr


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("\x03", 130), ("TERM", 130)])
def test_a_question_gives_the_lease_back(served: Canned, answer: str, code: int) -> None:
    """Whatever the answer to the question is, and also if the program is ended while it asks: the lease is free."""

    def reply(pid: int) -> str:
        assert entry(served).holder
        if answer != "TERM":
            return answer
        os.kill(pid, signal.SIGTERM)
        return ""

    shown, exit_code = on_a_terminal(["apply"], "[y/N] ", reply)
    assert exit_code == code, shown
    assert entry(served).holder == ""


@pytest.mark.slow
def test_of_two_processes_one_waits_for_the_other(served: Canned) -> None:
    """Two applies of the same manifests that start together: both end with 0, and nothing is there twice."""
    both = [start("apply", "--yes", "--lease-timeout", "30") for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert sorted(row["subject"] for row in served.rows("issues")) == ["a", "b"]


# -- a project that the run itself makes --------------------------------------------------------------------------

NEW = "projects: [{identifier: %s, name: Ops, enabled_modules: [wiki]}, {identifier: shop, issues: [{subject: a}]}]"


@pytest.mark.parametrize("saved", [False, True])
def test_the_first_apply_makes_the_project_of_its_lease(site: Canned, saved: bool) -> None:
    """Where the project is declared and does not exist yet, there can be no lease: the run says so, and the next one
    takes it."""
    Path("reconciler.yaml").write_text("lease: {project: fresh}\n")
    Path("a.yaml").write_text(NEW % "fresh")
    if saved:
        assert run("plan", "--out", "saved.plan").exit_code == 0
    first = run("apply", "--yes", *(["--plan", "saved.plan"] if saved else []))
    assert first.exit_code == 0, first.output
    said = 'No lease for this run: the project "fresh" does not exist yet, and this run is to change that.'
    assert said in first.stderr
    second = run("apply", "--yes")
    assert (second.exit_code, "No lease" in second.stderr) == (0, False)
    assert entry(site).command == "reconciler apply"


def test_a_wiki_that_the_run_enables_is_no_problem(site: Canned) -> None:
    """The project is there, and the manifests give it the module."""
    site.row("projects", "ops")["enabled_modules"] = []
    Path("a.yaml").write_text(NEW % "ops")
    assert "does not have the module wiki yet" in run("apply", "--yes").stderr


@pytest.mark.parametrize("manifest", [SHOP, NEW % "fresh, state: absent", (NEW % "fresh").replace("[wiki]", "[news]")])
def test_a_project_that_nothing_makes_is_a_problem(site: Canned, manifest: str) -> None:
    """Nothing is written, and the message says where `lease` is set."""
    Path("reconciler.yaml").write_text("lease: {project: fresh}\n")
    Path("a.yaml").write_text(manifest)
    result = run("apply", "--yes")
    assert result.exit_code == 3
    assert 'lease: project "fresh" does not exist' in result.output
    assert writes(site) == []


# -- the lease for programs ----------------------------------------------------------------------------------------


def shown(*args: str) -> dict[str, object]:
    """What `lease show` prints as JSON, which has the form of its schema."""
    result = run("lease", "show", "--format", "json", *args)
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    conform(found, "lease")
    return found


def test_show_as_json(site: Canned) -> None:
    """Free, held, expired: with the times as ISO 8601."""
    assert shown()["state"] == "free"
    hold(site)
    found = shown()
    assert (found["state"], found["who"], found["holder"]) == ("held", "amy@ci-7", "0123")
    assert found["expires"] == "2036-01-01T12:02:00+00:00"
    assert found["url"] == f"{site.url}/projects/ops/wiki/Reconciler_lease"
    site.row("wiki_pages", "Reconciler_lease")["text"] = text_of(replace(OTHER, expires="2020-01-01 12:00:00 UTC"))
    assert shown()["state"] == "expired"
    assert run("lease", "break", "--yes").exit_code == 0
    assert shown()["state"] == "free" and str(shown()["note"]).startswith("ended by ")


def test_the_configuration_is_found_by_a_path(site: Canned) -> None:
    """As for `apply PATH`: the configuration beside the manifests counts."""
    Path("team").mkdir()
    Path("reconciler.yaml").rename("team/reconciler.yaml")
    assert run("lease", "show").exit_code == 1
    assert shown("team")["state"] == "free"
    assert run("lease", "break", "--yes", "team").exit_code == 0
