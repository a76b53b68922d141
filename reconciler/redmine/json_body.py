"""The JSON in the body of a response."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import from_json


def json_object(content: bytes) -> dict[str, Any] | None:
    """The JSON object in a body, or None."""
    try:
        body = json_value(content)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def json_value(content: bytes) -> Any:
    """The value of the JSON in a body. Raises ValueError for anything else."""
    try:
        # In half of the time that the standard library takes for a page of issues.
        return from_json(content)
    except ValueError:
        return _tolerant(content)


def _tolerant(content: bytes) -> Any:
    """The value of JSON that begins with a byte order mark or has half of a pair of surrogates."""
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("deeply nested JSON") from error
