"""Whether a text matches a pattern of Ruby's, as far as that can be told for certain.

Redmine checks custom fields with Ruby's regular expressions. Most patterns mean the same to Python once a few escapes
are translated (`\\A`, `\\z`, `\\h`, `[[:alpha:]]`). What is left is not judged: then only the server can tell.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

LONGEST = 2000
"""Characters of a text that is judged: matching can take time that grows with a power of the length."""
SHORT = 24
"""The same for a pattern that repeats what repeats itself (`(a+)+`): there the time can double with each character."""
SIMPLE = {"A": r"\A", "z": r"\Z", "Z": r"\Z", "h": "[0-9a-fA-F]", "H": "[^0-9a-fA-F]", "e": r"\x1b"}
SAME = "dDwWsStnrfva"
ONLY_ASCII = {"b": r"\b", "B": r"\B"}
"""What means the same only if all characters are ASCII."""
POSIX = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\s",
    "xdigit": "0-9a-fA-F",
    "word": r"\w",
}
PROPERTIES = {**POSIX, "l": "a-zA-Z", "lu": "A-Z", "ll": "a-z", "n": "0-9", "nd": "0-9"}
GROUP = re.compile(
    r"\(\?(?:(?P<same>:|=|!|<=|<!|>)|<(?P<name>[A-Za-z_]\w*)>|(?P<on>[im]*)(?:-(?P<off>[imx]*))?(?P<to>[:)]))"
)
COUNT = re.compile(r"\{(\d*)(,?)(\d*)\}")


class Unjudged(Exception):
    """A pattern, or a part of it, may mean something else to Ruby."""


class _Translated(NamedTuple):
    pattern: re.Pattern[str]
    ascii: bool
    """Whether it means the same for texts of ASCII characters only."""
    longest: int


def matches(pattern: str, text: str) -> bool | None:
    """Whether Ruby finds the pattern in the text; None if that is not certain."""
    translated = _translated(pattern)
    # To Ruby, `^` and `$` are the ends of a line, and it differs on what an empty last line is.
    if translated is None or len(text) > translated.longest or "\n" in text or "\r" in text:
        return None
    if translated.ascii and not text.isascii():
        return None
    return translated.pattern.search(text) is not None


@cache
def _translated(pattern: str) -> _Translated | None:
    try:
        return _Translator(pattern).whole()
    # RecursionError, OverflowError: patterns that Python's compiler cannot take.
    except (Unjudged, re.error, RecursionError, OverflowError):
        return None


class _Translator:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.made: list[str] = []
        self.ascii = False
        self.nested = False
        self.repeats = [False]
        """For each open group, whether something in it repeats without a limit."""
        self.closed = False
        """Whether the last piece is a group in which something does."""

    def whole(self) -> _Translated:
        while self.at < len(self.pattern):
            self.piece()
        # ASCII: to Ruby `\d`, `\s` and `\w` are ASCII characters, whatever the text.
        compiled = re.compile("".join(self.made), re.ASCII)
        return _Translated(compiled, self.ascii, SHORT if self.nested else LONGEST)

    def piece(self) -> None:
        sign, closed, self.closed = self.pattern[self.at], self.closed, False
        if sign == "\\":
            self.made.append(self.escape(inside=False))
        elif sign == "[":
            self.made.append(self.set())
        elif sign == "(":
            self.group()
        elif sign == ")":
            self.made.append(self.take(1))
            self.closed = len(self.repeats) > 1 and self.repeats.pop()
            self.repeats[-1] |= self.closed
        elif sign in "*+?" or (sign == "{" and COUNT.match(self.pattern, self.at)):
            self.quantifier(closed)
        else:
            # Escaped, as Python may take a brace for the beginning of a repetition where Ruby does not.
            self.made.append(self.take(1) if sign in "^$.|" else re.escape(self.take(1)))

    def take(self, number: int) -> str:
        self.at += number
        return self.pattern[self.at - number : self.at]

    def quantifier(self, closed: bool) -> None:
        count = COUNT.match(self.pattern, self.at)
        said = self.take(len(count[0]) if count else 1)
        if count and (not (count[1] or count[3]) or self.pattern[self.at : self.at + 1] in ("?", "+")):
            # `{2}+` repeats the repetition for Ruby, and `{,}` is a text.
            raise Unjudged
        if said[0] in "*+" or (count and count[2] and not count[3]):
            self.nested |= closed
            self.repeats[-1] = True
        self.made.append(said)
        if self.pattern[self.at : self.at + 1] in ("?", "+"):
            self.made.append(self.take(1))

    def group(self) -> None:
        self.repeats.append(False)
        if not self.pattern.startswith("(?", self.at):
            self.made.append(self.take(1))
            return
        found = GROUP.match(self.pattern, self.at)
        if found is None:
            raise Unjudged
        self.at = found.end()
        if found["same"]:
            self.made.append(f"(?{found['same']}")
        elif found["name"]:
            self.made.append(f"(?P<{found['name']}>")
        else:
            self.made.append(self.options(found))

    def options(self, found: re.Match[str]) -> str:
        """`(?i)` at the beginning, `(?i:` or `(?-mix:`. What `m` changes does not matter without line breaks."""
        on, off = "i" in found["on"], "i" in (found["off"] or "")
        self.ascii |= on
        if found["to"] == ":":
            return "(?i:" if on and not off else "(?-i:" if off else "(?:"
        self.repeats.pop()
        if found.start() or off:
            raise Unjudged
        return "(?i)" if on else ""

    def escape(self, *, inside: bool) -> str:
        sign = self.take(2)[1:]
        if sign in SAME and sign:
            return f"\\{sign}"
        if sign in "pP" and sign:
            return self.property(sign)
        if sign in "xu" and sign:
            return self.number(sign)
        if not inside and sign in SIMPLE:
            return SIMPLE[sign]
        if inside and sign in "he":
            return "0-9a-fA-F" if sign == "h" else r"\x1b"
        if sign in ONLY_ASCII and not inside:
            self.ascii = True
            return ONLY_ASCII[sign]
        if not inside and sign in "123456789" and not self.pattern[self.at : self.at + 1].isdigit() and sign:
            return f"\\{sign}"
        if not sign or sign.isalnum():
            raise Unjudged
        return re.escape(sign)

    def number(self, sign: str) -> str:
        form = r"[0-9a-fA-F]{2}" if sign == "x" else r"[0-9a-fA-F]{4}"
        found = re.compile(form).match(self.pattern, self.at)
        if found is None:
            raise Unjudged
        self.at = found.end()
        # A byte above 7F is a part of a character for Ruby.
        if int(found[0], 16) > 0x7F and sign == "x":
            raise Unjudged
        return f"\\{sign}{found[0]}"

    def property(self, sign: str) -> str:
        found = re.compile(r"\{(\w+)\}").match(self.pattern, self.at)
        if found is None or sign == "P" or found[1].lower() not in PROPERTIES:
            raise Unjudged
        self.at, self.ascii = found.end(), True
        inner = PROPERTIES[found[1].lower()]
        return f"[{inner}]" if not self.made or self.made[-1] != SET else inner

    def set(self) -> str:
        """A set of characters in brackets."""
        self.take(1)
        parts = ["[^" if self.pattern.startswith("^", self.at) else "["]
        self.at += len(parts[0]) - 1
        self.made.append(SET)
        while not self.pattern.startswith("]", self.at):
            parts.append(self.member())
        self.made.pop()
        # To Ruby an empty set is an error, and so is a bracket that is not closed.
        if len(parts) == 1:
            raise Unjudged
        return "".join(parts) + self.take(1)

    def member(self) -> str:
        """One member of a set."""
        posix = re.compile(r"\[:(\w+):\]").match(self.pattern, self.at)
        if posix and posix[1] in POSIX:
            self.at, self.ascii = posix.end(), True
            return POSIX[posix[1]]
        # Sets in sets, and what two sets have in common, are unknown to Python.
        if self.at >= len(self.pattern) or self.pattern[self.at] == "[" or self.pattern.startswith("&&", self.at):
            raise Unjudged
        if self.pattern[self.at] == "\\":
            return self.escape(inside=True)
        sign = self.take(1)
        return sign if sign == "-" else re.escape(sign)


SET = "["
"""Marks that the pieces that are read are those of a set."""
