"""Reads the configuration's manifests: the first step of every command, and all that one without a server needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

from reconciler.config import Config
from reconciler.errors import ManifestError, Problem
from reconciler.kinds import declarable
from reconciler.manifest.loader import Loaded
from reconciler.model.collections import faults, pattern_faults
from reconciler.settings import invalid
from reconciler.state import overlays
from reconciler.state.consequences import not_consequential
from reconciler.state.desired import Desired, build


@dataclass(frozen=True, slots=True)
class Manifests:
    """The configuration, the manifests and their desired state; `problems` are sorted by place."""

    config: Config
    loaded: Loaded
    desired: Desired
    problems: tuple[Problem, ...]

    def check(self) -> None:
        """Raise ManifestError if there are problems."""
        if self.problems:
            raise ManifestError(self.problems)


def read(config: Config, paths: Sequence[str | Path], stdin: TextIO | BinaryIO | None = None) -> Manifests:
    """Read the manifests at `paths` (default: those of the configuration) with a configuration and its overlays."""
    if wrong := list(_wrong_settings(config)):
        raise invalid(wrong)
    loaded = overlays.read(config, paths, stdin)
    desired = build(loaded.documents, config.settings)
    found = [*loaded.problems, *not_consequential(loaded, desired.problems)]
    # A value that is shown may be a secret that was written to the wrong field.
    problems = [problem.masked(config.secrets.masked) for problem in found]
    return Manifests(config, loaded, desired, tuple(sorted(problems, key=lambda p: (p.location, p.message))))


def _wrong_settings(config: Config) -> Iterator[Problem]:
    """Settings that name no collection, or nothing that exists."""
    rules, settings = config.pruning, config.settings
    names, patterns = list(rules.authoritative), list(rules.protect)
    for index, message in faults(names, declarable(), settings, inside=False):
        yield Problem(rules.authoritative[names[index]], f"authoritative: {message}")
    for index, message in pattern_faults(patterns, declarable()):
        yield Problem(rules.protect[patterns[index]], f"protect: {message}")
