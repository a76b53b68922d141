"""Exports of single objects, for tests: without the command line, from a server or one in memory."""

from __future__ import annotations

import asyncio
from pathlib import Path

from canned import reached
from exports import Exports

from reconciler import config as configuration
from reconciler.export import single
from reconciler.export.single import Picked
from reconciler.redmine.client import Client


def configured(exports: Exports, folder: Path) -> None:
    """The configuration with which the manifests in a folder are planned."""
    text = f"issue_key_field: {exports.key_field}\n" if exports.key_field else "{}\n"
    (folder / "reconciler.yaml").write_text(text)


def pick(exports: Exports, *targets: str, file: Path) -> Picked:
    """Export single objects into a new file, with the configuration beside it."""
    configured(exports, file.parent)
    config = configuration.load((file.parent,), exports.environ)

    async def main() -> Picked:
        async with Client(config.connection(), secrets=config.secrets) as client:
            return await single.pick(client, config, single.scope_of(targets), single.checked(file))

    with reached(exports.server):
        picked = asyncio.run(main())
    file.write_text(picked.text, encoding="utf-8")
    return picked
