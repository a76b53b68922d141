"""Whether an export writes a `reconciler.yaml` with the `issue_key_field`.

That file would hide one in a parent folder, with its URL and other settings, so it is written only if no parent folder
sets the same field.
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
    """Whether an export with this configuration writes one. A file that people have edited is kept.

    Raises ReconcilerError if that file sets another field, ConfigError if it is invalid.
    """
    key, own = config.settings.get(FIELD), folder.path / CONFIG
    if own.exists() and not _exported(folder, own):
        theirs = _key_field(own, config, instance)
        if theirs != key:
            raise ReconcilerError(f"{own} sets {_setting(theirs)}, but this export uses {_setting(key)}: {HINT}")
        folder.keep(CONFIG)
        return False
    return key is not None and _above(folder.path, config, instance) != key


HINT = "use the same one in both, or choose another folder."


def _setting(key: str | None) -> str:
    return f"no {FIELD}" if key is None else f'{FIELD} "{key}"'


def _exported(folder: Folder, own: Path) -> bool:
    """Whether the file is unchanged since an earlier export wrote it."""
    if CONFIG not in folder.before:
        return False
    try:
        key = configuration.load((), {}, file=own).settings.get(FIELD)
        return own.read_bytes() == dump({FIELD: key}).encode()
    except (ConfigError, OSError):
        return False


def _key_field(file: Path, config: Config, instance: str | None) -> str | None:
    key: str | None = configuration.load((), config.environ, file=file, instance=instance).settings.get(FIELD)
    return key


def _above(folder: Path, config: Config, instance: str | None) -> str | None:
    """The key field from a parent folder's configuration, which manifests in the folder use if it has none of its own.

    None also if that configuration is invalid.
    """
    place = Path(os.path.abspath(folder))  # noqa: PTH100
    # Like manifests, the search stops at the root of a repository.
    file = None if (place / ".git").exists() else find_config((place.parent,))
    try:
        return None if file is None else _key_field(file, config, instance)
    except ConfigError:
        return None
