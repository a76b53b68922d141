"""What REST cannot write, as a user sees it: with the program inside Redmine, and without it."""

from __future__ import annotations

import base64
import json
import re
import stat
from pathlib import Path
from typing import Any

from canned import Canned
from catalog import Counting
from click.testing import CliRunner, Result

from reconciler.cli import main
from reconciler.kinds import declarable
from reconciler.model.catalog import Catalog

MANIFEST = """\
issue_statuses: [{name: Open}, {name: Shut, is_closed: true}]
trackers: [{name: Task, default_status: Open}]
roles:
  - {name: Lead, permissions: [view_issues], all_roles_managed: false, managed_roles: [Worker]}
  - {name: Worker, permissions: [view_issues]}
workflows:
  - {tracker: Task, role: Worker, transitions: [{from: Open, to: Shut}]}
projects:
  - {identifier: fresh, name: Fresh, trackers: [Task], issues: [{subject: A, tracker: Task, status: Open}]}
  - {identifier: other, name: Other, trackers: [Bug]}
"""


def run(*args: str, manifest: str = MANIFEST) -> Result:
    """One command."""
    Path("a.yaml").write_text(manifest)
    result = CliRunner().invoke(main, args)
    assert "Internal error" not in result.output
    return result


def outcomes(result: Result) -> dict[str, str]:
    """The outcome of each object in a report."""
    return {f"{r['kind']} {r['key']}": r["outcome"] for r in json.loads(result.stdout)["results"]}


# -- with the program ------------------------------------------------------------------------------------------


def test_one_apply_sets_up_all_of_it(canned: Canned, program: Counting) -> None:
    """What the program writes is there for what REST writes, in the same apply: one read, one check, one write."""
    result = run("apply", "--yes", "--format", "json")
    assert set(outcomes(result).values()) == {"done"}, result.output
    assert program.counts == ["read", "check", "write"]
    assert canned.row("issues", "A")["tracker"]["name"] == "Task"
    assert run("plan", "--detailed-exitcode").exit_code == 0
    assert program.counts[3:] == ["read"]


def test_what_the_program_refuses_is_a_problem_at_its_field(program: Counting) -> None:
    """Nothing is written; the plan of the rest is shown, without what needs the refused object."""
    program.refusals["Task"] = ("default_status", "it cannot have this one")
    result = run("plan")
    assert result.exit_code == 3
    assert "! a.yaml:2:25  tracker Task: it cannot have this one" in result.stderr
    assert "Left out, because of problems: " in result.stderr and "tracker Task" in result.stderr
    assert "+ role Lead" in result.stdout and "+ project other" in result.stdout
    assert "+ project fresh" not in result.stdout
    assert run("apply", "--yes").exit_code == 3
    assert "write" not in program.counts


def test_the_program_is_asked_although_something_else_is_wrong(program: Counting) -> None:
    """All problems at once: those of the planner, and those of the program."""
    program.refusals["Worker"] = ("permissions", "no role can have it")
    result = run("plan", manifest=MANIFEST.replace("trackers: [Bug]", "trackers: [Bgu]"))
    assert 'there is no tracker "Bgu"' in result.stderr and "no role can have it" in result.stderr


def test_manifests_without_the_catalog_start_no_program(program: Counting) -> None:
    """Not even if they use what is in it."""
    result = run("apply", "--yes", manifest="projects: [{identifier: fresh, name: Fresh, trackers: [Bug]}]")
    assert result.exit_code == 0
    assert program.counts == []


def test_a_saved_plan_is_applied(canned: Canned, program: Counting) -> None:
    """What it makes of the catalog is not taken for something that was made meanwhile; what was, is."""
    result = run("plan", "--out", "p.plan")
    assert result.exit_code == 0, result.output
    result = run("apply", "--yes", "--plan", "p.plan", "--format", "json")
    assert set(outcomes(result).values()) == {"done"}, result.output
    renamed = MANIFEST.replace("{name: Open}", "{name: Begun, renamed_from: Open}").replace("Open", "Begun")
    renamed = renamed.replace("renamed_from: Begun", "renamed_from: Open")
    assert run("plan", "--out", "q.plan", manifest=renamed).exit_code == 0
    assert set(outcomes(run("apply", "--yes", "--plan", "q.plan", "--format", "json")).values()) == {"done"}
    assert run("plan", "--detailed-exitcode", manifest=renamed).exit_code == 0
    late = run("apply", "--yes", "--plan", "p.plan")
    assert late.exit_code == 5 and "role Lead was created after the plan was made" in late.stderr


def test_a_saved_plan_of_other_objects_starts_no_program(program: Counting) -> None:
    """Not even if they refer to what is in the catalog."""
    other = "projects: [{identifier: fresh, name: Fresh, trackers: [Bug], issues: [{subject: A, tracker: Bug}]}]"
    assert run("plan", "--out", "p.plan", manifest=other).exit_code == 0
    assert run("apply", "--yes", "--plan", "p.plan").exit_code == 0
    assert program.counts == []


# -- without it ------------------------------------------------------------------------------------------------


def test_without_the_program_everything_else_is_done(canned: Canned) -> None:
    """What needs the catalog is skipped; each object of it fails with what to do."""
    result = run("apply", "--yes", "--format", "json")
    assert result.exit_code == 4
    assert outcomes(result) == {
        **{f"issue_status {name}": "failed" for name in ("Open", "Shut")},
        "tracker Task": "failed",
        "role Worker": "failed",
        "role Lead": "failed",
        "workflow Task / Worker": "failed",
        "project fresh": "skipped",
        "issue fresh/A": "skipped",
        "project other": "done",
    }
    assert "set catalog_command" in result.stdout and "reconciler catalog script" in result.stdout


def test_without_the_program_the_plan_says_so_once(canned: Canned) -> None:
    """One warning for all of it."""
    said = run("plan").output
    assert said.count("REST cannot write it and 5 more: set catalog_command") == 1


def test_without_the_program_what_rest_shows_is_compared(canned: Canned) -> None:
    """What is as declared, as far as can be seen, is unchanged; what differs is a change that cannot be made."""
    same = "trackers: [{name: Bug, default_status: New, description: hidden}]\nissue_statuses: [{name: New}]"
    assert run("plan", "--detailed-exitcode", manifest=same).exit_code == 0
    other = run("plan", "--detailed-exitcode", manifest="issue_statuses: [{name: New, is_closed: true}]")
    assert other.exit_code == 2 and "REST cannot write it: " in other.output


# -- the script ------------------------------------------------------------------------------------------------


def items(text: str) -> list[dict[str, Any]]:
    """The items of a script."""
    encoded = re.match(r"CATALOG_REQUEST='([^']*)'", text)
    assert encoded is not None
    request = json.loads(base64.b64decode(encoded[1]))
    assert request["op"] == "script"
    return list(request["items"])


def test_the_script_has_all_that_is_declared_in_order(canned: Canned) -> None:
    """Also what is there already: it can be run again. What refers to others comes after them, and needs them."""
    listed = items(run("catalog", "script").stdout)
    assert all(item["op"] == "ensure" for item in listed)
    named = [item["key"].get("name") for item in listed]
    assert set(named) == {"Open", "Shut", "Task", "Lead", "Worker", None}
    task = named.index("Task")
    assert [named[number] for number in listed[task]["needs"]] == ["Open"]
    last = listed[-1]
    assert last["key"]["name"] == "Lead" and last["set"] == {"managed_roles": ["Worker"]}
    assert [named[number] for number in last["needs"]] == ["Lead"]


def test_the_script_renames_and_deletes(canned: Canned) -> None:
    """A rename goes by the id that REST shows, and says what the name was; what is absent comes last."""
    text = "trackers: [{name: Fault, renamed_from: Bug}, {name: Feature, state: absent}]"
    first, last = items(run("catalog", "script", manifest=text).stdout)
    assert (first["op"], first["key"], first["was"]) == ("ensure", {"name": "Fault"}, {"name": "Bug"})
    assert first["id"] == next(row["id"] for row in canned.rows("trackers") if row["name"] == "Bug")
    assert (last["op"], last["key"]) == ("delete", {"name": "Feature"})


def test_the_script_is_a_private_file(canned: Canned) -> None:
    """It may contain a password."""
    result = run("catalog", "script", "-o", "c.rb")
    assert "Written: c.rb, with 6 objects." in result.stderr
    assert stat.S_IMODE(Path("c.rb").stat().st_mode) == 0o600
    assert items(Path("c.rb").read_text())


def test_manifests_without_the_catalog_need_no_script(canned: Canned) -> None:
    """That is said."""
    result = run("catalog", "script", manifest="projects: [{identifier: fresh, name: Fresh}]")
    assert result.exit_code == 1 and "declare nothing that REST cannot write" in result.stderr


# -- export ----------------------------------------------------------------------------------------------------


def test_an_export_of_everything_plans_empty(program: Counting) -> None:
    """What the program shows is exported with --all, and is what is live."""
    run("apply", "--yes")
    result = CliRunner().invoke(main, ["export", "--all", "-o", "out"])
    assert result.exit_code == 0, result.output
    lists = {kind.plural for kind in declarable().values() if kind.has(Catalog) and not kind.inside}
    assert {"trackers", "roles", "workflows", "issue_statuses"} <= lists & {
        path.stem for path in Path("out").glob("*.yaml")
    }
    again = CliRunner().invoke(main, ["plan", "--detailed-exitcode", "out"])
    assert again.exit_code == 0, again.output


def test_an_export_of_the_catalog_needs_the_program(canned: Canned) -> None:
    """Without it, that is said, and nothing is written."""
    for args in (["--all"], ["--kind", "workflow"]):
        result = CliRunner().invoke(main, ["export", *args, "-o", "out"])
        assert result.exit_code == 1 and "set catalog_command to export them" in result.output
    assert not Path("out").exists()


def test_only_the_chosen_lists_are_exported(program: Counting) -> None:
    """`--kind` takes the lists of the catalog too, and without `--all` nothing of it is exported."""
    CliRunner().invoke(main, ["export", "--kind", "tracker", "-o", "one"])
    assert [path.name for path in Path("one").glob("*.yaml")] == ["trackers.yaml"]
    CliRunner().invoke(main, ["export", "-o", "rest"])
    assert not Path("rest/trackers.yaml").exists()


def test_an_export_reads_what_it_writes_or_names(canned: Canned, program: Counting) -> None:
    """Nothing of what the API lists has a document category: they are read for --all alone."""
    for name, args in (("some", []), ("all", ["--all"])):
        canned.seen.clear()
        assert CliRunner().invoke(main, ["export", *args, "-o", name]).exit_code == 0
        assert any("document_categories" in path for _, path in canned.seen) is (name == "all")
