"""JSON in pieces: the same text, and no piece has more than one element."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.json_pieces import pieces, sha256

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(SCALARS, lambda part: st.lists(part) | st.dictionaries(st.text(), part))


@given(VALUES, st.integers(0, 4), st.booleans())
def test_the_text_is_the_same(value: Any, levels: int, sort: bool) -> None:
    """Whatever the value and the depth, with and without sorted keys."""
    assert "".join(pieces(value, levels, sort_keys=sort)) == json.dumps(value, sort_keys=sort)


@given(VALUES)
def test_the_digest_is_that_of_the_whole_text(value: Any) -> None:
    """So a plan that was saved in one piece is accepted."""
    text = json.dumps(value, sort_keys=True)
    assert sha256(value, 2) == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@pytest.mark.parametrize("count", [1, 1000])
def test_a_piece_does_not_grow_with_the_number_of_elements(count: int) -> None:
    """However many there are, other threads can run after each of them."""
    rows = [{"path": "subject", "after": "a title"}] * count
    assert max(map(len, pieces({"plan": {"changes": rows}}, 3))) == len(json.dumps(rows[0]))
