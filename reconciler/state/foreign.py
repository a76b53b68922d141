"""Files beside the manifests that belong to other programs, such as `docker-compose.yml`: told by their contents."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Set
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from reconciler.errors import Location, Problem
from reconciler.kinds import declarable
from reconciler.manifest.loader import Loaded, Map, Seq

NEAR = 0.75
"""How similar a key is to the name of a list to be a typing error: `isues`, `verison`."""

TELLTALE = frozenset({"identifier", "login", "project", "renamed_from", "subject"})
"""Fields of manifests that are unusual elsewhere."""

VERSION = "format_version"
"""The first key of this program's own JSON; others have it, too, such as Terraform's."""

REPORTS = tuple(map(frozenset, ({"url", "digest", "changes"}, {"url", "digest", "results"}, {"problems"})))
"""Keys beside it of what `--report` writes: a plan, results, problems."""

OTHERS = tuple(
    map(frozenset, ({"url", "status", "permissions"}, {"folder", "objects"}, {"holder", "note"}, {"settings", "notes"}))
)
"""Those of what `check`, `export`, `lease show` and `config show` print."""

SAVED = frozenset({"digest", "saved", "seal"})
"""Keys of a saved plan, which are beside those of a plan."""

WIDGETS = ({"create", "update", "delete"}, {VERSION, "error"})
"""All keys of a report for GitLab's plan widget; of the latter, if there is no plan."""

QUALITY = re.compile(r'\s*\[\s*(\]|\{\s*"check_name":\s*"reconciler/)')
"""The beginning of its report for GitLab's code quality, which is a list."""


def is_saved_plan(keys: Set[str]) -> bool:
    """Whether a mapping with these keys is a saved plan."""
    return keys >= SAVED


def is_report(keys: Set[str]) -> bool:
    """Whether a mapping with these keys is a report of this program."""
    has = VERSION in keys and any(keys >= one for one in REPORTS)
    return (has and not is_saved_plan(keys)) or keys in WIDGETS


def without(loaded: Loaded) -> Loaded:
    """The same without files that were found in a folder and are no manifests; their names are in `left_out`.

    A file that is named on the command line, or contains anything like a manifest, stays: its problems are reported.
    """
    documents: defaultdict[str, list[Map]] = defaultdict(list)
    for document in loaded.documents:
        documents[document.file].append(document)
    foreign = {name for name in loaded.found if documents[name] and all(map(_is_foreign, documents[name]))}
    own = {name for name in foreign if all(map(_is_output, documents[name]))}
    own |= {name for name in loaded.found if not documents[name] and _is_quality(name)}
    foreign |= own
    if not foreign:
        return loaded
    files = tuple(name for name in loaded.files if name not in foreign)
    problems = [problem for problem in loaded.problems if problem.location.file not in foreign]
    if not files and not problems:
        problems.append(_none(foreign))
    return replace(
        loaded,
        documents=tuple(document for document in loaded.documents if document.file not in foreign),
        problems=tuple(problems),
        files=files,
        left_out=tuple(name for name in loaded.files if name in foreign - own),
    )


def _none(foreign: Iterable[str]) -> Problem:
    first = min(foreign)
    hint = f"{os.path.basename(first)} has no list such as projects or users"  # noqa: PTH119
    return Problem(Location(os.path.dirname(first) or "."), "no manifests in this folder", hint=hint)  # noqa: PTH120


def _is_foreign(document: Map) -> bool:
    if not document:
        return False
    if _is_output(document):
        return True
    lists = declarable()
    rest = [name for name in document if name not in lists and not name.startswith("$")]
    # `files: [dist]` in a package.json; but `users: [amy]` alone is a manifest with an error.
    if not rest or any(name in lists and _has_objects(document[name]) for name in document):
        return False
    return not any(_is_mistyped(name, document[name], lists) for name in rest)


def _is_output(document: Map) -> bool:
    keys = document.keys()
    other = VERSION in keys and any(keys >= one for one in OTHERS)
    return other or is_saved_plan(keys) or is_report(keys)


def _is_quality(name: str) -> bool:
    if not name.endswith(".json"):
        return False
    try:
        with Path(name).open(encoding="utf-8", errors="replace") as file:
            return QUALITY.match(file.read(5_000)) is not None
    except OSError:
        return False


def _is_mistyped(name: str, value: Any, lists: Iterable[str]) -> bool:
    """Whether a key is a mistyped list of a manifest."""
    if isinstance(value, Seq) and any(isinstance(item, Map) and not TELLTALE.isdisjoint(item) for item in value):
        return True
    near = get_close_matches(name.casefold(), list(lists), 1, NEAR)
    return bool(near) and (value is None or isinstance(value, Map) or _has_objects(value))


def _has_objects(value: Any) -> bool:
    return isinstance(value, Seq) and (not value or any(isinstance(item, Map) for item in value))
