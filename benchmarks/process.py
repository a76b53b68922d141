"""One process, measured whole: its start-up, its children, and all that it takes until its end."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from results import Cost

HERE = Path(__file__).parent
TOOL = (shutil.which("reconciler", path=str(Path(sys.executable).parent)) or "reconciler",)


def say(text: str) -> None:
    """What is being done, for people who wait."""
    print(text, file=sys.stderr, flush=True)


def python(name: str, *arguments: object) -> tuple[str, ...]:
    """The command that runs a program of this folder."""
    return (sys.executable, str(HERE / name), *map(str, arguments))


def output_of(command: Sequence[str]) -> str:
    """Run a command to its end; exits with what it said if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout[-2000:]}")
    return done.stdout


def measure(command: Sequence[str]) -> tuple[Cost, str]:
    """What a command took, and what it printed."""
    with tempfile.NamedTemporaryFile("r") as file:
        output = output_of([sys.executable, "-I", "-S", str(HERE / "meter.py"), file.name, *command])
        return Cost(*json.load(file)), output
