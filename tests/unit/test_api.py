"""The public API of the package, as another program uses it."""

from __future__ import annotations

import ast
import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake import Fake
from stub import Stub

import reconciler
from reconciler.errors import RefusedError

SHOP = "projects: [{identifier: shop, name: Shop}]"


@pytest.fixture
def fake() -> Fake:
    """What answers."""
    return Fake()


@pytest.fixture
def manifests(fake: Fake, tmp_path: Path) -> Iterator[reconciler.Manifests]:
    """Manifests for a server that has nothing yet."""
    (tmp_path / "a.yaml").write_text(SHOP)
    with Stub(fake.answer) as server:
        environ = {"REDMINE_URL": server.url, "REDMINE_API_KEY": "key", "REDMINE_RETRIES": "0"}
        yield reconciler.load(tmp_path, environ=environ)


def test_load_plan_apply(manifests: reconciler.Manifests, fake: Fake) -> None:
    """The three steps of the package's docstring; afterwards there is nothing left to do."""
    plan = manifests.plan()
    assert plan.summary == {"create": 1, "update": 0, "delete": 0, "unchanged": 0}
    report = manifests.apply(plan)
    assert (report.summary["done"], fake.projects["shop"]["name"]) == (1, "Shop")
    assert manifests.plan().changes == ()


def test_inside_an_event_loop(manifests: reconciler.Manifests) -> None:
    """The async variants do the same; `listener` hears of each change."""
    heard: list[tuple[str, str]] = []

    async def both() -> reconciler.Report:
        plan = await manifests.plan_async(targets=["project/*"])
        return await manifests.apply_async(plan, lambda address, outcome: heard.append((str(address), outcome)))

    assert asyncio.run(both()).summary["done"] == 1
    assert heard == [("project shop", "done")]


def test_another_plan_than_the_agreed_one_is_refused(manifests: reconciler.Manifests, fake: Fake) -> None:
    """What changed between plan and apply is not overwritten."""
    fake.projects["shop"] = {"id": 1, "status": 1, "identifier": "shop", "name": "Old"}
    plan = manifests.plan()
    fake.projects["shop"]["name"] = "Foreign"
    with pytest.raises(RefusedError, match="changed since the plan was made"):
        manifests.apply(plan)
    assert fake.projects["shop"]["name"] == "Foreign"


def test_invalid_manifests(tmp_path: Path) -> None:
    """`validate` returns the problems, `plan` raises them."""
    (tmp_path / "a.yaml").write_text("projects: [{identifier: shop, nmae: x}]")
    (problem,) = reconciler.validate(tmp_path)
    assert 'unknown field "nmae"' in problem.message
    with pytest.raises(reconciler.ManifestError) as caught:
        reconciler.load(tmp_path).plan()
    assert caught.value.problems == (problem,)


def test_all_is_the_public_api() -> None:
    """`__all__`, `dir` and what type checkers see are the same names, each described in the module's docstring."""
    names = set(reconciler.__all__)
    typed = {
        alias.asname
        for node in ast.walk(ast.parse(Path(reconciler.__file__).read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("reconciler.")
        for alias in node.names
    }
    described = re.findall(r"^    (\w+) {2,}\S", reconciler.__doc__ or "", re.M)
    assert len(names) == len(reconciler.__all__)
    assert names == typed == set(described) == set(dir(reconciler)) - {"__version__"}


def test_every_public_name_is_there_and_imported_on_use() -> None:
    """`import reconciler` alone costs nothing."""
    assert all(getattr(reconciler, name) for name in reconciler.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        reconciler.nothing  # noqa: B018
    code = "import reconciler, sys; print(sorted({'httpx', 'pydantic', 'yaml'} & sys.modules.keys()))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "[]\n"
