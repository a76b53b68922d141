"""Whether an export's folder needs a `reconciler.yaml` of its own: it says where issues have their keys.

It would hide one in a folder above, with the address of the server and what else people set, so there is one only where
nothing above says the same.
"""

from __future__ import annotations

import os
from pathlib import Path

from reconciler import config as configuration
from reconciler.config import Config
from reconciler.errors import ConfigError, ReconcilerError
from reconciler.export.output_folder import Folder
from reconciler.export.yaml_writer import dump
from reconciler.manifest.sources import CONFIG, find_config

FIELD = "issue_key_field"


def needed(folder: Folder, config: Config, instance: str | None = None) -> bool:
    """Whether an export with this configuration writes one; one that people have completed stays.

    Raises ReconcilerError if that says something else; ConfigError if it is not valid.
    """
    key, own = config.settings.get(FIELD), folder.path / CONFIG
    if own.exists() and not _exported(folder, own):
        said = _said(own, config, instance)
        if said != key:
            raise ReconcilerError(f"{own} {_names(said)}, and this export is made with one that {_names(key)}: {HINT}")
        folder.keep(CONFIG)
        return False
    return key is not None and _above(folder.path, config, instance) != key


HINT = f"make the {FIELD} the same in both, or give another folder."


def _names(key: str | None) -> str:
    return f"has no {FIELD}" if key is None else f'has the {FIELD} "{key}"'


def _exported(folder: Folder, own: Path) -> bool:
    """Whether it is as an earlier export wrote it."""
    if CONFIG not in folder.before:
        return False
    try:
        key = configuration.load((), {}, file=own).settings.get(FIELD)
        return own.read_bytes() == dump({FIELD: key}).encode()
    except (ConfigError, OSError):
        return False


def _said(file: Path, config: Config, instance: str | None) -> str | None:
    key: str | None = configuration.load((), config.environ, file=file, instance=instance).settings.get(FIELD)
    return key


def _above(folder: Path, config: Config, instance: str | None) -> str | None:
    """The key field of the configuration that manifests in the folder have without one of its own; None also if that
    is not valid, as it is of no use to them then."""
    place = Path(os.path.abspath(folder))  # noqa: PTH100
    found = None if (place / ".git").exists() else find_config((place.parent,))
    try:
        return None if found is None else _said(found, config, instance)
    except ConfigError:
        return None
