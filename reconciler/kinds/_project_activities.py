"""Activities that a project does not have yet, and will have once the same manifests have switched them on there."""

from __future__ import annotations

from reconciler.model.address import Address
from reconciler.model.catalog import CATALOG, existing
from reconciler.model.name_index import Context
from reconciler.model.spec import Id

OWN = "project_time_entry_activity"


def own(activity: str, context: Context) -> Address:
    """What a project has different from the shared activity."""
    return Address(OWN, f"{context.project}/{activity}")


def switched_on(activity: str, context: Context) -> bool:
    """Whether the manifests declare an activity as active in the project."""
    return bool(getattr(context.names.spec(own(activity, context)), "active", False))


def own_id(activity: str, context: Context) -> Id | None:
    """The id of an activity that the program inside Redmine shows as active in the project by now."""
    row = existing(context.names.row(own(activity, context)))
    shown = (row or {}).get(CATALOG, {})
    return row["id"] if row and shown.get("active") else None
