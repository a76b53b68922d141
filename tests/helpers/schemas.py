"""JSON output held against its schema."""

from __future__ import annotations

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from reconciler.reference.json_schema import SCHEMAS


def conform(data: Any, name: str) -> None:
    """Raises ValidationError unless data is as a schema says. That the schema itself is valid has a test of its own."""
    _validator(name).validate(data)


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(SCHEMAS[name]())
