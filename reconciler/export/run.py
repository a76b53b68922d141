"""The steps of an export, from the live server to a folder. The command line and the public API both use them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from reconciler.config import Config
from reconciler.errors import Denied, Missing, ReconcilerError
from reconciler.export import root_config, state_files, write_keys
from reconciler.export.describe import Item
from reconciler.export.file_tree import Tree, file_tree, items
from reconciler.export.inventory import Inventory, Scope, take
from reconciler.export.output_folder import Extent, Folder
from reconciler.export.sanitize import WITHHELD, Sanitized, sanitize
from reconciler.kinds import declarable, keyed
from reconciler.manifest import loader as manifest
from reconciler.manifest.loader import Loaded
from reconciler.manifest.sources import CONFIG
from reconciler.masking import Secrets
from reconciler.model.address import Address
from reconciler.model.codecs import Stored
from reconciler.pipeline import Manifests, plan
from reconciler.plan.comparison import Planned
from reconciler.plan.options import PlanOptions, several
from reconciler.redmine.client import Client
from reconciler.state.fetch import Watch, over, unwatched


@dataclass(frozen=True, slots=True)
class Exported:
    """The result of an export.

    `counts` is the number of objects by kind, `left_out` the remarks on values that were left out, `removed` the number
    of removed files of an earlier export, `edited` those that somebody had edited since then and that were replaced or
    removed, `sanitized` the number of replaced users and of other mail addresses.
    """

    url: str
    folder: Path
    counts: Mapping[str, int]
    files: int
    left_out: tuple[tuple[Address, str], ...]
    removed: int
    requests: int
    sanitized: tuple[int, int] | None = None
    edited: tuple[str, ...] = ()
    secrets: Secrets = field(default_factory=Secrets, compare=False, repr=False)
    """Those of the run, which `to_data` masks."""


class Writing(Protocol):
    """Where downloads are written to."""

    def writing(self, name: str) -> AbstractContextManager[BinaryIO]:
        """A file with this path, which is there when it is complete."""


def scope(
    projects: str | Iterable[str], subprojects: bool, chosen: str | Iterable[str], *, catalog: bool = False
) -> Scope:
    """The scope of an export; kinds by name or by the name of their list. Raises ReconcilerError for unknown ones."""
    known = {alias: kind.name for kind in declarable().values() for alias in (kind.name, kind.plural)}
    names = several(chosen)
    for name in names:
        if name not in known:
            hint = manifest.suggest(name, known)
            raise ReconcilerError(f'There is no kind "{name}"{f" ({hint})" if hint else ""}.')
    return Scope(frozenset(several(projects)), subprojects, frozenset(known[name] for name in names), catalog=catalog)


def target(path: Path, scope: Scope, config: Config, instance: str | None = None, *, sanitized: bool = False) -> Folder:
    """The output folder for an export with a configuration. Raises ReconcilerError if it is unusable."""
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
    """Read everything in scope. Issues keep the keys that the last export into the folder gave them.

    Raises as `take`.
    """
    known = state_files.keys(folder.path, client.connection.url)
    given = known if stores_keys(scope, config.settings, sanitized=sanitized) else state_files.Keys()
    return await take(client, config.settings, scope, watch, given)


def stores_keys(scope: Scope, settings: Mapping[str, Any], *, sanitized: bool) -> bool:
    """Whether an export stores the keys of issues in its folder: if Redmine does not, and keys are no personal data."""
    return not sanitized and not settings.get("issue_key_field") and any(map(scope.has, keyed()))


async def key_plan(
    client: Client, config: Config, inventory: Inventory, reopened: Collection[str] = ()
) -> tuple[Planned, tuple[Address, ...]]:
    """The plan that stores keys in issues without one, and the issues that cannot have one.

    `inventory` comes from `write_keys.with_keys`. Projects that an earlier run has `reopened` are closed again.
    """
    desired, lacking = write_keys.desired_keys(inventory, reopened)
    # An issue that Redmine would refuse is reported, and the others get their keys.
    options = PlanOptions(keep_going=True)
    return await plan(client, Manifests(config, Loaded((), (), ()), desired, ()), options), lacking


async def write_out(
    client: Client,
    inventory: Inventory,
    scope: Scope,
    folder: Folder,
    *,
    sanitized: bool = False,
    watch: Watch = unwatched,
) -> Exported:
    """Write the inventory into a folder. `watch` is called with the progress of the downloads.

    Raises ServerError; ReconcilerError for a file that cannot be written.
    """
    replaced = sanitize(inventory) if sanitized else None
    counts, tree = await _files(client, replaced or inventory, scope, folder, watch)
    for name in tree.downloads if replaced else ():
        folder.write(name, WITHHELD)
    if stores_keys(scope, inventory.names.settings, sanitized=sanitized):
        url = client.connection.url
        tree.texts[state_files.KEYS] = state_files.keys_file(inventory.names, inventory.projects, url)
    # After the downloads: an export that is killed leaves no new manifest that names a missing file.
    for name, text in tree.texts.items():
        folder.write(name, text.encode())
    removed = folder.finish([*tree.texts, *tree.downloads])
    return Exported(
        client.connection.url,
        folder.path,
        {kind.name: counts[kind.name] for kind in declarable().values() if counts[kind.name]},
        len(tree.texts.keys() - {state_files.KEYS}) + len(tree.downloads),
        (*((row.address, str(row)) for row in inventory.unreadable), *tree.remarks),
        removed,
        client.requests,
        replaced.pseudonyms.counts if replaced else None,
        tuple(sorted(folder.edited)),
        client.secrets,
    )


async def _files(
    client: Client, source: Inventory | Sanitized, scope: Scope, folder: Folder, watch: Watch
) -> tuple[Counter[str], Tree]:
    """The files of an export and the number of objects by kind. Downloads are written already.

    If a download fails, its file is left out, which can change the names of others. So the tree is built again, and
    only files whose names changed are downloaded again.
    """
    sanitized = source if isinstance(source, Sanitized) else None
    inventory = source.inventory if isinstance(source, Sanitized) else source
    downloaded: dict[str, int] = {}
    while True:
        counts = Counter[str]()
        described = items(inventory, scope)
        counted = _counted(sanitized.items(described) if sanitized else described, counts)
        tree = file_tree(counted, inventory.names.settings)
        if not folder.configured:
            tree.texts.pop(CONFIG, None)
        folder.check([*tree.texts, *tree.downloads])
        # Contents are withheld from a sanitized export, so nothing is downloaded.
        lost = {} if sanitized else await download(client, tree.downloads, downloaded, folder, watch)
        if not lost:
            return counts, tree
        # Lost files are not tried again, so each round has fewer to download, and this ends.
        for number, why in lost.items():
            inventory.names.files[number] = {**inventory.names.files.get(number, {}), "lost": why}


def _counted(described: Iterable[Item], counts: Counter[str]) -> Iterator[Item]:
    """The same items. Counts those that become objects in a manifest, by kind."""
    for item in described:
        counts[item.address.kind] += item.body is not None
        yield item


async def download(
    client: Client, files: Mapping[str, Stored], downloaded: dict[str, int], folder: Writing, watch: Watch
) -> dict[int, str]:
    """Download live files, except those `downloaded` already (path → id). Returns id → reason for failures."""
    lost: dict[int, str] = {}

    async def one(name: str) -> None:
        try:
            await _fetch(client, name, files[name], folder)
        except _Lost as error:
            lost[files[name].number] = str(error)
        else:
            downloaded[name] = files[name].number

    pending = [name for name, file in files.items() if downloaded.get(name) != file.number]
    async for _ in over(pending, one, AHEAD * client.connection.concurrency, "downloads", watch):
        pass
    return lost


class _Lost(Exception):
    """A live file cannot be downloaded; the text is the reason."""


async def _fetch(client: Client, name: str, file: Stored, folder: Writing) -> None:
    """Download a live file. Raises _Lost if the server refuses it, or if the size is wrong twice."""
    for last in (False, True):
        try:
            with folder.writing(name) as into:
                await client.download(f"/attachments/download/{file.number}", into, file.size)
                if file.size not in (None, into.tell()):
                    sent = "more" if into.tell() > (file.size or 0) else f"{into.tell():,} bytes"
                    raise _Lost(f"the server sent {sent}, but lists the file with {file.size:,} bytes")
                return
        except Missing as error:
            raise _Lost("the server has lost the content of the file") from error
        except Denied as error:
            # 401 is about the account, so the export as a whole fails.
            if error.status != FORBIDDEN:
                raise
            raise _Lost("the server denies access to the content of the file (403)") from error
        except _Lost:
            if last:
                raise


FORBIDDEN = 403
AHEAD = 2
"""Downloads to start ahead, by which a large one does not hold up others; each keeps a file open."""
