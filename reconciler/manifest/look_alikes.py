"""Names that look the same and are not: Unicode forms, blanks, case, characters that cannot be seen.

Files from a Mac and imports have letters decomposed (`o` and a mark in place of `ö`); texts that were copied have
no-break blanks and marks of direction.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator


def folded(name: str) -> str:
    """What a reader sees of a name: two names that look the same have one folded form."""
    seen = "".join(char for char in unicodedata.normalize("NFC", name) if not _invisible(char))
    return unicodedata.normalize("NFC", " ".join(seen.split()).casefold())


def difference(one: str, other: str) -> str:
    """In what two names differ that look the same, as a clause, or ""."""
    unseen = unicodedata.normalize("NFC", one).casefold() == unicodedata.normalize("NFC", other).casefold()
    if one == other or folded(one) != folded(other):
        return ""
    if unseen and unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other):
        return "only the Unicode form of its letters differs: composed or decomposed"
    if unseen:
        return "only the case of letters differs"
    hidden = sorted({f"U+{ord(char):04X}" for char in set(one) ^ set(other) if _invisible(char) or _odd_blank(char)})
    if hidden:
        return f"only characters differ that cannot be seen: {', '.join(hidden)}"
    blanks = one.split() == other.split()
    return "only blanks differ" if blanks else "blanks and the case of letters or their form differ"


def same_to_the_eye(word: str, known: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(name, clause) for the known names from which a word differs in nothing that can be seen."""
    length, plain = len(word), word.isascii() and word.isprintable()
    for name in known:
        # Most names are plain, and then only blanks can be hidden.
        if plain and name.isascii() and name.isprintable() and name.strip() == name:
            continue
        if abs(len(name) - length) <= length and (why := difference(word, name)) and "case" not in why:
            yield name, why


def _invisible(char: str) -> bool:
    """Whether a character takes no place: marks of direction, joiners, soft hyphens, control characters."""
    return unicodedata.category(char) in ("Cf", "Cc") and not char.isspace()


def _odd_blank(char: str) -> bool:
    return char.isspace() and char != " "
