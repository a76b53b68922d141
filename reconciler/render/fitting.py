"""Everything in a limited number of characters: each entry in the longest form for which there is room for all.

What has no room for a long form is named in a short one; only if even the short forms do not fit, the last entries are
left to be counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reconciler.record import Record

JOINED = 2
"""Characters between two entries: an empty line."""
ENOUGH = 100
"""Characters that a longer form needs at least: with less left, none is tried."""


class Entry(Record):
    """One thing to show: its forms, from the longest to the shortest. Each is made only when it may be shown."""

    forms: tuple[Callable[[], str], ...]


class Shown(Record):
    """How an entry is shown; `form` is the index of the form."""

    text: str
    form: int


def fit(entries: Sequence[Entry], limit: int) -> list[Shown]:
    """How each entry is shown; those for which there is no room at the end are missing."""
    shown, left = list[Shown](), limit
    for entry in entries:
        text = entry.forms[-1]()
        left -= len(text) + JOINED
        if left < 0:
            return shown
        shown.append(Shown(text, len(entry.forms) - 1))
    # All of them in the next longer form before any of them in a still longer one.
    for level in range(2, 1 + max((len(entry.forms) for entry in entries), default=0)):
        left = _lengthen(entries, shown, level, left)
    return shown


def _lengthen(entries: Sequence[Entry], shown: list[Shown], level: int, left: int) -> int:
    """Show as many entries as possible in their `level`-shortest form; how many characters are left then."""
    for index, entry in enumerate(entries):
        if left < ENOUGH:
            break
        if level <= len(entry.forms):
            text = entry.forms[-level]()
            more = len(text) - len(shown[index].text)
            if more <= left:
                shown[index] = Shown(text, len(entry.forms) - level)
                left -= more
    return left
