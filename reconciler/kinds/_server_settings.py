"""Settings of Redmine that decide what becomes of other objects: as they will be when the manifests are applied."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from reconciler.model.address import Address, Unresolved
from reconciler.model.catalog import CATALOG
from reconciler.model.name_index import Names


def setting(name: str, names: Names) -> Any:
    """The value of a setting: the declared one, else the live one; None if it is not known.

    It is known where the manifests declare any setting, and the program inside Redmine has shown them. Declared ones
    are then written before everything that depends on them.
    """
    address = Address("setting", name)
    shown = (names.row(address) or {}).get(CATALOG, {})
    if "format" not in shown:
        return None
    spec = names.spec(address)
    if spec is None or "value" not in spec.model_fields_set or "value" in spec.create_only:
        return shown.get("value")
    from reconciler.kinds.settings import FORMS  # only where the manifests declare settings

    # What is no such value is a problem of the setting itself.
    with suppress(Unresolved):
        return FORMS[shown["format"]](spec.value)
    return None
