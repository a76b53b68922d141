"""Names that look the same: what differs is said."""

from __future__ import annotations

import unicodedata

import pytest

from reconciler.manifest.excerpt import suggest
from reconciler.manifest.look_alikes import difference, folded

SIZE = "Größe"
DECOMPOSED = unicodedata.normalize("NFD", SIZE)


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (SIZE, DECOMPOSED, "only the Unicode form of its letters differs"),
        ("1.0", "1.0 ", "only blanks differ"),
        ("1.0 rc", "1.0  rc", "only blanks differ"),
        ("1.0 rc", "1.0\u00a0rc", "cannot be seen: U+00A0"),
        ("shop", "sh\u200bop", "cannot be seen: U+200B"),
        ("shop", "\u202eshop", "cannot be seen: U+202E"),
        ("RC", "rc", "only the case of letters differs"),
    ],
)
def test_what_differs(one: str, other: str, said: str) -> None:
    """Two names that look the same have one folded form, and in what they differ is said either way."""
    assert folded(one) == folded(other)
    assert said in difference(one, other)
    assert said in difference(other, one)


@pytest.mark.parametrize("other", ["1.0", "1.1", "1 .0"])
def test_nothing_to_say(other: str) -> None:
    """Nothing is said of equal names, and of names that look different."""
    assert difference("1.0", other) == ""


def test_a_hint_says_what_cannot_be_seen() -> None:
    """A near miss that looks the same comes with what differs; one that looks different does not."""
    assert suggest(SIZE, ["Other", DECOMPOSED]).endswith(
        "(only the Unicode form of its letters differs: composed or decomposed)"
    )
    assert suggest("Bgu", ["Bug"]) == 'did you mean "Bug"?'
    assert suggest("bug", ["Bug"]) == 'did you mean "Bug"?'
