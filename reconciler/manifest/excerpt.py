"""How problems quote a manifest file: the source line with a caret, suggestions, and readable YAML errors.

Values that may be secrets are shown as `•••`. Detection errs on the side of masking too much.
"""

from __future__ import annotations

import difflib
import heapq
import re
import unicodedata
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import suppress
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from yaml import CSafeLoader, Mark, MarkedYAMLError, YAMLError
from yaml.events import CollectionEndEvent, CollectionStartEvent, MappingStartEvent, NodeEvent, ScalarEvent

from reconciler.errors import Location
from reconciler.manifest.look_alikes import same_to_the_eye
from reconciler.masking import MASK, Secrets

WIDTH = 100  # characters of a source line to show
MAX_BYTES = 64 * 1024 * 1024

BREAKS = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # the line breaks that libyaml counts
_ILLEGAL = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# Possessive (`*+`), here and below: no text may make a match go back and try again without end.
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"')
_JSON_ODD = re.compile(
    r"\\(?:u([dD][89abAB][\da-fA-F]{2})\\u([dD][c-fC-F][\da-fA-F]{2})|.)|[\x7f-\x9f\u2028\u2029\ufffe\uffff]"
)
_SECRET = re.compile("pas+w|pass|pwd|secret|token|credential|apikey|accesskey|privatekey")
_SECRET_WORDS = ("password", "passwd", "passphrase", "secret", "token", "apikey")
_PREFIX = re.compile(r"[\s\ufeff]*(?:[-?]\s+)*")
_COLON = re.compile("[:=]")
_KEY_LINE = re.compile(r"""(?:"[^"]*+"|'[^']*+'|[\w .$-]++):""")
_BARE_WORD = re.compile(_PREFIX.pattern + r"([\w.$-]++)(?=[ \t]|$)")
_REFERENCE = re.compile(r"""[ \t]*["']?\$\{\w+\}["']?(?=[ \t]*(?:[,}\]#]|$))""")
_FLOW_OPENED = re.compile(r"(?:^|[\s:,\[{-])[\[{]")
_FLOW_VALUE = re.compile(
    r"""[ \t]*(?:"(?:[^"\\]|\\.)*+"|'(?:[^']|'')*+'|[^\s"'\[{&!*|>][^,}\]\[{]*+)"""
    r"""(?=[ \t]*(?:[}\]]|,[ \t]*(?:$|["'\w][^,}\]]*:)))"""
)


@lru_cache(maxsize=4096)
def looks_secret(key: str) -> bool:
    """Whether a key appears to name a password, a token or similar, including misspellings (`pasword`)."""
    # Words may be split by `_` or `-`: `api_key`, `access-key-id`; so the last three are also looked at as one.
    parts = re.findall(r"[^\W_]+", key.casefold())
    return "pw" in parts or any(map(_secret_word, [*parts, "".join(parts[-3:])]))


@lru_cache(maxsize=65536)
def _secret_word(word: str) -> bool:
    # Short words are near to everything, and very long ones are no misspelling.
    near = 3 < len(word) < 13 and difflib.get_close_matches(word, _SECRET_WORDS, 1, 0.75)
    return bool(near or _SECRET.search(word))


def _secret_spans(line: str) -> list[tuple[int, int]]:
    """The (start, end) spans of a line that are values of secret-looking keys."""
    bare = _BARE_WORD.match(line)
    # A key whose colon was forgotten: a syntax error is just when the line is quoted.
    if bare and looks_secret(bare[1]):
        return [(bare.end(), len(line))]
    spans: list[tuple[int, int]] = []
    done = 0
    for match in _COLON.finditer(line):
        start = match.end()
        key = line[max(done, start - 80) : start - 1].rpartition(",")[2].rpartition("{")[2]
        # `${NAME}` is no secret but the name of one, and what a reader wants to see.
        if start > done and looks_secret(key) and not _REFERENCE.match(line, start):
            value = _FLOW_VALUE.match(line, start) if _FLOW_OPENED.search(line, 0, start) else None
            spans.append((start, value.end() if value else len(line)))  # in block style, commas belong to the value
        done = spans[-1][1] if spans and spans[-1][1] > start else start
    return spans


def _secret_lines(text: str) -> Iterator[int]:
    """The indexes of the lines below a secret-looking key that continue its value, according to libyaml."""
    get_event = CSafeLoader(text).get_event
    keyed: list[bool | None] = [None]  # per open collection: whether a key comes next; None in a list
    since: list[int | None] = [None]  # per open collection: the line of the secret key above
    try:
        while len(keyed) < 100 and (event := get_event()):  # libyaml is slow at depths that no manifest has
            start, end = event.start_mark, event.end_mark
            if isinstance(event, CollectionEndEvent):
                del keyed[-1], since[-1]
            elif isinstance(event, NodeEvent) and start and end:
                if keyed[-1]:
                    secret = isinstance(event, ScalarEvent) and looks_secret(event.value)
                    since[-1] = start.line if since[-2] is None and secret else since[-2]
                keyed[-1] = None if keyed[-1] is None else not keyed[-1]
                if isinstance(event, CollectionStartEvent):
                    keyed.append(True if isinstance(event, MappingStartEvent) else None)
                    since.append(since[-1])
                elif (above := since[-1]) is not None:
                    yield from range(max(above + 1, start.line), end.line + bool(end.column))
    except MarkedYAMLError as error:
        above = since[-2] if keyed[-1] else since[-1]
        if above is not None and error.problem_mark:
            yield from range(above + 1, error.problem_mark.line + 1)


class Source:
    """The lines of one file, and which of them continue a secret value."""

    def __init__(self, text: str, *, json: bool = False) -> None:
        self._masked: dict[int, tuple[str, list[tuple[int, int]]]] = {}
        self._text = json_as_yaml(text) if json else text
        self.lines = re.split("\r\n|[\n\r]" if json else BREAKS, text) if text else []

    @cached_property
    def hidden(self) -> frozenset[int]:
        """Indexes of the lines that continue the value of a secret-looking key."""
        # Characters that libyaml refuses are replaced first, or it would stop before any line.
        indexes = set(_secret_lines(_ILLEGAL.sub("?", self._text)))  # exact, up to the first syntax error
        for index, line in enumerate(self.lines):
            spans = _secret_spans(line)
            if spans and spans[-1][1] == len(line):
                indexes.update(self._owned(index, not line[spans[-1][0] :].strip()))
        return frozenset(indexes)

    def _owned(self, index: int, empty: bool) -> Iterator[int]:
        """The lines below `index` that belong to its last key by indentation, for text that libyaml cannot parse."""
        line = self.lines[index]
        key_column = len(line) - len(_PREFIX.sub("", line, count=1))
        for below in range(index + 1, len(self.lines)):
            content = self.lines[below].strip()
            indent = len(self.lines[below]) - len(self.lines[below].lstrip())
            deeper = indent > key_column or (indent == key_column and content.startswith("-"))
            alone = empty and below == index + 1 and not _KEY_LINE.match(content)
            if content and not (deeper or alone):
                return
            yield below

    def shown(self, index: int, column: int, secrets: Secrets | None = None) -> tuple[str, int]:
        """A line with secrets masked, and the new position of a column in it (both count from 0)."""
        if index not in self._masked:
            self._masked[index] = self._mask(index, secrets)
        text, spans = self._masked[index]
        column = min(column, len(self.lines[index]))
        # From the right: a replacement shifts only what is behind it.
        for start, end in reversed(spans):
            column = column if column < start else start if column < end else column - end + start + len(MASK)
        return text, column

    def _mask(self, index: int, secrets: Secrets | None) -> tuple[str, list[tuple[int, int]]]:
        line = self.lines[index]
        pieces, masked, done = [], [], 0
        by_key = [(0, len(line))] if index in self.hidden else _secret_spans(line)
        for start, end in sorted([*by_key, *(secrets.spans(line) if secrets else ())]):
            start = max(start + len(line[start:end]) - len(line[start:end].lstrip()), done)
            if start < end:
                pieces += [line[done:start], MASK]
                masked.append((start, end))
                done = end
        return "".join([*pieces, line[done:]]), masked


def excerpt(
    location: Location, cache: MutableMapping[str, Source] | None = None, secrets: Secrets | None = None
) -> str:
    """The source line of a place with a caret below its column, or "" if there is no such line.

    Values of secret-looking keys and `secrets` are masked, control characters replaced, long lines cut around the
    caret. `cache` keeps the files that were read; `Loaded.sources` is such a cache and has the text of standard input.
    """
    cache = {} if cache is None else cache
    if location.file not in cache:
        cache[location.file] = _source(location.file)
    source = cache[location.file]
    if not 0 < location.line <= len(source.lines):
        return ""
    line, column = source.shown(location.line - 1, max(location.column - 1, 0), secrets)
    before, after = _window(line, column)
    number = f"{location.line:>4}"
    caret = " " * sum(map(_cells, before))
    return f"{number} | {before}{after}".rstrip() + f"\n{' ' * len(number)} | {caret}^"


def _source(file: str) -> Source:
    with suppress(OSError):
        path = Path(file)
        if path.is_file() and path.stat().st_size <= MAX_BYTES:
            # `replace`: a problem about the encoding must be quotable too.
            return Source(path.read_bytes().decode("utf-8-sig", "replace"), json=file.endswith(".json"))
    return Source("")


def _window(line: str, column: int) -> tuple[str, str]:
    """The printable part of a line around a column, split at that column."""
    start = max(0, min(column - WIDTH // 2, len(line) - WIDTH))
    before, after = line[start:column], line[column : start + WIDTH]
    left, right = "…" * bool(start), "…" * (start + WIDTH < len(line))
    return left + "".join(map(_printable, before)), "".join(map(_printable, after)) + right


def _printable(char: str) -> str:
    # Control, format, surrogate, private and unassigned characters, and line separators: a terminal could obey them.
    odd = unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    return "    " if char == "\t" else "\N{REPLACEMENT CHARACTER}" if odd else char


def _cells(char: str) -> int:
    return 0 if unicodedata.category(char) in ("Mn", "Me") else 1 + (unicodedata.east_asian_width(char) in "WF")


def suggest(word: str, known: Iterable[str]) -> str:
    """`did you mean "x"?` for the most similar known word, ignoring case, or "".

    Only the 50 words with the longest common prefix and suffix go through difflib, which is slow: 10,000 known words
    take a few milliseconds.
    """
    known = list(known)
    for twin, why in same_to_the_eye(word, known):
        return f'did you mean "{twin}"? ({why})'
    wanted = word.casefold()
    # Reversed, so that of two names that differ only in case, the one that sorts first is kept.
    spelt = {name.casefold(): name for name in sorted(known, reverse=True) if abs(len(name) - len(word)) <= 3}
    nearest = heapq.nlargest(50, spelt, lambda x: (_shared(wanted, x) + _shared(wanted[::-1], x[::-1]), x))
    match = difflib.get_close_matches(wanted, nearest, n=1, cutoff=0.6)
    # `amie` and `amy` are near, although half of so short a word differs.
    match = match or [x for x in difflib.get_close_matches(wanted, nearest, n=3, cutoff=0.57) if x[:2] == wanted[:2]]
    return f'did you mean "{spelt[match[0]]}"?' if match else ""


def _shared(one: str, other: str) -> int:
    differ = (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(differ, min(len(one), len(other)))


_TAB = "tab used for indentation; YAML requires spaces"
_TAB_SUSPECTS = ("mapping values are not allowed in this context", "could not find expected ':'")
_UNENDED = ("found unexpected end of stream", "did not find expected ',' or '}'", "did not find expected ',' or ']'")
_EXPLANATIONS = {  # libyaml 0.2.5's message: a readable message, and a hint
    _TAB_SUSPECTS[0]: ('a ":" is not allowed here', 'quote the value if the ":" belongs to it; check the indentation'),
    _TAB_SUSPECTS[1]: ('a ":" is missing after the key', "write `key: value`"),
    "did not find expected key": ("expected a key", "check the indentation, and the quotes just before"),
    "did not find expected '-' indicator": ('expected a list item ("- ")', "check the indentation"),
    _UNENDED[1]: ('a "," or the closing "}" is missing', "quote values that contain , or }"),
    _UNENDED[2]: ('a "," or the closing "]" is missing', "quote values that contain , or ]"),
    "did not find expected node content": ("expected a value", "quote it if it starts with , ] or }"),
    "did not find expected <document start>": ("expected a new document", "start it with a line `---`"),
    "found character that cannot start any token": ("a value cannot start with this character", "quote it"),
    _UNENDED[0]: ("the closing quote is missing", "add it"),
    "did not find expected alphabetic or numeric character": (
        "expected a name after * or &",
        "quote the value if it is not an alias or anchor",
    ),
    "found invalid Unicode character escape code": ("this escape is not a Unicode character", ""),
    "found unknown escape character": ("unknown backslash escape", "write \\\\, or use single quotes"),
}


def mark_of(text: str, index: int, known: Any = None) -> Mark:
    """The mark (line, column and index, from 0) of a character of a text, counted from a known mark before it."""
    line, column, start = (known.line, known.column, known.index) if known else (0, 0, 0)
    lines = BREAKS.split(text[start:index])
    column = len(lines[-1]) + (column if len(lines) == 1 else 0)
    return Mark("", index, line + len(lines) - 1, column, None, 0)


def explain_yaml_error(error: YAMLError, text: str) -> tuple[Any, str, str, Any]:
    """A libyaml error as its mark, a readable message, a hint (or ""), and the mark of its context."""
    if not isinstance(error, MarkedYAMLError):
        illegal = _ILLEGAL.search(text)
        character = f"the control character U+{ord(illegal[0]):04X}" if illegal else "this character"
        hint = "remove it, or write it as an escape in double quotes"
        return mark_of(text, illegal.start() if illegal else 0), f"{character} is not allowed in YAML", hint, None
    mark: Any = error.problem_mark
    problem, context, start = str(error.problem), error.context_mark, mark.index - mark.column
    # libyaml reports a tab in many ways, often at a later line: so the line itself is looked at.
    tab = re.compile(" *\t").match(text, start)
    if tab and (mark.index < tab.end() or problem in _TAB_SUSPECTS or " tab " in problem):
        return mark_of(text, tab.end() - 1), _TAB, "", None
    message, hint = _EXPLANATIONS.get(problem, (f"invalid YAML: {problem}", ""))
    # At the end of the file the error would point at nothing: the opening quote or bracket is the place.
    if problem in _UNENDED and mark.index >= len(text.rstrip()):
        return context, f"unterminated: {message}", hint, None
    return mark, message, hint, context if context and context.line != mark.line else None


def json_as_yaml(text: str) -> str:
    """JSON as libyaml accepts it: surrogate pairs joined, tabs around the document and raw control characters replaced.

    A string that becomes shorter is padded with spaces, so that columns of what follows on its line stay right.
    """
    blank = len(text) - len(text.lstrip(" \t\r\n"))
    text = text[:blank].replace("\t", " ") + text[blank:].rstrip(" \t\r\n")

    def string(match: re.Match[str]) -> str:
        new = _JSON_ODD.sub(_replacement, match[0])
        return new + " " * (len(match[0]) - len(new))

    return _JSON_STRING.sub(string, text) if _JSON_ODD.search(text) else text


def _replacement(match: re.Match[str]) -> str:
    if match[1]:
        # JSON writes characters beyond U+FFFF as two escapes; libyaml refuses each of them alone.
        return chr(0x10000 + ((int(match[1], 16) & 0x3FF) << 10 | int(match[2], 16) & 0x3FF))
    return match[0] if match[0][0] == "\\" else f"\\u{ord(match[0]):04x}"
