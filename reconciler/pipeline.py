"""The steps from manifests to a report. The command line and the public API both use them.

    load → Manifests → plan → Planned → apply → Report

With `--unarchive` a second plan follows: `again` compares what the first one revealed, and archives projects again.
"""

from __future__ import annotations

import dataclasses
import sys
from asyncio import CancelledError
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING

from msgspec.structs import replace

from reconciler.errors import ListenerFailed, ManifestError, Problem, ReconcilerError, RefusedError, ServerError
from reconciler.plan import claims
from reconciler.plan.narrow import narrowed
from reconciler.plan.options import ALL, PlanOptions
from reconciler.redmine.client import Client
from reconciler.state import live
from reconciler.state.consequences import reported
from reconciler.state.live import Live
from reconciler.state.manifests import Manifests as Manifests
from reconciler.state.manifests import read as read
from reconciler.state.partial import NotValid

if TYPE_CHECKING:
    # What compares is imported once the server is asked, and most of `apply` where a plan is applied.
    from reconciler.apply.progress import Listener
    from reconciler.apply.report import Report
    from reconciler.plan.comparison import Planned


async def plan(
    client: Client, manifests: Manifests, options: PlanOptions = ALL, seen: Callable[[Live], None] = lambda state: None
) -> Planned:
    """Read the live state and compare. `seen` is called in between.

    Raises ManifestError, ServerError; ReconcilerError as in `Manifests.plan`.
    """
    manifests = _narrowed(manifests, options)
    state = await _read(client, manifests, options)
    seen(state)
    from reconciler.plan import archived_projects, comparison

    visible = archived_projects.visible(state.names)
    planned = await comparison.checked(client, manifests, state, options)
    return await _confirmed(client, replace(planned, visible=visible))


async def plan_or_rest(
    client: Client, manifests: Manifests, options: PlanOptions = ALL, seen: Callable[[Live], None] = lambda state: None
) -> Planned:
    """The same, only to be shown: if objects have problems, the plan of what does not depend on them.

    The problems are in `faults` then.
    """
    manifests = _narrowed(manifests, options)
    state = await _read(client, manifests, options)
    seen(state)
    from reconciler.plan.comparison import checked
    from reconciler.plan.prune import NOTHING

    try:
        planned = await checked(client, manifests, state, options)
    except ManifestError as error:
        try:
            known = replace(state, problems=tuple(dict.fromkeys([*state.problems, *error.problems])))
            planned = await checked(client, manifests, known, replace(options, keep_going=True), NOTHING)
        except RefusedError:
            raise error from None
    return await _confirmed(client, planned)


def _narrowed(manifests: Manifests, options: PlanOptions) -> Manifests:
    """The manifests, of which only what the targets need is read. Problems stay those of all."""
    if manifests.problems:
        return manifests
    return dataclasses.replace(manifests, desired=narrowed(manifests.desired, options))


async def _confirmed(client: Client, planned: Planned) -> Planned:
    """The plan, if the account that it was read with is still the same. Without changes, that does not matter."""
    if not planned.plan.changes:
        return planned
    from reconciler.apply import account

    await account.check(client, planned.names)
    return planned.altered(requests=client.requests)


async def _read(client: Client, manifests: Manifests, options: PlanOptions) -> Live:
    options.check()
    if manifests.problems:
        raise ManifestError(await all_problems(client, manifests, options))
    scope = claims.chosen_scope(manifests.desired, manifests.config.pruning, options)
    _import_meanwhile("reconciler.plan.comparison")
    return await live.read(client, manifests.desired, scope)


def _import_meanwhile(module: str) -> None:
    """Import a module while the server is asked: what compares takes half as long as a page of issues (6.1)."""
    if module not in sys.modules:
        Thread(target=import_module, args=(module,), daemon=True, name=module).start()


async def all_problems(client: Client, manifests: Manifests, options: PlanOptions = ALL) -> list[Problem]:
    """The problems of the manifests, and those that only the server shows. Raises ServerError."""
    desired = manifests.desired
    whole = replace(desired, objects=dict(sorted({**desired.objects, **desired.partial}.items())))
    try:
        try:
            state = await live.read(client, whole)
        except NotValid:
            # What must be read depends on an invalid field: then its object is known, and nothing else of it.
            whole, state = desired, await live.read(client, desired)
            for address, declared_so in desired.partial.items():
                state.names.declare(address, declared_so.spec)
    except ManifestError as error:
        return [*manifests.problems, *error.problems]
    state.names.incomplete = desired.incomplete or manifests.loaded.incomplete
    known = {problem.location for problem in manifests.problems} | reported(manifests.loaded)
    from reconciler.plan.problems import on_server

    found = on_server(whole, state, unarchive=options.unarchive)
    return [*manifests.problems, *(problem for problem in found if problem.location not in known)]


@contextmanager
def at_least(manifests: Manifests) -> Iterator[None]:
    """Raise ManifestError with the problems of the manifests if the server cannot be asked for others.

    Problems may quote live values; what is secret in these is masked.
    """
    try:
        yield
    except ManifestError as error:
        raise error.masked(manifests.config.secrets.masked) from None
    except ReconcilerError as error:
        if not manifests.problems:
            raise
        raise ManifestError(manifests.problems, unasked=error) from error


async def apply(
    client: Client,
    manifests: Manifests,
    options: PlanOptions,
    agreed: str | None = None,
    listener: Listener | None = None,
    max_deletes: int | None = None,
) -> Report:
    """Plan, apply, read back; with unarchived projects, plan and apply a second time. Raises as `Manifests.apply`.

    `agreed` is the digest of the plan that was reviewed.
    """
    from reconciler.plan import limits

    planned = await plan(client, manifests, options)
    if agreed is not None and agreed != planned.plan.digest:
        raise RefusedError("The manifests or the server changed since the plan was made: plan again.")
    limits.check_plan(planned.plan, manifests.config.limits, max_deletes)
    try:
        first = await carry_out(client, planned, listener)
    except ListenerFailed as error:
        error.report = await _ended(client, manifests, planned, error.report)
        raise
    if first.interrupted or not planned.plan.revealed:
        return await _ended(client, manifests, planned, first)
    try:
        second = await again(client, manifests, planned, options)
        limits.check_plan(second.plan, manifests.config.limits, max_deletes)
    except (ReconcilerError, CancelledError):
        # Projects that were opened only to be compared must not stay open.
        await archive_again(client, manifests, planned)
        raise
    return await carry_out(client, second, listener, first)


async def _ended(client: Client, manifests: Manifests, planned: Planned, report: Report) -> Report:
    """The report of a run without a second plan: projects that were opened only to be compared are archived again."""
    from reconciler.apply.report import joined

    # There is a report in any case, even if the server is gone by now.
    with suppress(ServerError):
        return joined([report, await archive_again(client, manifests, planned)]) if planned.plan.revealed else report
    return report


async def carry_out(
    client: Client, planned: Planned, listener: Listener | None = None, before: Report | None = None
) -> Report:
    """Apply a plan and read back what was written. What fails is in the report, which begins with the one `before`."""
    from reconciler.apply import run
    from reconciler.apply.executor import Applier
    from reconciler.apply.report import joined
    from reconciler.plan import confirm

    def whole(report: Report) -> Report:
        earlier = [] if before is None else [before]
        return joined([*earlier, complete(report, planned, earlier)])

    await confirm.unchanged(client, planned.plan, planned.names)
    try:
        return whole(await run.carry_out(Applier(client, planned.names, planned.plan, listener=listener)))
    except ListenerFailed as error:
        error.report = whole(error.report)
        raise


async def again(client: Client, manifests: Manifests, first: Planned, options: PlanOptions = ALL) -> Planned:
    """The second plan, after the first was applied: for objects that are visible now, and to archive projects again.

    Raises as `plan`.
    """
    from reconciler.plan import archived_projects, comparison, prune

    desired = manifests.desired
    state = await live.read(client, desired, claims.chosen_scope(desired, manifests.config.pruning, options))
    pruned = await prune.look(client, manifests.config, desired, state, options)
    archive = archived_projects.to_archive_again(first.plan, first.visible, desired, state.names)
    warnings = tuple(archived_projects.stay_open(first.plan, first.visible, state.names))
    # As if the manifests declared them archived, so that the plan archives them after all work inside.
    for address, project in archive.items():
        state.names.declare(address, project.spec)
    desired = replace(desired, objects=dict(sorted({**desired.objects, **archive}.items())))
    options = replace(options, unarchive=False)
    planned = comparison.compare(client, desired, state, options, pruned, first=first.plan, unarchived=archive)
    return await _confirmed(client, planned.altered(warnings=(*planned.plan.warnings, *warnings)))


async def archive_again(client: Client, manifests: Manifests, first: Planned) -> Report:
    """Archive the projects that were unarchived, and change nothing else: for when there can be no second plan."""
    from reconciler.plan import archived_projects
    from reconciler.plan.comparison import Planned
    from reconciler.plan.planner import make

    names = (await live.read(client, manifests.desired)).names
    archive = archived_projects.to_archive_again(first.plan, first.visible, manifests.desired, names)
    desired = archived_projects.alone(archive, manifests.desired)
    state = await live.read(client, desired)
    planned = Planned(make(desired, state, client.connection.url), state.names, state.me)
    return await carry_out(client, planned.altered(secrets=client.secrets))


def complete(report: Report, planned: Planned, before: Iterable[Report] = ()) -> Report:
    """A report, with what was left out because of problems; not what the reports `before` have already."""
    from reconciler.apply.report import ItemError, Result

    known = {result.change.address for other in before for result in other.results}
    failed = [
        Result(change, "failed", change.id, tuple(ItemError(p.sentence, location=p.location) for p in problems))
        for change, problems in planned.faults.failed
    ]
    skipped = [
        Result(change, "skipped", change.id, because=f"{other} failed") for change, other in planned.faults.skipped
    ]
    more = (result for result in (*failed, *skipped) if result.change.address not in known)
    return dataclasses.replace(report, results=(*report.results, *more))
