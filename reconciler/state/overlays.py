"""Reads manifests with the overlays that change them for one instance.

The manifests declare objects. An overlay changes objects that they declare, found by kind and key: see
`overlay_entries` for what it may say, and `overlay_merge` for how that is applied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, TextIO

from reconciler.config import Config
from reconciler.manifest import loader
from reconciler.manifest.loader import Loaded
from reconciler.manifest.rules import Rules
from reconciler.state import foreign
from reconciler.state.secrets import collect


def read(config: Config, paths: Sequence[str | Path], stdin: TextIO | BinaryIO | None = None) -> Loaded:
    """The manifests at `paths` (default: those of the configuration), as the configured overlays change them.

    Raises ConfigError if an instance has to be chosen. All secrets that are declared are known afterwards.
    """
    named = paths or config.manifests or (".",)
    loaded = foreign.without(loader.load(named, config.variables, stdin=stdin, rules=config.rules))
    # Also of what an overlay replaces: a message may quote that line of the manifest.
    collect(loaded.documents, config.variables, config.secrets)
    for path in config.overlays:
        loaded = _overlaid(loaded, path, config)
    return loaded


def _overlaid(loaded: Loaded, path: Path, config: Config) -> Loaded:
    """The manifests with one overlay applied: a file or a folder."""
    # Most configurations have no overlays.
    from reconciler.state.overlay_entries import entries_of
    from reconciler.state.overlay_merge import Merge

    rules = Rules(config.rules.base, ignore=config.rules.ignore)
    overlay = foreign.without(loader.load([path], config.variables, rules=rules))
    collect(overlay.documents, config.variables, config.secrets)
    entries = entries_of(overlay.documents)
    merge = Merge(entries.patches)
    merge.look_for(entries.new)
    merged = [merge.document(document) for document in loaded.documents]
    documents = (*merged, *entries.added, *merge.added())
    # What is not found may be what could not be read.
    unsure = loaded.incomplete or overlay.incomplete
    problems = [*loaded.problems, *overlay.problems, *entries.problems, *merge.problems(entries, unsure=unsure)]
    return replace(
        loaded,
        documents=documents,
        problems=tuple(sorted(problems, key=lambda problem: (problem.location, problem.message))),
        files=(*loaded.files, *overlay.files),
        left_out=(*loaded.left_out, *overlay.left_out),
        incomplete=loaded.incomplete or overlay.incomplete or entries.incomplete,
        overlaid=(*loaded.overlaid, *sorted([*merge.effects, *entries.effects], key=lambda effect: effect.location)),
    )
