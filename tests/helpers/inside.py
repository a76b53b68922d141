"""The program inside a real Redmine, called as the product calls it."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any
from unittest.mock import patch

from catalog import KEYS as KEYS

from reconciler.catalog import transport
from reconciler.sandbox import Sandbox


def call(sandbox: Sandbox, op: str, *, ruby: str = "", **request: Any) -> dict[str, Any]:
    """The answer to one request; `ruby` is run when the program is known, and before it starts."""
    known, start, _ = transport.program().partition("Catalog.main(")
    whole = f"{known}{ruby}\n{start}CATALOG_REQUEST)\n"
    with patch.object(transport, "program", lambda: whole):
        return asyncio.run(transport.Command(sandbox.runner()).call({"op": op, **request}))


def item(op: str, kind: str, name: str | None, values: Mapping[str, Any] | None = None, **key: Any) -> dict[str, Any]:
    """An item without its number."""
    if kind == "role":
        key.setdefault("builtin", None)
    if kind == "custom_field":
        key.setdefault("class", "issue")
    return {"op": op, "kind": kind, "key": {"name": name, **key} if kind != "workflow" else key, "set": values or {}}


def numbered(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Items as the program takes them."""
    return [{"n": number, **one} for number, one in enumerate(items)]


def dump(sandbox: Sandbox) -> str:
    """A digest of all that the database has."""
    with closing(sqlite3.connect(f"file:{sandbox.db}?mode=ro", uri=True)) as database:
        return hashlib.sha256("\n".join(database.iterdump()).encode(errors="replace")).hexdigest()


def query(sandbox: Sandbox, sql: str) -> list[tuple[Any, ...]]:
    """Rows of the database."""
    with closing(sqlite3.connect(f"file:{sandbox.db}?mode=ro", uri=True)) as database:
        return database.execute(sql).fetchall()
