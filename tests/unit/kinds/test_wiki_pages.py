"""Wiki pages without a server: titles that cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from engine import offline
from promises import Api, raw_shop

from reconciler.sandbox import Running


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    """The bare API of a server with one project that has a wiki."""
    with Api(world) as api:
        raw_shop(api, enabled_module_names=["wiki"])
        yield api


def page(api: Api, title: str) -> dict[str, Any]:
    """A page as the API shows it."""
    return dict(api.get(f"/projects/shop/wiki/{title}?include=attachments"))


# -- before anything is written ------------------------------------------------------------------------------------


def test_titles_that_cannot_be() -> None:
    """What no server would take is found without one, each at its place."""
    text = """
    wiki_pages:
      - {project: shop, title: "./:", text: a}
      - {project: shop, title: "a\\u0001b", text: a}
      - {project: shop, title: "%s", text: a}
      - {project: shop, title: No text, text: " \\n"}
      - {project: shop, title: No, text: null}
      - {project: shop, title: Start, text: a, start_page: false}
      - {project: shop, title: same title, text: a}
      - {project: shop, title: SAME_title?, text: a}
      - {project: shop, title: Self, text: a, parent: self}
    """
    found = {p.location.line: p.message for p in offline(text % ("x" * 256)).problems}
    expected = {
        3: "the title is empty",
        4: "control characters",
        5: "expected at most 255 characters, found 256",
        6: "does not store a page without text",
        7: "text cannot be cleared",
        8: "a wiki always has a start page",
        10: "declared twice",
        11: "dependency cycle",
    }
    assert found.keys() == expected.keys(), found
    for line, part in expected.items():
        assert part in found[line]
