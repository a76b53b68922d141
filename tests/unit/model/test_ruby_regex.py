"""Patterns of Ruby's: what is judged as Ruby does, and what is left to the server."""

from __future__ import annotations

import time

import pytest
from patterns import SAME

from reconciler.model.ruby_regex import matches


@pytest.mark.parametrize("pattern, fitting, others", SAME)
def test_what_means_the_same(pattern: str, fitting: list[str], others: list[str]) -> None:
    """The common constructs are judged."""
    assert [matches(pattern, text) for text in fitting] == [True] * len(fitting)
    assert [matches(pattern, text) for text in others] == [False] * len(others)


UNJUDGED = [
    # a pattern that is no pattern, or that Python lacks or takes for something else
    *("(", "[", "[]", "a)", "*", "(?<a", "[a", "(?<=a+)b"),
    *(r"a{2}+", r"a{2}?", "a{,}", "[a-z&&[^b]]", "[[a]b]", r"\R", r"\X", r"\K", r"\G", r"\y", r"\012", r"\12"),
    *(r"\k<a>", r"(?<a>b)\g<a>", "(?x) a", "a(?i)b", "(?~a)", r"\p{Greek}", r"\P{L}", r"[\H]", "[[:punct:]]"),
    *(r"\u{e9}", r"\xe9", r"\xe", r"\u12", "(?(1)a|b)", "(?-i)a", "a\\"),
]


@pytest.mark.parametrize("pattern", UNJUDGED)
def test_what_is_left_to_the_server(pattern: str) -> None:
    """Nothing is claimed of what may mean something else."""
    assert matches(pattern, "a") is None


@pytest.mark.parametrize("pattern", ["(?i)^straße$", r"\bä", "^[[:alpha:]]+$", r"^\p{L}+$"])
def test_characters_beyond_ascii(pattern: str) -> None:
    """What depends on the character tables of Ruby is judged for ASCII only."""
    assert matches(pattern, "straSSe ä") is None
    assert matches(pattern, "1") is False


@pytest.mark.parametrize("text", ["a\nb", "a\r\n", "a" * 2001])
def test_several_lines_and_very_long_texts_are_not_judged(text: str) -> None:
    """Ruby's anchors are the ends of lines, and time can grow with a power of the length."""
    assert matches("^a$", text) is None


def test_a_pattern_that_takes_forever_is_not_tried() -> None:
    """Repetitions of repetitions can take exponential time: of these only short texts are judged."""
    started = time.monotonic()
    assert matches("^(a+)+$", "a" * 5000 + "b") is None
    assert matches("^(a+)+$", "a" * 40 + "b") is None
    assert matches("^((a|b+)c*)+$", "a" * 40 + "d") is None
    assert matches("^(a+)+$", "aab") is False
    assert time.monotonic() - started < 5
