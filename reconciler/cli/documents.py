"""What a command has found, in each format that programs and pages read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reconciler.errors import Location, Problem

if TYPE_CHECKING:
    from reconciler.apply.report import Report
    from reconciler.cli.options import State
    from reconciler.masking import Secrets
    from reconciler.model.address import Address
    from reconciler.plan.operations import Change, Operation, Plan


@dataclass(frozen=True, slots=True)
class Document:
    """Problems, a plan, both (the plan is that of the rest, without `left_out`), or the report of an apply."""

    problems: tuple[Problem, ...] = ()
    plan: Plan | None = None
    report: Report | None = None
    left_out: tuple[Address, ...] = ()

    def masked(self, secrets: Secrets) -> Document:
        """The same without secrets in the values of fields: before a format cuts one, of which a half would remain."""
        plan = None if self.plan is None else replace(self.plan, changes=_masked(self.plan.changes, secrets))
        if self.report is None:
            return replace(self, plan=plan)
        changes = _masked([result.change for result in self.report.results], secrets)
        results = (replace(r, change=change) for r, change in zip(self.report.results, changes, strict=True))
        return replace(self, plan=plan, report=replace(self.report, results=tuple(results)))


def _masked(changes: Iterable[Change], secrets: Secrets) -> tuple[Change, ...]:
    def operation(one: Operation) -> Operation:
        pairs = ((f, secrets.masked_data(f.before), secrets.masked_data(f.after)) for f in one.fields)
        return replace(one, fields=tuple(replace(f, before=before, after=after) for f, before, after in pairs))

    return tuple(replace(change, operations=tuple(map(operation, change.operations))) for change in changes)


def quoted(state: State) -> Callable[[Location], str]:
    """What returns the line of a manifest, for messages about it."""
    from reconciler.manifest.excerpt import excerpt

    # Masked before it is cut around the caret.
    return lambda place: excerpt(place, state.sources, state.secrets)


def rendered(document: Document, state: State) -> str:
    """A document for stdout, in the format of the command."""
    from reconciler.cli import output

    if state.format == "json":
        return output.as_json(as_data(document), full=state.full)
    return _RENDERERS[state.format](document, state)


def as_data(document: Document) -> Mapping[str, Any]:
    """A document as the data of its JSON."""
    from reconciler.render import json

    if document.report is not None:
        return json.results_json(document.report)
    if document.plan is None:
        return json.problems_json(document.problems)
    if document.problems:
        return json.rest_json(document.problems, document.plan, document.left_out)
    return json.plan_json(document.plan)


def markdown(document: Document, state: State, **options: int) -> str:
    """A document as Markdown."""
    from reconciler.render import markdown

    document = document.masked(state.secrets)
    if document.report is not None:
        return markdown.results(document.report, **options)
    if document.plan is None:
        return markdown.problems(document.problems, quoted(state), **options)
    if document.problems:
        return markdown.rest(document.problems, quoted(state), document.plan, **options)
    return markdown.plan(document.plan, **options)


def html(document: Document, state: State) -> str:
    """A document as a page."""
    from reconciler.render import html

    if document.report is not None:
        return html.results(document.report)
    if document.plan is None:
        return html.problems(document.problems, quoted(state))
    if document.problems:
        return html.rest(document.problems, quoted(state), document.plan)
    return html.plan(document.plan)


def github(document: Document, state: State) -> str:
    """A document as workflow commands."""
    from reconciler.render import github

    document = document.masked(state.secrets)
    if document.report is not None:
        return github.results(document.report, from_root)
    if document.plan is None:
        return github.problems(document.problems, from_root)
    if document.problems:
        return github.rest(document.problems, document.plan, from_root)
    return github.plan(document.plan, from_root)


ROOTS = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")
"""Variables with the folder into which a CI job has checked out the repository."""


def from_root(file: str) -> str:
    """A path in a message from the root of the repository: a job may run in a folder of it."""
    root = next((os.environ[name] for name in ROOTS if os.environ.get(name)), "")
    if not file or not root:
        return file
    path, top = os.path.realpath(file), os.path.realpath(root)
    return os.path.relpath(path, top) if path.startswith(f"{top}{os.sep}") else file


_RENDERERS: Mapping[str, Callable[[Document, State], str]] = {"markdown": markdown, "html": html, "github": github}
FORMATS = ("json", *_RENDERERS)
"""The formats of stdout, beside text."""
