"""The steps of an export, from the live server to a folder, as the command line and the public API take them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler import config as configuration
from reconciler import keys, manifest
from reconciler.client import Client
from reconciler.codecs import Stored
from reconciler.config import Config
from reconciler.describe import Item
from reconciler.errors import Missing, ReconcilerError
from reconciler.export import items, tree
from reconciler.folder import Folder
from reconciler.inventory import BATCH, Inventory, Scope, take
from reconciler.kinds import declarable
from reconciler.manifest import Loaded
from reconciler.names import Address
from reconciler.reading import Watch, over, unwatched
from reconciler.sanitize import WITHHELD, sanitize
from reconciler.session import Manifests, Planned, plan


@dataclass(frozen=True, slots=True)
class Exported:
    """An export that was written: where from and to, how many objects of each kind, how many files, what could not be
    said of which object; `sanitized` has the numbers of users and of other mail addresses that were replaced."""

    url: str
    folder: Path
    counts: Mapping[str, int]
    files: int
    left_out: tuple[tuple[Address, str], ...]
    requests: int
    sanitized: tuple[int, int] | None = None


def export_to(
    folder: str | Path,
    *,
    projects: Iterable[str] = (),
    subprojects: bool = False,
    kinds: Iterable[str] = (),
    sanitize: bool = False,
    file: str | Path | None = None,
    instance: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Exported:
    """Write manifests of what is live into a folder: of some projects (identifiers) and kinds, or of all; with
    `sanitize`, without personal data. For the configuration see `config.load`.

    Raises ConfigError, ServerError; ReconcilerError for a folder, project or kind that cannot be.
    """
    settings = configuration.load((), environ, file=file, instance=instance)
    chosen, target = scope(projects, subprojects, kinds), Folder(Path(folder))

    async def run() -> Exported:
        async with Client(settings.connection()) as client:
            return await export(client, settings.settings, chosen, target, sanitized=sanitize)

    return asyncio.run(run())


def scope(projects: Iterable[str], subprojects: bool, chosen: Iterable[str]) -> Scope:
    """What to export; kinds by name or as manifests call their lists. Raises ReconcilerError for one that is none."""
    known = {alias: kind.name for kind in declarable().values() for alias in (kind.name, kind.plural)}
    names = list(chosen)
    for name in names:
        if name not in known:
            hint = manifest.suggest(name, known)
            raise ReconcilerError(f'There is no kind "{name}"{f" ({hint})" if hint else ""}.')
    return Scope(frozenset(projects), subprojects, frozenset(known[name] for name in names))


async def export(
    client: Client, settings: Mapping[str, Any], scope: Scope, folder: Folder, *, sanitized: bool = False
) -> Exported:
    """Write manifests of what is live. Raises ServerError; ReconcilerError for a folder or a scope that cannot be."""
    return await write_out(client, await take(client, settings, scope), scope, folder, sanitized=sanitized)


async def key_plan(
    client: Client, config: Config, found: Inventory, reopened: Collection[str] = ()
) -> tuple[Planned, tuple[Address, ...]]:
    """The plan that stores keys in the issues that have none, and the issues that cannot have one; `found` is as
    `keys.named` gives it. Projects that a run before has `reopened` are closed."""
    desired, lacking = keys.wanted(found, reopened)
    return await plan(client, Manifests(config, Loaded((), (), ()), desired, ())), lacking


async def write_out(
    client: Client,
    found: Inventory,
    scope: Scope,
    folder: Folder,
    *,
    sanitized: bool = False,
    watch: Watch = unwatched,
) -> Exported:
    """Write what was read into a folder; `watch` is told how far the downloads are. Raises as `export`."""
    without = sanitize(found) if sanitized else None
    shown = without.inventory if without else found
    lost: set[int] = {-1}
    while lost:
        counts = Counter[str]()
        described = without.items(items(shown, scope)) if without else items(shown, scope)
        made = tree(_counted(described, counts), found.names.settings)
        lost = set() if without else await _download(client, made.downloads, folder, watch)
        for number in lost:
            shown.names.files[number] = {**shown.names.files.get(number, {}), "lost": True}
    for name in made.downloads if without else ():
        folder.write(name, WITHHELD)
    for name, text in made.texts.items():
        folder.write(name, text.encode())
    folder.finish([*made.texts, *made.downloads])
    return Exported(
        client.connection.url,
        folder.path,
        {kind.name: counts[kind.name] for kind in declarable().values() if counts[kind.name]},
        len(made.texts) + len(made.downloads),
        tuple(made.remarks),
        client.requests,
        without.disguise.counts if without else None,
    )


def _counted(described: Iterable[Item], counts: Counter[str]) -> Iterator[Item]:
    """The same, counted by kind: what is an object in a manifest."""
    for item in described:
        counts[item.address.kind] += item.body is not None
        yield item


async def _download(client: Client, files: Mapping[str, Stored], folder: Folder, watch: Watch) -> set[int]:
    """Write live files; the numbers of those that the server has lost (404, although it lists them)."""
    lost: set[int] = set()

    async def one(name: str) -> None:
        try:
            content = await client.content(f"/attachments/download/{files[name].number}")
        except Missing:
            lost.add(files[name].number)
        else:
            folder.write(name, content)

    async for _ in over(files, one, BATCH, "downloads", watch):
        pass
    return lost
