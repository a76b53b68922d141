"""How the files of an object become those that are declared."""

from __future__ import annotations

from typing import Any

import pytest
from engine import offline

from reconciler.model.attachments import work
from reconciler.model.name_index import Context
from reconciler.state.live import fresh_names


def context(**digests: str) -> Context:
    """A context in which the contents of live files are known, by id (`f1="abc"`)."""
    names = fresh_names(offline("projects: [{identifier: shop, name: Shop}]"))
    names.files |= {int(number[1:]): {"sha256": digest} for number, digest in digests.items()}
    return Context(names)


def copy(number: int, description: str | None) -> dict[str, Any]:
    """A live file `note.txt`."""
    return {"id": number, "filename": "note.txt", "filesize": 3, "description": description}


NEW = {"file": "new.txt", "sha256": "new"}


@pytest.mark.parametrize(
    ("declared", "sent"),
    [({}, ()), ({"description": "A note"}, ()), ({"description": "Other"}, ((2, "Other"),))],
)
def test_a_replacement_that_was_interrupted_keeps_its_description(declared: dict[str, str], sent: Any) -> None:
    """The copy with the right content stays as it is, with its description unless another one is declared."""
    live = [copy(1, "A note"), copy(2, "A note")]
    found = work({"note.txt": {**NEW, **declared}}, live, context(f1="old", f2="new"))
    assert (found.new, found.gone, found.described) == ({}, (1,), sent)


def test_an_empty_description_is_none() -> None:
    """Nothing is sent for a description that is declared empty and is not there."""
    found = work({"note.txt": {**NEW, "description": ""}}, [copy(1, None), copy(2, "x")], context(f1="new"))
    assert found.described == ()


def test_a_replacement_takes_the_description_over() -> None:
    """What is uploaded in place of a file says which one that is, and what is known of it."""
    found = work({"note.txt": NEW}, [copy(1, "A note")], context(f1="old"))
    assert found.new == {"note.txt": {**NEW, "like": 1, "description": "A note"}}
    assert (
        work({"note.txt": {**NEW, "description": ""}}, [copy(1, "A")], context()).new["note.txt"]["description"] == ""
    )
