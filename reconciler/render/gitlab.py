"""Reports that GitLab shows in a merge request: code quality (the places of problems), and the counts of a plan.

Their formats: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format and
https://docs.gitlab.com/user/infrastructure/iac/mr_integration/.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.errors import Location, Problem
from reconciler.render.json import FORMAT_VERSION
from reconciler.render.safe import terminal

if TYPE_CHECKING:
    from reconciler.apply.report import Report, Result
    from reconciler.plan.operations import Plan, Warned

NOWHERE = Location("")
CHECK = "reconciler"
"""The first part of the name of every check."""
CONFIG = "reconciler.yaml"
"""The place of what is about no line of a manifest, such as a server that cannot be reached."""
SEVERITIES = {"problem": "major", "failed": "major", "unknown": "critical", "skipped": "minor", "warning": "minor"}
SEVERITIES |= {"ended": "critical"}


class Finding(NamedTuple):
    """What code quality shows at a place in the manifests."""

    check: str
    place: Location
    subject: str
    message: str


def quality(
    problems: Iterable[Problem],
    plan: Plan | None = None,
    report: Report | None = None,
    path: Callable[[str], str] = str,
) -> list[Any]:
    """The code quality of manifests: problems, warnings of a plan, and what an apply could not do.

    `path` gives the path of a file from the root of the repository.
    """
    found = [Finding("problem", p.location, p.subject, p.sentence) for p in problems]
    warnings = report.plan.warnings if report else plan.warnings if plan else ()
    found += map(_warning, warnings)
    found += [one for result in (report.results if report else ()) for one in _result(result)]
    found += [Finding("ended", NOWHERE, "", report.ended)] if report and report.ended else []
    return list(_issues([one._replace(place=replace(one.place, file=path(one.place.file))) for one in found]))


def counts(plan: Plan | None) -> dict[str, Any]:
    """The number of changes by action. Without a plan there are none, which GitLab shows as a report that failed."""
    if plan is None:
        return {"format_version": FORMAT_VERSION, "error": "There is no plan."}
    return {action: plan.summary[action] for action in ("create", "update", "delete")}


def _warning(warned: Warned) -> Finding:
    return Finding("warning", warned.source, str(warned.address), warned.message)


def _result(result: Result) -> Iterator[Finding]:
    if result.outcome not in SEVERITIES:
        return
    place, subject = result.change.source, str(result.change.address)
    for error in result.errors:
        yield Finding(result.outcome, error.location if error.location.file else place, subject, error.message)
    if not result.errors:
        yield Finding(result.outcome, place, subject, f"{result.outcome} because {result.because}")


def _issues(findings: Sequence[Finding]) -> Iterator[dict[str, Any]]:
    seen = Counter[tuple[str, ...]]()
    for finding in findings:
        # Without the line: the same problem is still the same when lines above it are added.
        same = (finding.check, finding.place.file, finding.subject, finding.message)
        seen[same] += 1
        yield {
            # First: it tells that the file is a report (`state.foreign`).
            "check_name": f"{CHECK}/{finding.check}",
            "description": terminal(f"{finding.subject}: {finding.message}" if finding.subject else finding.message),
            # GitLab shows only one of several issues with one fingerprint.
            "fingerprint": hashlib.sha256("\0".join((*same, str(seen[same]))).encode(errors="replace")).hexdigest(),
            "severity": SEVERITIES[finding.check],
            "location": {"path": terminal(finding.place.file) or CONFIG, "lines": {"begin": finding.place.line or 1}},
        }
