"""The garbage collector and the manifests: it need not look through what stays to the end."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from reconciler.cli import steps
from reconciler.cli.options import State
from reconciler.errors import ConfigError


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What was kept from the collector."""
    calls: list[str] = []
    monkeypatch.setattr(gc, "freeze", lambda: calls.append("frozen"))
    yield calls
    assert gc.isenabled()


def found(objects: int) -> Any:
    """Manifests with so many objects, as far as the step looks at them."""
    loaded = SimpleNamespace(sources={}, left_out=(), overlaid=())
    return SimpleNamespace(loaded=loaded, desired=SimpleNamespace(objects=dict.fromkeys(range(objects))))


@pytest.mark.parametrize(("objects", "kept"), [(steps.MANY, []), (steps.MANY + 1, ["frozen"])])
def test_many_objects_are_kept_from_it(
    objects: int, kept: list[str], frozen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It rests while manifests are read; it does not come back to them if they are many."""
    resting: list[bool] = []

    def read(*_: Any) -> Any:
        resting.append(not gc.isenabled())
        return found(objects)

    monkeypatch.setattr("reconciler.state.manifests.read", read)
    steps.manifests(State(), (), cast(Any, object()))
    assert (resting, frozen) == ([True], kept)


def test_it_works_again_after_an_error(frozen: list[str], tmp_path: Path) -> None:
    """Manifests that cannot be read leave it as it was."""
    with suppress(ConfigError):
        steps.manifests(State(), (str(tmp_path / "none.yaml"),))
    assert frozen == []
