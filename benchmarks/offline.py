"""What needs no server: the help, and the validation of small and large manifests."""

from __future__ import annotations

import sys
from pathlib import Path

from contest import Contender, Rules, contest
from process import TOOL, say
from results import TOOL as NAME
from results import YAML, Part, Scenario
from worlds import write_manifest

LOAD = "import sys, yaml; yaml.load(open(sys.argv[1], encoding='utf-8'), yaml.CSafeLoader)"
RULES = Rules(seconds=20, rounds=11)


def run(folder: Path, large: int = 10_000) -> Part:
    """Measure it."""
    say("Without a server …")
    scenarios = (
        Scenario("help", 0, contest([Contender(NAME, (*TOOL, "--help"))], RULES)),
        *(validate(folder, issues) for issues in (1, large)),
    )
    return Part("offline", "without a server", scenarios)


def validate(folder: Path, issues: int) -> Scenario:
    """`validate`, beside libyaml's loader alone on the same file."""
    path = str(write_manifest(folder / f"{issues}.yaml", issues))
    contenders = [Contender(NAME, (*TOOL, "validate", path)), Contender(YAML, (sys.executable, "-c", LOAD, path))]
    return Scenario("validate", issues, contest(contenders, RULES))
