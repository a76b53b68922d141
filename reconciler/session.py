"""The steps from manifests to a report, as the command line and the public API take them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from reconciler import config as configuration
from reconciler import desired as declared
from reconciler import live, manifest
from reconciler.apply import Applier, Listener, Report
from reconciler.change import Plan
from reconciler.client import Client
from reconciler.config import Config
from reconciler.desired import Desired
from reconciler.errors import Location, ManifestError, Problem, RefusedError, ServerError
from reconciler.manifest import Loaded, Map, Reported, Seq
from reconciler.names import Address, Names
from reconciler.plan import make
from reconciler.selection import Selection, select
from reconciler.verify import carry_out as everything

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, with the names that carrying it out needs. `me` is the account; `selection` is None for all objects."""

    plan: Plan
    names: Names
    me: Mapping[str, Any]
    selection: Selection | None = None


@dataclass(frozen=True, slots=True)
class Manifests:
    """The configuration, the manifests and the desired state that they make; `problems` are sorted by place."""

    config: Config
    loaded: Loaded
    desired: Desired
    problems: tuple[Problem, ...]

    def plan(self, targets: Sequence[str] = (), excludes: Sequence[str] = ()) -> Plan:
        """What `apply` would do. Raises ManifestError, ConfigError, ServerError; ReconcilerError for a pattern."""
        return asyncio.run(self.plan_async(targets, excludes))

    async def plan_async(self, targets: Sequence[str] = (), excludes: Sequence[str] = ()) -> Plan:
        """The same as `plan`, inside an event loop."""
        self.check()
        async with Client(self.config.connection()) as client:
            return (await plan(client, self, targets, excludes)).plan

    def apply(self, agreed: Plan | None = None, listener: Listener = lambda address, outcome: None) -> Report:
        """Plan and carry it out; `listener` is told of each change that ends.

        Raises as `plan`; RefusedError if `agreed` is given and the plan is no longer that one. What fails later
        is in the report.
        """
        return asyncio.run(self.apply_async(agreed, listener))

    async def apply_async(
        self, agreed: Plan | None = None, listener: Listener = lambda address, outcome: None
    ) -> Report:
        """The same as `apply`, inside an event loop."""
        self.check()
        async with Client(self.config.connection()) as client:
            planned = await plan(client, self)
            if agreed is not None and agreed.digest != planned.plan.digest:
                raise RefusedError("The manifests or the server changed since the plan was made: make a new one.")
            return await carry_out(Applier(client, planned.names, planned.plan, listener=listener))

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
    loaded = manifest.load(paths or (".",), config.variables, stdin=stdin)
    found = declared.build(loaded.documents, config.settings)
    problems = [*loaded.problems, *_not_noise(loaded, found.problems)]
    return Manifests(config, loaded, found, tuple(sorted(problems, key=lambda p: (p.location, p.message))))


async def plan(
    client: Client, manifests: Manifests, targets: Sequence[str] = (), excludes: Sequence[str] = ()
) -> Planned:
    """Read the live state and compare. Raises ManifestError, ServerError; ReconcilerError for a pattern."""
    desired = manifests.desired
    state = await live.read(client, desired)
    url, selection = client.connection.url, None
    if targets or excludes:
        # A plan takes note in the names of what is renamed: the first one must not.
        whole = make(desired, replace(state, names=_copy(state.names)), url)
        selection = select(whole, desired.objects, targets, excludes)
    chosen = selection.chosen.__contains__ if selection else _all
    made = replace(make(desired, state, url, chosen), requests=client.requests)
    return Planned(made, state.names, state.me, selection)


def _all(address: Address) -> bool:
    return True


def _copy(names: Names) -> Names:
    """Names that can be added to without a trace in the others."""

    def each(found: Mapping[str, dict[Any, Any]]) -> dict[str, dict[Any, Any]]:
        return {kind: dict(inner) for kind, inner in found.items()}

    return replace(
        names, ids=each(names.ids), keys=each(names.keys), rows=each(names.rows), folds=each(names.folds)
    )


async def carry_out(applier: Applier) -> Report:
    """Apply and verify. There is always a report: after a cancellation, and if the server goes away, too."""
    try:
        await everything(applier)
    except asyncio.CancelledError:
        applier.stop()
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
    except ServerError as error:
        _unverified(applier, f"it was written, but could not be read back: {error}")
    return applier.report()


def _unverified(applier: Applier, reason: str) -> None:
    for state in applier.progress.values():
        if state.outcome == "done" and state.written and state.change.action != "delete":
            state.outcome = "unknown"
            state.errors.append(reason)


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
