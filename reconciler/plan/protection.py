"""Objects that are not to be deleted: `protect` of the object itself, or patterns in the configuration."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.address import Address
from reconciler.model.collections import matches
from reconciler.model.kind import Object
from reconciler.model.name_index import Names


def protected(declared: Object, along: Iterable[Address], names: Names) -> list[str]:
    """What a deletion must not delete, of the object itself and what goes `along`, each with the place that asks."""
    patterns = names.settings.get("protect", ())
    itself = [declared.address] if declared.spec.protect else []
    found = (address for address in (declared.address, *along) if matches(address, patterns))
    return [f"{address} ({declared.source})" for address in dict.fromkeys((*itself, *found))]
