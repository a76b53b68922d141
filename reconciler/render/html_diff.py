"""Diffs for a page: added and removed lines in color, what differs inside a line marked, long ones folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from reconciler.render.safe import html

FOLDED = 16
"""A diff of more lines is folded."""
LONGEST = 2000
"""Characters of a line in which the part that differs is marked."""
STYLES = {"+": "a", "-": "d", "@": "h"}


def diff(lines: Sequence[str]) -> str:
    """The lines of `words.Field`, each of which begins with `+`, `-`, `@@` or a space."""
    body = f"<pre>{''.join(_lines(lines))}</pre>"
    if len(lines) <= FOLDED:
        return f'<div class="diff">{body}</div>'
    return f'<details class="diff"><summary>{html(_summary(lines))}</summary>{body}</details>'


def _summary(lines: Sequence[str]) -> str:
    """`12 lines added, 1 line removed`."""
    counts = ((sum(line.startswith(sign) for line in lines), verb) for sign, verb in (("+", "added"), ("-", "removed")))
    return ", ".join(f"{number} line{'' if number == 1 else 's'} {verb}" for number, verb in counts if number)


def _lines(lines: Sequence[str]) -> Iterator[str]:
    """The lines; removed ones are compared with the added ones that follow, one by one."""
    runs = [(sign, list(run)) for sign, run in groupby(lines, key=lambda line: line[:1])]
    added: list[str] = []
    for (sign, run), (then, others) in pairwise([*runs, ("", [])]):
        if sign == "-" and then == "+":
            pairs = [_pair(old, new) for old, new in zip(run, others, strict=False)]
            yield from (old for old, _ in pairs)
            added = [new for _, new in pairs]
            yield from (_line(sign, html(line)) for line in run[len(pairs) :])
        else:
            yield from added
            yield from (_line(sign, html(line)) for line in run[len(added) :])
            added = []


def _line(sign: str, escaped: str) -> str:
    # With its line break inside: the text reads well without the style sheet, and when it is copied.
    return f'<span class="{STYLES[sign]}">{escaped}\n</span>' if sign in STYLES else f"<span>{escaped}\n</span>"


def _pair(old: str, new: str) -> tuple[str, str]:
    """A removed line and the added one in its place, with the part that differs marked, if they have one in common."""
    shorter = min(len(old), len(new), LONGEST)
    start = next((n for n in range(1, shorter) if old[n] != new[n]), shorter)
    end = next((n for n in range(shorter - start) if old[-1 - n] != new[-1 - n]), shorter - start)
    # Of lines that have little in common, everything would be marked.
    if max(len(old), len(new)) > LONGEST or start + end - 1 < shorter / 3:
        return _line("-", html(old)), _line("+", html(new))
    return _line("-", _marked(old, start, len(old) - end)), _line("+", _marked(new, start, len(new) - end))


def _marked(line: str, start: int, end: int) -> str:
    middle = f"<b>{html(line[start:end])}</b>" if start < end else ""
    return f"{html(line[:start])}{middle}{html(line[end:])}"
