"""The natural order of names, in which people count: `v2` before `v10`, `a2.yaml` before `a10.yaml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")

_DIGITS = re.compile("[0-9]+")


@lru_cache(maxsize=1 << 16)
def natural(text: str) -> tuple[str, str]:
    """A key to sort a text by: the numbers in it by their values, everything else by its characters."""
    # The text itself distinguishes `01` from `1`. A text without digits, as most are, is compared as it is.
    return _DIGITS.sub(_number, text), text


def _number(match: re.Match[str]) -> str:
    # A text, because it is compared faster than a number beside texts: the longer of two numbers is the larger one.
    # The zero before the length keeps a number where a digit would be among other characters.
    digits = match[0].lstrip("0")
    return f"0{chr(len(digits))}{digits}"


def items(named: Mapping[str, T]) -> list[tuple[str, T]]:
    """The items of a mapping, sorted by name."""
    return sorted(named.items(), key=lambda item: natural(item[0]))
