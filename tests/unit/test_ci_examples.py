"""The examples for CI: their commands run, their scripts do what they say, and no secret is in a command line."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from canned import Canned
from click.testing import CliRunner
from paths import ROOT
from stub import Stub

from reconciler.cli import main

CI = ROOT / "examples" / "ci"
GITHUB = CI / "github"
ACTION = "OWNER/redmine-reconciler@"
WORKFLOWS = sorted(GITHUB.glob("*.yml"))
MANIFEST = "projects: [{identifier: shop, name: Renamed}, {identifier: fresh, name: New}]"


def load(path: Path) -> list[dict[str, Any]]:
    """The documents of a YAML file; `on` stays a text."""
    return [{str(k): v for k, v in one.items()} for one in yaml.load_all(path.read_text(), yaml.BaseLoader)]


def steps(path: Path) -> Iterator[Mapping[str, Any]]:
    """The steps of all jobs of a workflow."""
    (workflow,) = load(path)
    for job in workflow["jobs"].values():
        yield from job["steps"]


def run(*args: str, code: int = 0) -> str:
    """One command of the program, in this process; what it printed."""
    result = CliRunner().invoke(main, args)
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.fixture
def manifests(canned: Canned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Canned:
    """The current folder as a checkout: manifests in `redmine/`, with a configuration for two instances."""
    Path("redmine").mkdir()
    Path("redmine/shop.yaml").write_text(MANIFEST)
    instances = {name: {"url": canned.url} for name in ("staging", "production")}
    Path("redmine/reconciler.yaml").write_text(json.dumps({"instances": instances}))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    monkeypatch.setenv("RUNNER_TEMP", str(tmp_path))
    return canned


def shell(script: str | Path, folder: Path, programs: Mapping[str, str], **env: str) -> str:
    """Run a script with stand-ins for programs; what it printed."""
    (folder / "bin").mkdir(exist_ok=True)
    for name, text in programs.items():
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / "bin" / name).chmod(0o755)
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    command = ["sh", str(script)] if isinstance(script, Path) else ["sh", "-euc", script]
    done = subprocess.run(
        command, cwd=folder, env={"PATH": path, **env}, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# -- GitHub ----------------------------------------------------------------------------------------------------


def arguments(step: Mapping[str, Any], instance: str = "staging") -> list[str]:
    """What the action makes of a step's inputs, as `run.sh` does."""
    given = step["with"]
    words = given.get("arguments", "").replace("${{ matrix.instance }}", instance).split()
    paths = [] if {word.partition("=")[0] for word in words} >= {"--plan"} else given.get("paths", ".").split()
    form = [] if given["command"] == "check" else ["--format", "github"]
    reports = ["--report", f"markdown={os.environ['GITHUB_STEP_SUMMARY']}"]
    reports += ["--report", f"{os.environ['RUNNER_TEMP']}/reconciler.md"]
    return [given["command"], *form, *reports, *words, *paths]


def test_the_workflows_validate_plan_and_apply(manifests: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, with the saved plan in between; then there is no drift."""
    monkeypatch.setenv("REDMINE_URL", manifests.url)
    actions = [
        s for name in ("plan", "apply", "drift") for s in steps(GITHUB / f"{name}.yml") if ACTION in s.get("uses", "")
    ]
    assert [step["with"]["command"] for step in actions] == ["validate", "plan", "apply", "plan"]
    Path("redmine/reconciler.yaml").write_text("{}")
    validate, plan, apply, drift = map(arguments, actions)
    run(*validate)
    assert "::notice file=redmine/shop.yaml" in run(*plan)
    run(*drift, code=2)
    run(*apply)
    assert {row["name"] for row in manifests.rows("projects")} >= {"Renamed", "New"}
    run(*drift)
    text = Path(os.environ["GITHUB_STEP_SUMMARY"]).read_text()
    assert text.count("### Plan:") == 3
    assert "### Applied: 2 done" in text


def test_the_fleet(manifests: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each instance of the matrix has a plan of its own."""
    monkeypatch.delenv("REDMINE_URL")
    (workflow,) = load(GITHUB / "fleet.yml")
    (step,) = [s for s in steps(GITHUB / "fleet.yml") if ACTION in s.get("uses", "")]
    for instance in workflow["jobs"]["plan"]["strategy"]["matrix"]["instance"]:
        assert "Plan: 1 to create, 1 to change" in run(*arguments(step, instance))


@pytest.mark.parametrize(
    "inputs",
    [
        ("plan", "a b", "--out x.plan"),
        ("apply", ".", "--plan x.plan --yes"),
        ("apply", ".", "--yes\n--plan=x.plan\n"),
        ("check", ".", ""),
    ],
)
def test_the_action_runs_what_these_tests_run(inputs: tuple[str, str, str], manifests: Canned, tmp_path: Path) -> None:
    """`run.sh` gives the program the same arguments."""
    command, paths, more = inputs
    (tmp_path / "reconciler.md").write_text("of an earlier step")
    env = {name: os.environ[name] for name in ("GITHUB_STEP_SUMMARY", "RUNNER_TEMP")}
    shown = shell(
        GITHUB / "run.sh",
        tmp_path,
        {"reconciler": 'printf "%s\\n" "$@"'},
        COMMAND=command,
        PATHS=paths,
        ARGUMENTS=more,
        GITHUB_OUTPUT=str(tmp_path / "out"),
        **env,
    )
    assert shown.split() == arguments({"with": {"command": command, "paths": paths, "arguments": more}})
    # Whatever ends this run, such as a misspelt option: the comment is not what another run has found.
    assert not (tmp_path / "reconciler.md").exists()


MARK = "<!-- reconciler: production -->"
ADDED = ("POST", "/repos/o/r/issues/7/comments")


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment of a step for pull request 7, with a result in its folder."""
    given = {
        "RUNNER_TEMP": str(tmp_path),
        "NAME": "production",
        "NUMBER": "7",
        "GITHUB_REPOSITORY": "o/r",
        "TOKEN": "t",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "reconciler.md").write_text("### Plan\n")
    return tmp_path


def script(path: Path) -> ModuleType:
    """A script of the examples as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def comments(*written: tuple[int, str, str], viewer: str = "github-actions[bot]") -> list[dict[str, Any]]:
    """The answers of GitHub's GraphQL API: a page for each comment, which has a number, an author and a text."""
    pages = [
        {
            "nodes": [{"databaseId": number, "author": {"login": login} if login else None, "body": body}],
            "pageInfo": {"hasNextPage": True, "endCursor": str(index + 1)},
        }
        for index, (number, login, body) in enumerate(written)
    ]
    pages.append({"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}})
    return [{"viewer": {"login": viewer}, "repository": {"pullRequest": {"comments": page}}} for page in pages]


@pytest.mark.parametrize(
    ("known", "call"),
    [
        (comments(), ADDED),
        (
            comments((11, "eve", f"{MARK}\nmine"), (12, "github-actions", f"{MARK}\nold")),
            ("PATCH", "/repos/o/r/issues/comments/12"),
        ),
        (comments((11, "eve", f"{MARK}\nmine"), (12, "", f"{MARK}\nof a deleted account")), ADDED),
        (comments((11, "github-actions", f"> {MARK}")), ADDED),
        (comments((11, "bot", f"{MARK}\nold"), viewer="bot"), ("PATCH", "/repos/o/r/issues/comments/11")),
    ],
)
def test_one_comment_is_kept_up_to_date(
    known: list[dict[str, Any]], call: tuple[str, str], environ: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is added once, and changed by every later run; one that somebody else wrote is not touched."""
    written = []

    def answer(method: str, target: str, body: bytes) -> tuple[int, bytes]:
        data = json.loads(body)
        if target == "/graphql":
            return 200, json.dumps({"data": known[int(data["variables"]["after"] or 0)]}).encode()
        written.append((method, target, data["body"]))
        return 200, b"{}"

    with Stub(answer) as server:
        monkeypatch.setenv("GITHUB_API_URL", server.url)
        monkeypatch.setenv("GITHUB_GRAPHQL_URL", f"{server.url}/graphql")
        script(GITHUB / "comment.py").main(environ / "reconciler.md")
    assert written == [(*call, f"{MARK}\n### Plan\n")]


def test_no_comment_without_a_result(environ: Path) -> None:
    """A run that has found nothing, because its options were wrong, asks and writes nothing."""
    script(GITHUB / "comment.py").main(environ / "missing.md")


def test_a_comment_that_may_not_be_written(environ: Path) -> None:
    """The run does not fail for it: the result is in the summary of the step."""
    with Stub(lambda method, target, body: (403, b"{}")) as server:
        env = {"GITHUB_API_URL": server.url, "GITHUB_GRAPHQL_URL": f"{server.url}/graphql"}
        command = [sys.executable, str(GITHUB / "comment.py")]
        done = subprocess.run(
            command, env={**os.environ, **env}, capture_output=True, text=True, check=True, timeout=60
        )
    assert done.stdout.startswith("::warning::")


@pytest.mark.parametrize(
    ("code", "known", "calls"),
    [
        ("0", "", []),
        ("0", "5", ["issue close 5"]),
        ("2", "5", ["issue edit 5"]),
        ("2", "", ["label create", "issue create"]),
    ],
)
def test_drift_has_one_issue(code: str, known: str, calls: list[str], tmp_path: Path) -> None:
    """It is opened once, kept up to date, and closed when the Redmine is as declared again."""
    (commands,) = [step["run"] for step in steps(GITHUB / "drift.yml") if "run" in step]
    stand_in = f'case "$*" in "issue list"*) printf "%s" "{known}" ;; *) echo "$1 $2 $3" >> calls ;; esac'
    shell(commands, tmp_path, {"gh": stand_in}, CODE=code, RUNNER_TEMP=str(tmp_path))
    made = (tmp_path / "calls").read_text().splitlines() if (tmp_path / "calls").exists() else []
    assert len(made) == len(calls)
    assert all(line.startswith(call) for line, call in zip(made, calls, strict=True))


@pytest.mark.parametrize("code", ["1", "3", "130", ""])
def test_without_a_plan_nothing_is_said_of_drift(code: str, tmp_path: Path) -> None:
    """Of a server that is away, or if nothing ran: the job fails, and the issue stays as it is."""
    (commands,) = [step["run"] for step in steps(GITHUB / "drift.yml") if "run" in step]
    stand_in = 'case "$*" in "issue list"*) echo 5 ;; *) echo "$1 $2 $3" >> calls ;; esac'
    with pytest.raises(AssertionError):
        shell(commands, tmp_path, {"gh": stand_in}, CODE=code, RUNNER_TEMP=str(tmp_path))
    assert not (tmp_path / "calls").exists()


@pytest.mark.parametrize("code", [0, 2, 5])
def test_the_action_tells_the_exit_code(code: int, tmp_path: Path) -> None:
    """As an output, which a step that goes on after an error can read; it ends with it, too."""
    env = {"RUNNER_TEMP": str(tmp_path), "GITHUB_STEP_SUMMARY": "s", "GITHUB_OUTPUT": str(tmp_path / "out")}
    given = {"COMMAND": "plan", "PATHS": ".", "ARGUMENTS": ""}
    try:
        shell(GITHUB / "run.sh", tmp_path, {"reconciler": f"exit {code}"}, **env, **given)
        assert code == 0
    except AssertionError:
        assert code
    assert (tmp_path / "out").read_text() == f"exit-code={code}\n"
    (action,) = load(ROOT / "action.yml")
    assert action["outputs"]["exit-code"]["value"] == "${{ steps.run.outputs.exit-code }}"
    assert "run" in [step.get("id") for step in action["runs"]["steps"]]


def test_the_reviewed_plan_is_the_one_that_is_applied(tmp_path: Path) -> None:
    """It is that of the merged commit."""
    (commands,) = [step["run"] for step in steps(GITHUB / "apply.yml") if "run" in step]
    shell(commands, tmp_path, {"gh": 'echo "$@" >> calls; case "$2" in list) echo 42 ;; esac'}, HEAD="abc")
    listed, downloaded = (tmp_path / "calls").read_text().splitlines()
    assert "--workflow plan.yml" in listed
    assert "--commit abc" in listed
    assert downloaded == "run download 42 --name redmine-plan"


def test_without_a_reviewed_plan_nothing_is_applied(tmp_path: Path) -> None:
    """The job says which one is missing, and how to get it."""
    (commands,) = [step["run"] for step in steps(GITHUB / "apply.yml") if "run" in step]
    with pytest.raises(AssertionError):
        shell(commands, tmp_path, {"gh": 'echo "$@" >> calls'}, HEAD="abc")
    assert len((tmp_path / "calls").read_text().splitlines()) == 1


def test_a_job_can_be_run_again() -> None:
    """What a job keeps for another one replaces what its first run has kept."""
    (kept,) = [step["with"] for step in steps(GITHUB / "plan.yml") if "upload-artifact" in step.get("uses", "")]
    assert kept["overwrite"] == "true"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_give_away_nothing(path: Path) -> None:
    """Few permissions, no secrets for forks, and no value of an event in a script."""
    (workflow,) = load(path)
    assert workflow["permissions"]["contents"] == "read"
    assert "pull_request_target" not in path.read_text()
    for job in workflow["jobs"].values():
        secret = "secrets." in json.dumps(job)
        assert (
            not secret
            or "pull_request" not in workflow["on"]
            or "head.repo.full_name == github.repository" in job["if"]
        )
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")
            assert re.fullmatch(
                r"(actions/[\w-]+@v\d+|OWNER/redmine-reconciler@v[\d.]+)", step.get("uses", "actions/checkout@v4")
            )


def test_the_inputs_of_the_action() -> None:
    """Workflows use inputs that it has; in its scripts they are variables, so that none is a command."""
    (action,) = load(ROOT / "action.yml")
    used = {
        name for path in WORKFLOWS for step in steps(path) if ACTION in step.get("uses", "") for name in step["with"]
    }
    assert used <= action["inputs"].keys()
    for step in action["runs"]["steps"]:
        assert "${{" not in step.get("run", "")
        for name in re.findall(r"\$GITHUB_ACTION_PATH/(\S+\.(?:sh|py))", step.get("run", "")):
            assert (ROOT / name).is_file()


# -- GitLab ----------------------------------------------------------------------------------------------------


def test_the_jobs_of_gitlab(manifests: Canned) -> None:
    """Their commands run one after the other, and the reports that GitLab shows are there."""
    Path("redmine/reconciler.yaml").write_text("{}")
    (pipeline,) = load(CI / "gitlab" / ".gitlab-ci.yml")
    for job, code in (("validate", 0), ("plan", 0), ("drift", 2), ("apply", 0), ("drift", 0)):
        (line,) = pipeline[job]["script"]
        program, *args = shlex.split(line)
        assert program == "reconciler"
        run(*args, code=code)
        for name in pipeline[job]["artifacts"].get("reports", {}).values():
            assert Path(name).exists()
    assert json.loads(Path("tfplan.json").read_text()) == {"create": 1, "update": 1, "delete": 0}
    assert json.loads(Path("gl-code-quality-report.json").read_text()) == []


def test_a_merge_request_has_all_reports() -> None:
    """Its pipeline has the jobs that validate and plan, so that GitLab shows what both have found."""
    (pipeline,) = load(CI / "gitlab" / ".gitlab-ci.yml")
    assert pipeline["workflow"]["rules"][0] == {"if": '$CI_PIPELINE_SOURCE == "merge_request_event"'}
    # With rules of the workflow, a job without rules is in every pipeline.
    assert "rules" not in pipeline["validate"]
    for job in ("validate", "plan"):
        assert "codequality" in pipeline[job]["artifacts"]["reports"]


@pytest.mark.parametrize("known", [False, True])
def test_one_note_is_kept_up_to_date(known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is added once, and changed by every later run; a note that only quotes it, or is somebody else's, is not."""
    note = script(CI / "gitlab" / "note.py")
    texts = {1: (9, f"> {note.MARK}"), 2: (5, f"{note.MARK}\nmine"), **({3: (9, f"{note.MARK}\nold")} if known else {})}
    notes = [{"id": number, "author": {"id": who}, "body": text} for number, (who, text) in texts.items()]

    def answer(method: str, target: str, body: bytes) -> tuple[int, bytes]:
        rows: Any = {"id": 9} if target == "/user" else notes if target.endswith("page=1") else []
        return 200, json.dumps(rows if method == "GET" else {}).encode()

    (tmp_path / "plan.md").write_text("### Plan\n")
    with Stub(answer) as server:
        env = {"CI_API_V4_URL": server.url, "CI_PROJECT_ID": "3", "CI_MERGE_REQUEST_IID": "4", "GITLAB_TOKEN": "t"}
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        note.main(str(tmp_path / "plan.md"))
    method, target, _ = server.seen[-1]
    assert (method, target) == (
        ("PUT", "/projects/3/merge_requests/4/notes/3") if known else ("POST", "/projects/3/merge_requests/4/notes")
    )


# -- everything else -------------------------------------------------------------------------------------------


def test_the_hook_of_pre_commit(manifests: Canned) -> None:
    """Its command validates the folders in `args`."""
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    program, *args = shlex.split(hook["entry"])
    assert program == "reconciler"
    assert "Valid: 2 objects" in run(*args, "redmine")
    for name in ("a.yaml", "b/c.yml", "d.json"):
        assert re.search(hook["files"], name)


def pods() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The pod and the container of each example for Kubernetes."""
    (cron,) = load(CI / "kubernetes" / "cronjob.yaml")
    pod = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    yield pod, pod["containers"][0]
    (fleet,) = load(CI / "kubernetes" / "fleet.yaml")
    template = next(one for one in fleet["spec"]["templates"] if "container" in one)
    yield template, template["container"]


def test_the_jobs_of_kubernetes(manifests: Canned, tmp_path: Path) -> None:
    """Their arguments run on a volume as Kubernetes makes it: each file is a link into a hidden folder."""
    volume = tmp_path / "volume"
    (volume / "..2026").mkdir(parents=True)
    (volume / "..data").symlink_to("..2026")
    for file in Path("redmine").iterdir():
        (volume / "..2026" / file.name).write_text(file.read_text())
        (volume / file.name).symlink_to(f"..data/{file.name}")
    for _, container in pods():
        args = [
            a.replace("/manifests", str(volume)).replace("{{inputs.parameters.instance}}", "staging")
            for a in container["args"]
        ]
        chosen = args if "--instance" in args else [*args, "--instance", "staging"]
        run(*chosen, code=2)


def test_pods_can_do_little() -> None:
    """They are no root, write nothing, and get secrets from a Secret."""
    for pod, container in pods():
        assert pod["securityContext"]["runAsNonRoot"] == "true"
        assert container["securityContext"]["readOnlyRootFilesystem"] == "true"
        assert container["securityContext"]["allowPrivilegeEscalation"] == "false"
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert list(container["envFrom"][0]) == ["secretRef"]
        assert "env" not in container


def test_the_containerfile() -> None:
    """It copies what exists, runs as the user of the pods, has no installer in it, and its base has a version."""
    lines = re.sub(r"\\\n\s*", " ", (ROOT / "Containerfile").read_text()).splitlines()
    instructions = [line.split() for line in lines if line and not line.startswith("#")]
    assert all(re.search(r":3\.\d+-slim-\w+$", words[1]) for words in instructions if words[0] == "FROM")
    copied = [name for words in instructions if words[0] == "COPY" and "--from" not in words[1] for name in words[1:-1]]
    assert all((ROOT / name).exists() for name in copied)
    (user,) = [words[1] for words in instructions if words[0] == "USER"]
    assert {pod["securityContext"]["runAsUser"] for pod, _ in pods()} == {user}
    assert ["ENTRYPOINT", '["reconciler"]'] in instructions
    assert ["RUN", "python", "-m", "venv", "--without-pip", "/opt/reconciler"] in instructions


def test_no_secret_is_in_a_command_line() -> None:
    """Other users of a machine see command lines, and logs repeat them."""
    scripts = [step.get("run", "") for path in WORKFLOWS for step in steps(path)]
    (pipeline,) = load(CI / "gitlab" / ".gitlab-ci.yml")
    scripts += [line for job in pipeline.values() if "script" in job for line in job["script"]]
    scripts += [word for _, container in pods() for word in container["args"]]
    assert scripts
    assert not [line for line in scripts if re.search("KEY|TOKEN|PASSWORD", line)]


def test_the_demo_keeps_to_itself(tmp_path: Path) -> None:
    """It ends with the addresses of the project and of the pages that it wrote, and its names are its own."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    stand_in = 'for a; do case "$a" in *.html) : > "$a" ;; esac; done'
    copy = tmp_path / "demo.sh"
    copy.write_text((ROOT / "examples" / "demo.sh").read_text().replace('cd "$(dirname "$0")/.."', f"cd {tmp_path}"))
    shown = shell(copy, tmp_path, {"reconciler": stand_in}, REDMINE_URL="http://redmine.test", REDMINE_API_KEY="x")
    assert "http://redmine.test/projects/reconciler-demo" in shown
    assert shown.splitlines()[-1] == f"Plan:       file://{tmp_path}/build/demo/plan.html"
    for name in ("plan", "report"):
        assert (tmp_path / "build" / "demo" / f"{name}.html").exists()
    manifest = yaml.safe_load((ROOT / "examples" / "quickstart" / "redmine.yaml").read_text())
    assert [project["identifier"] for project in manifest["projects"]] == ["reconciler-demo"]
    assert all(user["login"].startswith("demo-") for user in manifest["users"])
