"""What each command imports, and which models it builds: start-up is fast if it is only what the command needs."""

from __future__ import annotations

import atexit
import gc
import json
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.cli import main
from reconciler.kinds import kinds

SMALL = """
projects:
  - identifier: shop
    name: Shop
    versions: [{name: "1.0"}]
    issues: [{subject: First, fixed_version: "1.0"}]
"""

PROBE = """
import gc, json, os, sys
from reconciler.cli import main

KINDS = "reconciler.kinds."

def imported(arguments):
    # A child for each command: it starts with what all commands share, and nothing else.
    read, write = os.pipe()
    if not os.fork():
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            main(arguments)
        except SystemExit as end:
            code = end.code
        modules = sorted(sys.modules)
        kinds = sys.modules.get("reconciler.kinds")
        imported = [kind for entry, kind in kinds.every().items() if f"{KINDS}{entry.module}" in modules] if kinds else []
        built = [kind.name for kind in imported if kind.spec.__pydantic_complete__]
        settings = sys.modules.get("reconciler.settings")
        if settings and settings.Settings.__pydantic_complete__:
            built.append("the settings")
        os.write(write, json.dumps([code, modules, built]).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        return json.load(answer)

print(json.dumps({line: imported(line.split()) for line in json.load(sys.stdin)}))
"""

CLIENT = (
    "httpx",
    "httpx_retries",
    "reconciler.redmine.client",
    "reconciler.redmine.transport",
    "reconciler.state.live",
)
CONNECTIONS = (*CLIENT, "asyncio", "ssl", "http.client", "urllib.request", "reconciler.catalog.session")
SCREENS = ("rich", "pygments", "deepdiff")
STEPS = ("reconciler.pipeline", "reconciler.apply", "reconciler.sandbox", "reconciler.testing")
PACKAGES = ("importlib.metadata", "email", "zipfile")
"""What reads which packages are installed."""
OFFLINE = (*CONNECTIONS, *SCREENS, *STEPS, *PACKAGES, "getpass")
MODELS = (
    "pydantic",
    "msgspec",
    "yaml",
    "reconciler.kinds",
    "reconciler.model",
    "reconciler.state",
    "reconciler.config",
)

UNUSED: dict[str, tuple[int, tuple[str, ...]]] = {
    "--help": (10, (*OFFLINE, *MODELS)),
    "completion bash": (11, (*OFFLINE, *MODELS)),
    "plan --help": (15, (*CLIENT, *SCREENS, *STEPS, *MODELS)),
    "apply --help": (20, (*CLIENT, *SCREENS, *STEPS, "pydantic", "msgspec", "yaml")),
    "export --help": (20, (*CLIENT, *SCREENS, *STEPS, "pydantic", "msgspec", "yaml")),
    "config show": (42, (*OFFLINE, "reconciler.kinds", "reconciler.plan", "reconciler.export")),
    "validate small.yaml": (140, (*OFFLINE, "reconciler.plan", "reconciler.export", "reconciler.reference")),
    "fmt --check small.yaml": (140, (*OFFLINE, "reconciler.plan", "reconciler.render.text", "reconciler.reference")),
    "explain issue.status": (130, (*OFFLINE, "reconciler.plan", "reconciler.render", "reconciler.layout")),
    "new version": (135, (*OFFLINE, "reconciler.plan", "reconciler.render", "reconciler.layout")),
}
"""Command → how many modules of the program it may import, and what it has no use for."""

NAMED = {
    "validate small.yaml": {"project", "version", "issue"},
    "fmt --check small.yaml": {"project", "version", "issue"},
    "explain issue.status": {"project", "issue"},
    "new version": {"version"},
}
"""Command → the kinds that it is about."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, set[str], list[str]]]:
    """Of each command: its exit code, the modules that it imports, the kinds whose models it builds."""
    folder: Path = tmp_path_factory.mktemp("imports")
    (folder / "small.yaml").write_text(SMALL)
    # The folder has no configuration, and none above it is meant.
    (folder / ".git").mkdir()
    lines = json.dumps([*UNUSED])
    done = subprocess.run(
        [sys.executable, "-c", PROBE], input=lines, capture_output=True, text=True, cwd=folder, check=True
    )
    return {line: (code, {*modules}, built) for line, (code, modules, built) in json.loads(done.stdout).items()}


@pytest.mark.parametrize("line", UNUSED)
def test_a_command_without_a_server_imports_only_what_it_needs(
    line: str, runs: dict[str, tuple[int, set[str], list[str]]]
) -> None:
    """No library for connections, screens or plans, and no more of the program than it had use for so far."""
    limit, unused = UNUSED[line]
    _, modules, _ = runs[line]
    assert sorted(modules.intersection(unused)) == []
    assert len([name for name in modules if name.partition(".")[0] == "reconciler"]) <= limit


def test_only_the_declared_kinds_are_imported(runs: dict[str, tuple[int, set[str], list[str]]]) -> None:
    """A kind that no manifest declares costs nothing: what is known of it is in the index of the kinds."""
    for line, named in NAMED.items():
        _, modules, _ = runs[line]
        used = {entry.name for entry in kinds().entries.values() if f"reconciler.kinds.{entry.module}" in modules}
        assert (line, used) == (line, named)


def test_only_the_models_of_declared_kinds_are_built(runs: dict[str, tuple[int, set[str], list[str]]]) -> None:
    """A kind that no manifest declares costs no model, nor do settings that nothing sets."""
    code, _, built = runs["validate small.yaml"]
    assert (code, sorted(built)) == (0, ["issue", "project", "version"])


def test_what_compares_is_imported_only_once_the_server_is_asked() -> None:
    """What a plan imports before its first list is what it reads with: the rest is imported while Redmine answers."""
    code = "import json, sys, reconciler.cli.session, reconciler.pipeline; print(json.dumps([*sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = {name for name in json.loads(done.stdout) if name.startswith(("reconciler.plan.", "reconciler.apply"))}
    assert "reconciler.plan.narrow" in modules
    assert modules & {"reconciler.plan.operations", "reconciler.plan.planner", "reconciler.apply"} == set()


def test_no_field_of_a_spec_is_evaluated_from_a_string() -> None:
    """Modules of kinds with a spec leave annotations as they are: pydantic evaluates each string at every start, which
    takes one instruction in twenty of `validate`."""
    modules = {sys.modules[base.__module__] for kind in kinds().values() for base in kind.spec.__mro__}
    ours = {module for module in modules if module.__name__.startswith("reconciler.kinds.")}
    assert [module.__name__ for module in ours if hasattr(module, "annotations")] == []


def test_the_garbage_collector_has_nothing_to_do_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the process ends, what it holds is not looked through once more."""
    registered: list[object] = []
    monkeypatch.setattr(atexit, "register", registered.append)
    with pytest.raises(SystemExit):
        main(["--version"])
    assert gc.freeze in registered
