"""The types of the public API as a type checker sees them. Checked by `make lint` (mypy), never run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, assert_type

import reconciler
from reconciler import errors


def loading(folder: Path) -> None:
    """`load` and `validate` take any number of paths, as text or `Path`."""
    assert_type(reconciler.load(folder), reconciler.Manifests)
    assert_type(reconciler.load("a.yaml", "b.yaml", instance="staging", environ={}), reconciler.Manifests)
    assert_type(reconciler.validate(folder, file="reconciler.yaml"), tuple[reconciler.Problem, ...])
    assert_type(reconciler.load(folder, url="https://redmine.example.net", api_key="k"), reconciler.Manifests)
    assert_type(reconciler.load().problems, tuple[reconciler.Problem, ...])


def applying(manifests: reconciler.Manifests) -> None:
    """A plan is data; an apply returns a report."""
    plan = manifests.plan(targets=["issue/*"], excludes=[], unarchive=True, resend=["user/amy.password"])
    assert_type(plan, reconciler.Plan)
    assert_type(plan.digest, str)
    assert_type(manifests.apply(), reconciler.Report)
    report = manifests.apply(plan, lambda address, outcome: print(address.kind, outcome), unarchive=True)
    assert_type(report, reconciler.Report)
    assert_type(report.summary, dict[str, int])
    assert_type(manifests.apply(plan.digest, targets=["issue/*"], max_deletes=3), reconciler.Report)
    summary: Mapping[str, int] = plan.summary
    print(summary)


def told(address: reconciler.Address, outcome: reconciler.Outcome) -> None:
    """A listener as a function."""
    print(address.kind, address.key, outcome == "done")


def reading(plan: reconciler.Plan, report: reconciler.Report, manifests: reconciler.Manifests) -> None:
    """What is in a plan and in a report is typed, and can be turned into data for JSON."""
    change: reconciler.Change = plan.changes[0]
    field: reconciler.FieldChange = change.fields[0]
    place: reconciler.Location = change.source
    assert_type(change.address, reconciler.Address)
    print(change.action == "create", field.path, field.before, field.after, place.file, place.line)
    result: reconciler.Result = report.results[0]
    assert_type(result.outcome, reconciler.Outcome)
    print([error.message for error in result.errors], result.id, manifests.apply(None, told))
    assert_type(reconciler.to_data(plan)["changes"], Any)
    print(reconciler.to_data(report), reconciler.to_data(manifests.problems))


async def applying_in_an_event_loop(manifests: reconciler.Manifests) -> None:
    """The async variants have the same types."""
    assert_type(await manifests.plan_async(), reconciler.Plan)
    assert_type(await manifests.apply_async(), reconciler.Report)


async def exporting(folder: Path) -> None:
    """An export returns what it wrote and what it left out."""
    assert_type(reconciler.export_to(folder, sanitize=True), reconciler.Exported)
    assert_type(
        await reconciler.export_to_async("redmine/", projects=["web-shop"], kinds=["issue"]), reconciler.Exported
    )


def failing(error: reconciler.ManifestError, problem: reconciler.Problem) -> None:
    """Errors form one tree, with typed details."""
    assert_type(error.problems, tuple[reconciler.Problem, ...])
    assert_type(problem.location.line, int)
    base: reconciler.ReconcilerError = error
    refused: reconciler.ReconcilerError = errors.RefusedError("no")
    print(base.exit_code, refused, reconciler.__version__)
