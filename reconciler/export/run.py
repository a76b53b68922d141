"""The steps of an export, from the live server to a folder, as the command line and the public API take them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler import config as configuration
from reconciler.config import Config
from reconciler.errors import Denied, Missing, ReconcilerError
from reconciler.export import root_config, state_files, write_keys
from reconciler.export.describe import Item
from reconciler.export.file_tree import Tree, items, tree
from reconciler.export.inventory import Inventory, Scope, take
from reconciler.export.output_folder import Extent, Folder
from reconciler.export.sanitize import WITHHELD, Sanitized, sanitize
from reconciler.kinds import declarable, keyed
from reconciler.manifest import loader as manifest
from reconciler.manifest.loader import Loaded
from reconciler.manifest.sources import CONFIG
from reconciler.model.address import Address
from reconciler.model.codecs import Stored
from reconciler.pipeline import Manifests, Planned, plan
from reconciler.redmine.client import Client
from reconciler.state.fetch import Watch, over, unwatched


@dataclass(frozen=True, slots=True)
class Exported:
    """An export that was written: where from and to, how many objects of each kind, how many files, what could not be
    said of which object, how many files of an earlier export were removed; `sanitized` has the numbers of users and of
    other mail addresses that were replaced."""

    url: str
    folder: Path
    counts: Mapping[str, int]
    files: int
    left_out: tuple[tuple[Address, str], ...]
    removed: int
    requests: int
    sanitized: tuple[int, int] | None = None


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
) -> Exported:
    """Write manifests of what is live into a folder: of some projects (identifiers) and kinds, or of all; with
    `sanitize`, without personal data. For the configuration see `config.load`.

    Raises ConfigError, ServerError; ReconcilerError for a folder, project or kind that cannot be.
    """
    return asyncio.run(
        export_to_async(
            folder,
            projects=projects,
            subprojects=subprojects,
            kinds=kinds,
            sanitize=sanitize,
            file=file,
            instance=instance,
            environ=environ,
        )
    )


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
) -> Exported:
    """The same as `export_to`, inside an event loop."""
    config = configuration.load((), environ, file=file, instance=instance)
    chosen = scope(projects, subprojects, kinds)
    into = target(Path(folder), chosen, config, instance, sanitized=sanitize)
    async with Client(config.connection()) as client:
        found = await look(client, config, chosen, into, sanitized=sanitize)
        return await write_out(client, found, chosen, into, sanitized=sanitize)


def scope(projects: str | Iterable[str], subprojects: bool, chosen: str | Iterable[str]) -> Scope:
    """What to export; kinds by name or as manifests call their lists. Raises ReconcilerError for one that is none."""
    known = {alias: kind.name for kind in declarable().values() for alias in (kind.name, kind.plural)}
    names = _several(chosen)
    for name in names:
        if name not in known:
            hint = manifest.suggest(name, known)
            raise ReconcilerError(f'There is no kind "{name}"{f" ({hint})" if hint else ""}.')
    return Scope(frozenset(_several(projects)), subprojects, frozenset(known[name] for name in names))


def _several(names: str | Iterable[str]) -> list[str]:
    """The names; a text is one."""
    return [names] if isinstance(names, str) else list(names)


def target(path: Path, scope: Scope, config: Config, instance: str | None = None, *, sanitized: bool = False) -> Folder:
    """The folder for an export with a configuration. Raises ReconcilerError for one that cannot be."""
    folder = Folder(path, Extent.of(scope, sanitized=sanitized))
    folder.configured = root_config.needed(folder, config, instance)
    return folder


async def look(
    client: Client,
    config: Config,
    scope: Scope,
    folder: Folder,
    *,
    sanitized: bool = False,
    watch: Watch = unwatched,
) -> Inventory:
    """Read everything in scope; issues keep the keys that the last export into the folder gave them.

    Raises as `take`.
    """
    known = state_files.keys(folder.path, client.connection.url)
    called = known if remembers(scope, config.settings, sanitized=sanitized) else {}
    return await take(client, config.settings, scope, watch, called)


def remembers(scope: Scope, settings: Mapping[str, Any], *, sanitized: bool) -> bool:
    """Whether an export notes which issue got which key: where nothing in Redmine holds it, and nobody is hidden."""
    return not sanitized and not settings.get("issue_key_field") and any(map(scope.has, keyed()))


async def key_plan(
    client: Client, config: Config, found: Inventory, reopened: Collection[str] = ()
) -> tuple[Planned, tuple[Address, ...]]:
    """The plan that stores keys in the issues that have none, and the issues that cannot have one; `found` is as
    `write_keys.named` gives it. Projects that a run before has `reopened` are closed."""
    desired, lacking = write_keys.wanted(found, reopened)
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
    """Write what was read into a folder; `watch` is told how far the downloads are. Raises ServerError; ReconcilerError
    for what cannot be written."""
    without = sanitize(found) if sanitized else None
    counts, made = await _files(client, without or found, scope, folder, watch)
    for name in made.downloads if without else ():
        folder.write(name, WITHHELD)
    if remembers(scope, found.names.settings, sanitized=sanitized):
        made.texts[state_files.KEYS] = state_files.keys_file(found.names, found.projects, client.connection.url)
    for name, text in made.texts.items():
        folder.write(name, text.encode())
    removed = folder.finish([*made.texts, *made.downloads])
    return Exported(
        client.connection.url,
        folder.path,
        {kind.name: counts[kind.name] for kind in declarable().values() if counts[kind.name]},
        len(made.texts.keys() - {state_files.KEYS}) + len(made.downloads),
        (*((row.address, str(row)) for row in found.unreadable), *made.remarks),
        removed,
        client.requests,
        without.disguise.counts if without else None,
    )


async def _files(
    client: Client, found: Inventory | Sanitized, scope: Scope, folder: Folder, watch: Watch
) -> tuple[Counter[str], Tree]:
    """The files of an export with how many objects of each kind they have; those that can be downloaded are written.

    Without one that cannot, others may have other names: then these are downloaded again.
    """
    without = found if isinstance(found, Sanitized) else None
    shown = found.inventory if isinstance(found, Sanitized) else found
    there: dict[str, int] = {}
    while True:
        counts = Counter[str]()
        described = items(shown, scope)
        made = tree(_counted(without.items(described) if without else described, counts), shown.names.settings)
        if not folder.configured:
            made.texts.pop(CONFIG, None)
        folder.check([*made.texts, *made.downloads])
        lost = {} if without else await _download(client, made.downloads, there, folder, watch)
        if not lost:
            return counts, made
        for number, why in lost.items():
            shown.names.files[number] = {**shown.names.files.get(number, {}), "lost": why}


def _counted(described: Iterable[Item], counts: Counter[str]) -> Iterator[Item]:
    """The same, counted by kind: what is an object in a manifest."""
    for item in described:
        counts[item.address.kind] += item.body is not None
        yield item


async def _download(
    client: Client, files: Mapping[str, Stored], there: dict[str, int], folder: Folder, watch: Watch
) -> dict[int, str]:
    """Write live files, but for those that are `there` (path → number); the numbers of those that cannot be had, and
    why."""
    lost: dict[int, str] = {}

    async def one(name: str) -> None:
        try:
            await _fetch(client, name, files[name], folder)
        except _Lost as error:
            lost[files[name].number] = str(error)
        else:
            there[name] = files[name].number

    wanted = [name for name, file in files.items() if there.get(name) != file.number]
    async for _ in over(wanted, one, AHEAD * client.connection.concurrency, "downloads", watch):
        pass
    return lost


class _Lost(Exception):
    """A live file cannot be had; the text says why."""


async def _fetch(client: Client, name: str, file: Stored, folder: Folder) -> None:
    """Write a live file. Raises _Lost if the server gives something else again, or says that it will not."""
    for last in (False, True):
        try:
            with folder.writing(name) as into:
                await client.download(f"/attachments/download/{file.number}", into)
                if file.size not in (None, into.tell()):
                    raise _Lost(f"the server gave {into.tell():,} bytes, and says that the file has {file.size:,}")
                return
        except Missing as error:
            raise _Lost("the server has lost what is in the file") from error
        except Denied as error:
            if error.status != FORBIDDEN:
                raise
            raise _Lost("the server does not give out what is in the file (403)") from error
        except _Lost:
            if last:
                raise


FORBIDDEN = 403
AHEAD = 2
"""Downloads for each that is under way, so that one that is large keeps few waiting: each holds a file open."""
