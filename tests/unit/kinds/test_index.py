"""The index of the kinds: what is known of them without their modules, and what happens while it is old."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from msgspec.structs import replace

import reconciler.kinds
from reconciler.kinds import _index, declarable, every, kinds, nested
from reconciler.model.capabilities import ManifestKey, ReadOnly
from reconciler.model.contract import ContractError
from reconciler.model.kind import nested_name
from reconciler.model.ordering import Implied

USED = """
import sys
from reconciler.kinds import declarable, kinds, nested

def used():
    return [kind for kind in kinds() if f"reconciler.kinds.{kinds().entries[kind].module}" in sys.modules]

found = kinds(), declarable(), nested()
assert "version" in found[0] and "versions" in found[1] and "members" in found[2] and "x" not in found[0]
assert len(found[0]) > len(found[1]) > len(found[2])
print(used())
assert declarable()["news"] is kinds()["news"] is nested()["news"]
print(used())
"""


@pytest.fixture
def anew() -> Iterator[None]:
    """The kinds are collected again, in the test and after it."""
    kinds.cache_clear()
    yield
    kinds.cache_clear()


def test_the_kinds_keep_the_contract_and_are_those_of_the_index() -> None:
    """With all modules imported nothing is wrong between kinds, and each is where the index says."""
    found = every()
    assert list(found) == list(_index.INDEX)
    assert list(kinds().values()) == list(found.values())


def test_what_is_asked_of_the_index_is_what_the_kinds_say() -> None:
    """The lists of manifests and of projects, and who has a capability, are as the kinds themselves have them."""
    known = kinds().values()
    assert {name: kind.plural for name, kind in declarable().items()} == {name: name for name in declarable()}
    assert kinds().having(ManifestKey) == [kind for kind in known if kind.has(ManifestKey)]
    assert {*nested().values()} == {kind for kind in declarable().values() if kind.inside}
    assert all(nested_name(kind) == name for name, kind in nested().items())
    left_out = [kind for kind in known if kind.plural not in declarable()]
    assert all(kind.has(Implied) or kind.has(ReadOnly) for kind in left_out)
    assert kinds().having(ManifestKey, among={"issue", "version"}) == [kinds()["issue"]]
    assert kinds().among({"version", "project", "none"}) == [kinds()["project"], kinds()["version"]]


def test_a_kind_is_imported_when_it_is_used() -> None:
    """Names, order and number of the kinds take no module; one kind takes its own."""
    done = subprocess.run([sys.executable, "-c", USED], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "['news']"]


def test_a_kind_that_is_not_as_in_the_index_is_an_error(anew: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an old index leaves out must not be missed: the message says how it is written anew."""
    old = tuple(replace(entry, plural=f"{entry.plural}_before") for entry in _index.INDEX)
    monkeypatch.setattr(_index, "INDEX", old)
    message = 'reconciler.kinds.versions: the kind "version" is not as in the index of the kinds: run `make regen`'
    with pytest.raises(ContractError) as caught:
        kinds()["version"]
    assert str(caught.value) == message


def test_without_an_entry_all_kinds_are_imported(anew: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new module is found before the index is written anew."""
    monkeypatch.setattr(_index, "INDEX", tuple(entry for entry in _index.INDEX if entry.module != "news"))
    assert list(kinds().values()) == list(every().values())


def test_what_is_left_of_a_package_is_no_kind(tmp_path: Path, anew: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with nothing but bytecode, as git leaves it, and other files do not make the index old."""
    (tmp_path / "gone" / "__pycache__").mkdir(parents=True)
    (tmp_path / "notes.txt").touch()
    (tmp_path / "_shared.py").touch()
    monkeypatch.setattr(reconciler.kinds, "__path__", [*reconciler.kinds.__path__, str(tmp_path)])
    monkeypatch.setattr(reconciler.kinds, "every", ModuleType("not called"))
    assert len(kinds()) == len(_index.INDEX)
