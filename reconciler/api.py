"""The public Python API: the steps of the command line for other programs, sync and inside an event loop.

Nothing here prints, exits the process or keeps state between calls: everything is in `Manifests`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from reconciler import config as configuration
from reconciler import event_loop, pipeline
from reconciler.apply.report import Report
from reconciler.config import Config
from reconciler.errors import Problem, ReconcilerError
from reconciler.export import run
from reconciler.export.run import Exported
from reconciler.masking import Secrets
from reconciler.pipeline import at_least
from reconciler.plan.operations import Plan
from reconciler.plan.options import PlanOptions, several
from reconciler.redmine.client import Client
from reconciler.render import json
from reconciler.settings import add_secrets
from reconciler.state import lease_project

if TYPE_CHECKING:
    from reconciler.apply.progress import Listener

T = TypeVar("T")


def load(
    *paths: str | Path,
    file: str | Path | None = None,
    instance: str | None = None,
    environ: Mapping[str, str] | None = None,
    url: str | None = None,
    api_key: str | None = None,
) -> Manifests:
    """Read the manifests at `paths` (files and folders; default: the current folder) with their configuration.

    `file` is used instead of the `reconciler.yaml` that is found, `instance` is chosen among its instances, `environ`
    replaces the environment of the process, and `url` and `api_key` override all of them.

    Raises ConfigError. Problems in the manifests do not raise; they are in `problems`.
    """
    config = _configuration(paths, file, instance, environ, url, api_key)
    read = pipeline.read(config, paths)
    return Manifests(read.config, read.loaded, read.desired, read.problems)


def validate(
    *paths: str | Path,
    file: str | Path | None = None,
    instance: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> tuple[Problem, ...]:
    """All problems of the manifests at `paths` that can be detected without a server. Raises ConfigError."""
    return load(*paths, file=file, instance=instance, environ=environ).problems


def export_to(
    folder: str | Path,
    *,
    projects: str | Iterable[str] = (),
    subprojects: bool = False,
    kinds: str | Iterable[str] = (),
    sanitize: bool = False,
    file: str | Path | None = None,
    instance: str | None = None,
    environ: Mapping[str, str] | None = None,
    url: str | None = None,
    api_key: str | None = None,
) -> Exported:
    """Export live state as manifests into a folder: of these projects (identifiers) and kinds, by default of all.

    `sanitize` replaces personal data. For the configuration see `load`. Raises ConfigError, ServerError;
    ReconcilerError for an unusable folder, or an unknown project or kind.
    """
    chosen: dict[str, Any] = {"projects": projects, "subprojects": subprojects, "kinds": kinds, "sanitize": sanitize}
    where: dict[str, Any] = {"file": file, "instance": instance, "environ": environ, "url": url, "api_key": api_key}
    return _outside_a_loop(lambda: export_to_async(folder, **chosen, **where), "export_to")


async def export_to_async(
    folder: str | Path,
    *,
    projects: str | Iterable[str] = (),
    subprojects: bool = False,
    kinds: str | Iterable[str] = (),
    sanitize: bool = False,
    file: str | Path | None = None,
    instance: str | None = None,
    environ: Mapping[str, str] | None = None,
    url: str | None = None,
    api_key: str | None = None,
) -> Exported:
    """The same as `export_to`, inside an event loop."""
    config = _configuration((), file, instance, environ, url, api_key)
    chosen = run.scope(projects, subprojects, kinds)
    into = run.target(Path(folder), chosen, config, instance, sanitized=sanitize)
    async with _client(config) as client:
        inventory = await run.look(client, config, chosen, into, sanitized=sanitize)
        return await run.write_out(client, inventory, chosen, into, sanitized=sanitize)


def to_data(result: Plan | Report | Exported | Iterable[Problem]) -> dict[str, Any]:
    """A plan, a report, an export or problems as plain data for JSON: what the commands print with `--format json`.

    The JSON Schemas describe it (`reconciler schema`). Secrets are masked.
    """
    if isinstance(result, Plan):
        return _masked(json.plan_json(result), result.secrets)
    if isinstance(result, Exported):
        return _masked(json.export_json(result), result.secrets)
    if isinstance(result, Report):
        return _masked(json.results_json(result), result.plan.secrets)
    return json.problems_json(result)  # masked where they were found


def _masked(data: dict[str, Any], secrets: Secrets) -> dict[str, Any]:
    masked: dict[str, Any] = secrets.masked_data(data)
    return masked


@dataclass(frozen=True, slots=True)
class Manifests(pipeline.Manifests):
    """The desired state: the configuration, the manifests, and their `problems`, sorted by place."""

    def plan(
        self,
        targets: str | Iterable[str] = (),
        excludes: str | Iterable[str] = (),
        *,
        unarchive: bool = False,
        resend: str | Iterable[str] = (),
        prune: bool = False,
        unmanaged: bool = False,
    ) -> Plan:
        """What `apply` would do. Never writes.

        `targets`, `excludes` and `resend` are globs over KIND/KEY and KIND/KEY.FIELD, as on the command line: one, or
        several. With `unarchive`, archived projects are opened to be compared; with `prune`, undeclared objects of
        authoritative collections are removed; with `unmanaged`, the undeclared objects in declared projects are listed.

        Raises ManifestError, ConfigError, ServerError; ReconcilerError for a pattern that matches nothing.
        """
        more: dict[str, Any] = {"unarchive": unarchive, "resend": resend, "prune": prune, "unmanaged": unmanaged}
        return _outside_a_loop(lambda: self.plan_async(targets, excludes, **more), "plan")

    async def plan_async(
        self,
        targets: str | Iterable[str] = (),
        excludes: str | Iterable[str] = (),
        *,
        unarchive: bool = False,
        resend: str | Iterable[str] = (),
        prune: bool = False,
        unmanaged: bool = False,
    ) -> Plan:
        """The same as `plan`, inside an event loop."""
        what = several(targets), several(excludes), unarchive, several(resend)
        options = PlanOptions(*what, prune=prune, unmanaged=unmanaged)
        with at_least(self):
            async with _client(self.config) as client:
                return (await pipeline.plan(client, self, options)).plan

    def apply(
        self,
        agreed: Plan | str | None = None,
        listener: Listener | None = None,
        *,
        targets: str | Iterable[str] = (),
        excludes: str | Iterable[str] = (),
        unarchive: bool = False,
        resend: str | Iterable[str] = (),
        keep_going: bool = False,
        lease_timeout: float = 0,
        prune: bool = False,
        max_deletes: int | None = None,
    ) -> Report:
        """Plan and apply. `listener` is called with the address and the outcome of each change that ends.

        `agreed` is the plan that was reviewed, or its digest: if the plan is another one by now, nothing is written. It
        must have been made with the same `targets`, `excludes`, `unarchive`, `resend` and `prune`. `max_deletes`
        replaces the configured limits.

        With `unarchive`, archived projects are opened to be compared, which takes a second plan; the report covers
        both. With `keep_going`, objects with a problem that only the server shows are `failed` in the report, what
        needs them is skipped, and all others are applied. With `prune`, undeclared objects of authoritative
        collections are removed.

        Raises as `plan`; ReconcilerError for a negative limit; RefusedError if the (first) plan is not the `agreed`
        one, if it deletes more than the limits allow, or if another run still holds the configured lease after
        `lease_timeout` seconds. Later failures are in the report. If the listener raises, the run ends, and
        ListenerFailed has the report.
        """
        what: dict[str, Any] = {"targets": targets, "excludes": excludes, "unarchive": unarchive, "resend": resend}
        how: dict[str, Any] = {"keep_going": keep_going, "prune": prune, "lease_timeout": lease_timeout}
        return _outside_a_loop(
            lambda: self.apply_async(agreed, listener, **what, **how, max_deletes=max_deletes), "apply"
        )

    async def apply_async(
        self,
        agreed: Plan | str | None = None,
        listener: Listener | None = None,
        *,
        targets: str | Iterable[str] = (),
        excludes: str | Iterable[str] = (),
        unarchive: bool = False,
        resend: str | Iterable[str] = (),
        keep_going: bool = False,
        lease_timeout: float = 0,
        prune: bool = False,
        max_deletes: int | None = None,
    ) -> Report:
        """The same as `apply`, inside an event loop."""
        from reconciler.apply.lease import held

        _check_limits(max_deletes=max_deletes, lease_timeout=lease_timeout)
        config = self.config
        options = PlanOptions(several(targets), several(excludes), unarchive, several(resend), keep_going, prune)
        digest = agreed.digest if isinstance(agreed, Plan) else agreed
        with at_least(self):
            async with _client(config) as client:
                lease = None if self.problems else config.lease
                if lease is not None:
                    await client.whoami()
                made = lease_project.is_made(self.desired.objects, lease)
                async with held(client, lease, config.place, "Python", timeout=lease_timeout, creates=made):
                    return await pipeline.apply(client, self, options, digest, listener, max_deletes)


def _configuration(
    paths: Sequence[str | Path],
    file: str | Path | None,
    instance: str | None,
    environ: Mapping[str, str] | None,
    url: str | None,
    api_key: str | None,
) -> Config:
    given = {name: value for name, value in {"url": url, "api_key": api_key}.items() if value is not None}
    secrets = Secrets()
    add_secrets(given, secrets)
    return configuration.load(paths, environ, file=file, instance=instance, flags=given, secrets=secrets)


def _check_limits(**limits: float | None) -> None:
    """Raise ReconcilerError for a limit that is below zero."""
    for name, value in limits.items():
        if value is not None and not value >= 0:
            raise ReconcilerError(f"{name} is {value}: it must be 0 or more.")


def _client(config: Config) -> Client:
    return Client(config.connection(), secrets=config.secrets)


def _outside_a_loop(start: Callable[[], Coroutine[Any, Any, T]], name: str) -> T:
    """Run a coroutine to its end. Raises ReconcilerError inside an event loop, as in a notebook."""
    if in_a_loop():
        raise ReconcilerError(
            f"`{name}` cannot be called inside an event loop, as in a notebook: await `{name}_async`."
        )
    return event_loop.run(start())


def in_a_loop() -> bool:
    """Whether the caller runs inside an event loop, which cannot wait for another one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
