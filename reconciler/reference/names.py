"""The names of kinds and fields as data, for shell completion, which must not take the time to import the kinds."""

from __future__ import annotations

import json
from typing import Any

from reconciler.kinds import declarable
from reconciler.model.address import CONTAINER
from reconciler.model.kind import Kind, nested_name


def names_json() -> str:
    """The text of completion.json: kind → its lists, what makes its key, and its fields."""
    return json.dumps({kind.name: _names(kind) for kind in declarable().values()}, indent=1) + "\n"


def _names(kind: Kind) -> dict[str, Any]:
    resent = [name for name, api in kind.fields.items() if api.read is None and not api.along]
    nested = {"nested": nested_name(kind)} if kind.inside else {}
    container = {"container": True} if kind.name == CONTAINER else {}
    return {
        "list": kind.plural,
        **nested,
        **container,
        "key": [*kind.identity, *(name for name in kind.required if name not in kind.identity)],
        "fields": list(kind.spec.model_fields),
        "resend": resent,
    }
