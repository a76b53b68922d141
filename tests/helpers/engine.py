"""The engine in one call each, for tests: manifests as text or paths; a server as the fixture `world` gives it, or
a `Canned` one.

    report = apply_to(world, "users: [{login: amy, …}]")
    with Proxy(world.url) as proxy:
        apply_to(via(world, proxy), text)
    assert proxy.writes == []

Every call uses a client of its own, so nothing is remembered from one run to the next.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
from canned import Canned, reached
from proxy import Proxy
from pydantic import SecretStr

from reconciler.apply.executor import Applier
from reconciler.apply.report import Report
from reconciler.apply.run import carry_out
from reconciler.catalog.session import Session
from reconciler.errors import Location, ManifestError, Problem
from reconciler.manifest.loader import Map, load
from reconciler.model.name_index import Names
from reconciler.plan.planner import Plan, make
from reconciler.redmine.client import Client, Connection
from reconciler.sandbox import Running
from reconciler.state.desired import Desired, build
from reconciler.state.live import read

T = TypeVar("T")
Server = Running | Canned
Manifests = str | Sequence[str | Path]
"""The text of a manifest, or the paths of several."""

PLACE = Location("reconciler.yaml", 1, 1)


def documents(manifests: Manifests, env: Mapping[str, str] = {}) -> tuple[Map, ...]:
    """The documents of a text or of files; what is wrong with the YAML itself is an error of the test."""
    text = isinstance(manifests, str)
    loaded = load(
        ["-"] if text else [*manifests], env, stdin=io.StringIO(manifests) if isinstance(manifests, str) else None
    )
    assert loaded.problems == (), "\n".join(map(str, loaded.problems))
    return loaded.documents


def offline(manifests: Manifests, *, key_field: str | None = None, env: Mapping[str, str] = {}) -> Desired:
    """The desired state, and what is wrong with it, as far as it can be told without a server."""
    return build(documents(manifests, env), settings(key_field))


def settings(key_field: str | None = None) -> dict[str, Any]:
    """The configuration that the engine knows of."""
    return {"place": PLACE, **({"issue_key_field": key_field} if key_field else {})}


def plan_of(
    world: Server, manifests: Manifests, *, key_field: str | None = None, catalog: Session | None = None
) -> Plan:
    """The plan for a server; raises ManifestError."""

    async def look(client: Client) -> Plan:
        wanted = offline(manifests, key_field=key_field)
        return make(wanted, await read(client, wanted), world.url)

    return _with_client(world, look, catalog=catalog)


def plan_and_names(world: Server, manifests: Manifests) -> tuple[Plan, Names]:
    """The plan for a server, and the names that it was made with; raises ManifestError."""

    async def look(client: Client) -> tuple[Plan, Names]:
        wanted = offline(manifests)
        state = await read(client, wanted)
        return make(wanted, state, world.url), state.names

    return _with_client(world, look)


def apply_to(
    world: Server,
    manifests: Manifests,
    *,
    key_field: str | None = None,
    concurrency: int = 8,
    catalog: Session | None = None,
) -> Report:
    """Plans and applies; raises ManifestError. What failed is in the report."""

    async def carry(client: Client) -> Report:
        wanted = offline(manifests, key_field=key_field)
        state = await read(client, wanted)
        return await carry_out(Applier(client, state.names, make(wanted, state, world.url)))

    return _with_client(world, carry, concurrency, catalog)


def via(world: Running, proxy: Proxy) -> Running:
    """The same server, through a proxy."""
    return replace(world, url=proxy.url)


def _with_client(
    world: Server, action: Callable[[Client], Awaitable[T]], concurrency: int = 8, catalog: Session | None = None
) -> T:
    async def main() -> T:
        connection = Connection(world.url, api_key=SecretStr(world.api_key), concurrency=concurrency)
        async with Client(connection) as client:
            client.catalog = catalog
            return await action(client)

    with reached(world):
        return asyncio.run(main())


def problems_of(
    world: Server, manifests: Manifests, *, key_field: str | None = None, catalog: Session | None = None
) -> tuple[Problem, ...]:
    """What planning finds wrong with manifests, given a server."""
    try:
        plan_of(world, manifests, key_field=key_field, catalog=catalog)
    except ManifestError as error:
        return error.problems
    return ()


def rows(world: Running, path: str, root: str) -> Any:
    """What the API itself shows under `root` at `path` (`/issues/1.json?include=watchers`), with no code of ours."""
    answer = httpx.get(world.url + path, headers={"X-Redmine-API-Key": world.api_key}, trust_env=False)
    answer.raise_for_status()
    return answer.json()[root]
