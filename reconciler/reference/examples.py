"""Examples of fields, from the models: as values, and as the YAML that a manifest would have."""

from __future__ import annotations

from typing import Any

from reconciler.export.yaml_writer import Day, field
from reconciler.model.kind import Kind
from reconciler.model.spec import COMMON, DEFAULT


def example(kind: Kind, name: str) -> Any:
    """An example value of a field, as plain data."""
    if name == "create_only":
        return [next(other for other in kind.fields if other not in {*kind.identity, *kind.required, "project"})]
    (value, *_) = kind.spec.model_fields[name].examples or [None]
    return value


def example_yaml(kind: Kind, name: str, value: Any = None) -> str:
    """The lines of a manifest for a field: with its example, or with a value."""
    value = example(kind, name) if value is None else value
    date = name not in COMMON and kind.fields.get(name, DEFAULT).date
    # The writer escapes `${`, which is an expression here.
    return field(name, Day(value) if date else value).replace("$${", "${").rstrip("\n")
