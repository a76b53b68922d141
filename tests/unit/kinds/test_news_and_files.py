"""News and files without a server: what a manifest may say of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from engine import offline
from proxy import Fault

from reconciler.sandbox import Running


def write(name: str, content: str) -> None:
    """A file in the manifests' folder."""
    Path("manifests").mkdir(exist_ok=True)
    Path("manifests", name).write_text(content)


def content(world: Running, row: dict[str, Any]) -> str:
    """What Redmine has in an attachment."""
    path = f"{world.url}/attachments/download/{row['id']}/{row['filename']}"
    return httpx.get(path, headers={"X-Redmine-API-Key": world.api_key}, trust_env=False).text


def at(number: int, fault: Fault) -> Any:
    """That fault for the n-th write."""
    return lambda exchange: fault if exchange.write == number else None


# -- files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("description: text", "filename or path is missing"),
        ("path: [a.txt]", "path: expected a path or {file: PATH}"),
        ("path: {url: a.txt}", "path: expected a path or {file: PATH}"),
        ("path: a.txt, filename: b/a.txt", "filename: expected a name without slashes"),
        (f"path: a.txt, description: {'x' * 256}", "a string of at most 255 characters"),
    ],
)
def test_what_can_be_said_without_a_server(fields: str, said: str) -> None:
    """Values that no Redmine takes are problems of `validate`."""
    problems = offline(f"files: [{{project: shop, {fields}}}]").problems
    assert said in " ".join(map(str, problems))
