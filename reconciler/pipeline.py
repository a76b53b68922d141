"""The steps from manifests to a report, as the command line and the public API take them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from reconciler import config as configuration
from reconciler.config import Config
from reconciler.errors import Location, ManifestError, Problem, ReconcilerError, RefusedError
from reconciler.manifest import loader as manifest
from reconciler.manifest.loader import Loaded, Map, Reported, Seq
from reconciler.model.address import Address
from reconciler.model.name_index import Names
from reconciler.plan import archived_projects
from reconciler.plan.operations import Plan
from reconciler.plan.planner import make
from reconciler.plan.targets import ALL, PlanOptions, Selection, resent, select
from reconciler.redmine.client import Client
from reconciler.state import desired as declared
from reconciler.state import foreign, live
from reconciler.state.desired import Desired
from reconciler.state.live import Live

if TYPE_CHECKING:
    # A plan needs nothing of `apply`: it is imported where a plan is carried out.
    from reconciler.apply.progress import Listener
    from reconciler.apply.report import Report


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, with the names that carrying it out needs. `me` is the account; `selection` is None for all objects."""

    plan: Plan
    names: Names
    me: Mapping[str, Any]
    selection: Selection | None = None
    visible: frozenset[str] = frozenset()
    """The projects that were not archived."""


@dataclass(frozen=True, slots=True)
class Manifests:
    """The configuration, the manifests and the desired state that they make; `problems` are sorted by place."""

    config: Config
    loaded: Loaded
    desired: Desired
    problems: tuple[Problem, ...]

    def plan(
        self,
        targets: Sequence[str] = (),
        excludes: Sequence[str] = (),
        *,
        unarchive: bool = False,
        resend: Sequence[str] = (),
    ) -> Plan:
        """What `apply` would do; see `targets.PlanOptions` for what can be chosen.

        Raises ManifestError, ConfigError, ServerError; ReconcilerError for a pattern.
        """
        return asyncio.run(self.plan_async(targets, excludes, unarchive=unarchive, resend=resend))

    async def plan_async(
        self,
        targets: Sequence[str] = (),
        excludes: Sequence[str] = (),
        *,
        unarchive: bool = False,
        resend: Sequence[str] = (),
    ) -> Plan:
        """The same as `plan`, inside an event loop."""
        self.check()
        async with Client(self.config.connection()) as client:
            return (await plan(client, self, PlanOptions(targets, excludes, unarchive, resend))).plan

    def apply(
        self,
        agreed: Plan | None = None,
        listener: Listener | None = None,
        *,
        unarchive: bool = False,
        resend: Sequence[str] = (),
    ) -> Report:
        """Plan and carry it out; `listener` is told of each change that ends.

        With `unarchive`, archived projects are opened to be compared, which takes a second plan after the first; the
        report is of both. Raises as `plan`; RefusedError if `agreed` is given and the (first) plan is no longer that
        one. What fails later is in the report.
        """
        return asyncio.run(self.apply_async(agreed, listener, unarchive=unarchive, resend=resend))

    async def apply_async(
        self,
        agreed: Plan | None = None,
        listener: Listener | None = None,
        *,
        unarchive: bool = False,
        resend: Sequence[str] = (),
    ) -> Report:
        """The same as `apply`, inside an event loop."""
        from reconciler.apply.executor import Applier
        from reconciler.apply.run import carry_out

        self.check()
        options = PlanOptions(unarchive=unarchive, resend=resend)
        async with Client(self.config.connection()) as client:
            planned = await plan(client, self, options)
            if agreed is not None and agreed.digest != planned.plan.digest:
                raise RefusedError("The manifests or the server changed since the plan was made: make a new one.")
            reports = [await carry_out(Applier(client, planned.names, planned.plan, listener=listener))]
            if planned.plan.revealed:
                try:
                    second = await again(client, self, planned, options)
                except ReconcilerError:
                    await put_back(client, self, planned)
                    raise
                reports.append(await carry_out(Applier(client, second.names, second.plan, listener=listener)))
            return joined(reports)

    def check(self) -> None:
        """Raise ManifestError if there are problems."""
        if self.problems:
            raise ManifestError(self.problems)


def load(
    *paths: str | Path,
    file: str | Path | None = None,
    instance: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Manifests:
    """Read the manifests at `paths` (default: the current folder) with their configuration; see `config.load`.

    Raises ConfigError; what is wrong with the manifests is in `problems`.
    """
    return read(configuration.load(paths, environ, file=file, instance=instance), paths)


def validate(*paths: str | Path, file: str | Path | None = None, instance: str | None = None) -> tuple[Problem, ...]:
    """Every problem that can be found without a server."""
    return load(*paths, file=file, instance=instance).problems


def read(config: Config, paths: Sequence[str | Path], stdin: TextIO | BinaryIO | None = None) -> Manifests:
    """The manifests at `paths`, read with a configuration."""
    loaded = foreign.without(manifest.load(paths or (".",), config.variables, stdin=stdin, rules=config.rules))
    desired = declared.build(loaded.documents, config.settings)
    problems = [*loaded.problems, *_not_noise(loaded, desired.problems)]
    return Manifests(config, loaded, desired, tuple(sorted(problems, key=lambda p: (p.location, p.message))))


async def plan(client: Client, manifests: Manifests, options: PlanOptions = ALL) -> Planned:
    """Read the live state and compare. Raises ManifestError, ServerError; ReconcilerError for a pattern."""
    desired = manifests.desired
    state = await live.read(client, desired)
    seen = archived_projects.visible(state.names)
    return replace(_compare(client, desired, state, options), visible=seen)


async def again(client: Client, manifests: Manifests, first: Planned, options: PlanOptions = ALL) -> Planned:
    """The second plan, when the first one is carried out: for what can be seen now, and to archive again. Raises as
    `plan`."""
    desired = manifests.desired
    state = await live.read(client, desired)
    back = archived_projects.shut_again(first.plan, first.visible, desired, state.names)
    warnings = tuple(archived_projects.stay_open(first.plan, first.visible, state.names))
    for address, declared_again in back.items():
        state.names.declare(address, declared_again.spec)
    desired = replace(desired, objects=dict(sorted({**desired.objects, **back}.items())))
    planned = _compare(client, desired, state, replace(options, unarchive=False), first=first.plan, unarchived=back)
    return replace(planned, plan=replace(planned.plan, warnings=(*planned.plan.warnings, *warnings)))


async def put_back(client: Client, manifests: Manifests, first: Planned) -> Report:
    """Archive again what was unarchived to be compared, and nothing else."""
    from reconciler.apply.executor import Applier
    from reconciler.apply.run import carry_out

    names = (await live.read(client, manifests.desired)).names
    back = archived_projects.shut_again(first.plan, first.visible, manifests.desired, names)
    desired = archived_projects.alone(back, manifests.desired)
    state = await live.read(client, desired)
    return await carry_out(Applier(client, state.names, make(desired, state, client.connection.url)))


def joined(reports: Sequence[Report]) -> Report:
    """The report of several plans that were carried out one after the other, as if they were one."""
    from reconciler.apply.report import Report

    changes = tuple(change for report in reports for change in report.plan.changes)
    warnings = tuple(warned for report in reports for warned in report.plan.warnings)
    return Report(
        replace(reports[-1].plan, changes=changes, warnings=tuple(dict.fromkeys(warnings))),
        tuple(result for report in reports for result in report.results),
        reports[-1].requests,
        any(report.interrupted for report in reports),
    )


def _compare(
    client: Client,
    desired: Desired,
    state: Live,
    options: PlanOptions,
    *,
    first: Plan | None = None,
    unarchived: Collection[Address] = (),
) -> Planned:
    """The plan for the chosen objects, and for the `unarchived` projects. What the `first` plan sent is not sent once
    more."""
    url, selection = client.connection.url, None
    done = {change.address for change in first.changes} if first else set()
    sent = frozenset((a, field) for a, field in resent(options.resend, desired.objects) if a not in done)
    if options.targets or options.excludes:
        whole = make(desired, state, url, unarchive=options.unarchive, resent=sent)
        selection = select(whole, desired.objects, options.targets, options.excludes)
    chosen = (selection.chosen.union(unarchived)).__contains__ if selection else _all
    plan = make(desired, state, url, chosen, unarchive=options.unarchive, resent=sent, unarchived=unarchived)
    made = replace(plan, requests=client.requests)
    return Planned(made, state.names, state.me, selection)


def _all(address: Address) -> bool:
    return True


def _not_noise(loaded: Loaded, problems: Iterable[Problem]) -> Iterator[Problem]:
    """The problems that are not about a value which is reported already."""
    known = set(_reported(loaded.documents)) if loaded.problems else set()
    return (problem for problem in problems if problem.location not in known)


def _reported(nodes: Iterable[Any]) -> Iterator[Location]:
    """The places of all values that stand for something reported."""
    for node in nodes:
        if isinstance(node, Map | Seq):
            keys = range(len(node)) if isinstance(node, Seq) else node
            yield from (node.where(k) for k in keys if isinstance(node[k], Reported))  # type: ignore[arg-type,index]
            yield from _reported(node if isinstance(node, Seq) else node.values())
