"""Shell completion: words from the program and from the files of the current folder; silent whatever goes wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from reconciler.cli import COMMANDS, main
from reconciler.cli.completion import SHELLS, names
from reconciler.kinds import declarable

MANIFEST = """
users: [{login: amy, password: "${NOT_SET}"}, {login: ann}]
projects:
  - identifier: web-shop
    members: [{user: amy, roles: [Developer]}, {group: Team, roles: [Developer]}]
    versions: [{name: "1.0"}, {name: "1.0 beta"}]
    issues: [{key: login, subject: Login fails}, {subject: No key}]
    wiki_pages: [{title: how we release}]
    files: [{path: a/manual.pdf, version: "1.0"}, {path: {file: b.txt}}]
    time_entries: [{user: amy, spent_on: 2026-11-02, activity: Design, hours: 1}]
versions: [{project: hq, name: Next}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with manifests and a configuration with instances."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(MANIFEST)
    (tmp_path / "reconciler.yaml").write_text("instances: {staging: {url: x}, production: {api_key: !command [y]}}\n")
    return tmp_path


def complete(line: str, shell: str = "bash") -> list[str]:
    """The candidates for the last word of a line."""
    words = line.split(" ")
    environ = {"_RECONCILER_COMPLETE": f"{shell}_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    result = CliRunner().invoke(main, [], env=environ)
    assert (result.exit_code, result.stderr) == (0, "")
    return [candidate.partition(",")[2] for candidate in result.stdout.splitlines() if candidate]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("reconciler pl", ["plan"]),
        ("reconciler sandbox st", ["start", "status", "stop"]),
        ("reconciler plan --tar", ["--target"]),
        ("reconciler plan --format j", ["json"]),
        ("reconciler explain iss", ["issue", "issue_category", "issue_priority", "issue_status"]),
        ("reconciler explain issue.st", ["issue.start_date", "issue.state", "issue.status"]),
        ("reconciler new wi", ["wiki_page"]),
        ("reconciler export -o x --kind us", ["user"]),
        ("reconciler export -o x --project w", ["web-shop"]),
        ("reconciler plan --target version/web-shop/", ["version/web-shop/1.0", "version/web-shop/1.0\\ beta"]),
        ("reconciler apply --exclude version/h", ["version/hq/Next"]),
        ("reconciler plan --target issue/", ["issue/web-shop/No\\ key", "issue/web-shop/login"]),
        ("reconciler plan --target memb", ["membership/web-shop/group:Team", "membership/web-shop/user:amy"]),
        ("reconciler plan --target wiki", ["wiki_page/web-shop/How_we_release"]),
        ("reconciler plan --target file", ["file/web-shop/1.0/manual.pdf", "file/web-shop/b.txt"]),
        ("reconciler plan --resend user/amy", ["user/amy.generate_password", "user/amy.language"]),
        ("reconciler plan --instance ", ["production", "staging"]),
        ("reconciler completion ", ["bash", "zsh", "fish"]),
        ("reconciler explain project.v", ["project.versions"]),
        ("reconciler explain project.versions.du", ["project.versions.due_date"]),
        ("reconciler explain version.due_date.", []),
        ("reconciler explain nothing.", []),
    ],
)
def test_candidates(line: str, found: list[str], folder: Path) -> None:
    """Commands, options, kinds, fields, keys, projects and instances are completed."""
    assert complete(line)[: len(found) if "resend" in line else None] == found


def test_paths_are_completed_by_the_shell(folder: Path) -> None:
    """Where a file is expected, the shell is told so."""
    result = CliRunner().invoke(
        main, [], env={"_RECONCILER_COMPLETE": "bash_complete", "COMP_WORDS": "reconciler plan a", "COMP_CWORD": "2"}
    )
    assert result.stdout == "file,a\n"


@pytest.mark.parametrize("text", ["users: [", "\0", "users: 1\nprojects: [1, {identifier: [x]}]", "- a\n- b\n"])
def test_broken_manifests_are_no_disturbance(text: str, folder: Path) -> None:
    """With files that are not manifests there are fewer candidates, or none, and no word about it."""
    (folder / "a.yaml").write_text(text)
    (folder / "reconciler.yaml").write_text(text)
    assert complete("reconciler plan --target user/") == []
    assert complete("reconciler plan --instance ") == []


def test_names_are_those_of_the_kinds() -> None:
    """Every kind and field can be completed."""
    fields = {kind.name: list(kind.spec.model_fields) for kind in declarable().values()}
    assert {name: one["fields"] for name, one in names().items()} == fields


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts(shell: str) -> None:
    """`completion SHELL` prints a script that asks the program; where the shell is there, the script is valid."""
    script = CliRunner().invoke(main, ["completion", shell])
    assert script.exit_code == 0
    assert f"_RECONCILER_COMPLETE={shell}_complete" in script.stdout
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script.stdout, text=True, check=True)


def test_bash_completes(folder: Path) -> None:
    """In a real Bash, the function of the script finds a key with a colon and a blank."""
    program = f'reconciler() {{ {sys.executable} -m reconciler "$@"; }}\nexport -f reconciler\n'
    script = CliRunner().invoke(main, ["completion", "bash"]).stdout.replace("$1", f"{sys.executable} -m reconciler", 1)
    line = "COMP_WORDS=(reconciler plan --target membership/web-shop/u); COMP_CWORD=3"
    call = f"{line}; _reconciler_completion '{sys.executable} -m reconciler'; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash"], input=f"{program}{script}\n{call}\n", capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["membership/web-shop/user:amy"]


def test_nothing_heavy_is_imported(folder: Path) -> None:
    """Candidates come without the kinds, pydantic or httpx, which take longer to import than anybody waits for a TAB."""
    code = (
        "import sys\nfrom reconciler.cli import main\n"
        "try:\n    main()\nfinally:\n    print(sorted({'pydantic', 'httpx', 'reconciler.kinds'} & {*sys.modules}), file=sys.stderr)"
    )
    environ = {
        "_RECONCILER_COMPLETE": "bash_complete",
        "COMP_WORDS": "reconciler plan --target version/hq/",
        "COMP_CWORD": "3",
    }
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ, check=False)
    assert (done.stdout, done.stderr) == ("plain,version/hq/Next\n", "[]\n")


def test_every_command_is_a_candidate(folder: Path) -> None:
    """All commands are offered where one is expected."""
    assert set(complete("reconciler ")) == set(COMMANDS)
