"""No request is sent twice in one run for what does not change meanwhile."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from custom_fields import named_in
from everything import CHANGED, EVERYTHING, with_files
from promises import KEY, Tool, tool
from proxy import Exchange, Proxy

from reconciler.sandbox import Running

pytestmark = named_in(repr((EVERYTHING, CHANGED)))

ON_PURPOSE = ("/users/current.json", "sort=id%3Adesc", "sort=created_on%3Adesc")
"""The account, and what others create meanwhile, are asked for again on purpose."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder, with the files that the manifests name."""
    monkeypatch.chdir(with_files(tmp_path))


def twice(exchanges: list[Exchange]) -> dict[str, int]:
    """The reads that were sent more than once, with how often."""
    paths = Counter(e.path for e in exchanges if e.method == "GET" and not any(p in e.path for p in ON_PURPOSE))
    return {path: number for path, number in paths.items() if number > 1}


def test_a_plan_asks_for_nothing_twice(world: Running) -> None:
    """Neither one that changes everything, nor one that changes nothing."""
    with Proxy(world.url) as proxy:
        through = Tool(proxy.url, world.api_key, key_field=KEY)
        for data in (EVERYTHING, CHANGED):
            proxy.clear()
            through.plan(data)
            assert twice(proxy.exchanges) == {}
            proxy.clear()
            tool(world, key_field=KEY).apply(data)
            through.plan(data)
            assert twice(proxy.exchanges) == {}
