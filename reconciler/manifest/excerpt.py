"""What a person is shown of a manifest file.

The line with a caret, near misses, libyaml's complaints in plain words. A line that may hold a secret is shown with
`•••` in the place of the value; when in doubt, more is hidden.
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

MASK = "•••"
WIDTH = 100  # characters of a source line that are shown
MAX_BYTES = 64 * 1024 * 1024

BREAKS = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what libyaml counts as a line break
_ILLEGAL = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

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
    """Whether a key seems to name a password, a token or the like, misspelt ones too (`pasword`)."""
    parts = re.findall(r"[^\W_]+", key.casefold())
    return "pw" in parts or any(map(_secret_word, [*parts, "".join(parts[-3:])]))


@lru_cache(maxsize=65536)
def _secret_word(word: str) -> bool:
    near = 3 < len(word) < 13 and difflib.get_close_matches(word, _SECRET_WORDS, 1, 0.75)
    return bool(near or _SECRET.search(word))


def _secret_spans(line: str) -> list[tuple[int, int]]:
    """The parts of a line, as (start, end), that are values of keys that look like a secret."""
    bare = _BARE_WORD.match(line)
    if bare and looks_secret(bare[1]):
        return [(bare.end(), len(line))]
    spans: list[tuple[int, int]] = []
    done = 0
    for match in _COLON.finditer(line):
        start = match.end()
        key = line[max(done, start - 80) : start - 1].rpartition(",")[2].rpartition("{")[2]
        if start > done and looks_secret(key) and not _REFERENCE.match(line, start):
            value = _FLOW_VALUE.match(line, start) if _FLOW_OPENED.search(line, 0, start) else None
            spans.append((start, value.end() if value else len(line)))  # in a block, commas belong to the value
        done = spans[-1][1] if spans and spans[-1][1] > start else start
    return spans


def _secret_lines(text: str) -> Iterator[int]:
    """The indexes of the lines below a key that looks like a secret on which libyaml finds parts of its value."""
    get_event = CSafeLoader(text).get_event
    keyed: list[bool | None] = [None]  # per open collection: whether a key comes next; None in a list
    since: list[int | None] = [None]  # per open collection: the line of the secret key that what comes belongs to
    try:
        while len(keyed) < 100 and (event := get_event()):  # libyaml is slow in depths where no manifest gets
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
    """The lines of one file, and which of them belong to a secret that began above."""

    def __init__(self, text: str, *, json: bool = False) -> None:
        self._masked: dict[int, tuple[str, list[tuple[int, int]]]] = {}
        self._text = json_as_yaml(text) if json else text
        self.lines = re.split("\r\n|[\n\r]" if json else BREAKS, text) if text else []

    @cached_property
    def hidden(self) -> frozenset[int]:
        """Indexes of the lines that continue the value of a key that looks like a secret."""
        found = set(_secret_lines(_ILLEGAL.sub("?", self._text)))  # exact, as far as libyaml gets
        for index, line in enumerate(self.lines):
            spans = _secret_spans(line)
            if spans and spans[-1][1] == len(line):
                found.update(self._owned(index, not line[spans[-1][0] :].strip()))
        return frozenset(found)

    def _owned(self, index: int, empty: bool) -> Iterator[int]:
        """The lines below `index` that its last key seems to own, for what libyaml cannot read: by indentation."""
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

    def shown(self, index: int, column: int) -> tuple[str, int]:
        """A line without its secrets, and where a column of it stands then (both count from 0)."""
        if index not in self._masked:
            self._masked[index] = self._mask(index)
        text, spans = self._masked[index]
        column = min(column, len(self.lines[index]))
        for start, end in reversed(spans):
            column = column if column < start else start if column < end else column - end + start + len(MASK)
        return text, column

    def _mask(self, index: int) -> tuple[str, list[tuple[int, int]]]:
        line = self.lines[index]
        pieces, masked, done = [], [], 0
        for start, end in [(0, len(line))] if index in self.hidden else _secret_spans(line):
            start += len(line[start:end]) - len(line[start:end].lstrip())
            if start < end:
                pieces += [line[done:start], MASK]
                masked.append((start, end))
                done = end
        return "".join([*pieces, line[done:]]), masked


def excerpt(location: Location, cache: MutableMapping[str, Source] | None = None) -> str:
    """The source line of a place with a caret under its column, as two lines of text without a final break.

    Secrets are masked, control characters replaced, long lines cut around the caret. `cache` keeps files that were
    read; `Loaded.sources` is one, and has the text of the standard input. "" when there is no such line to show.
    """
    cache = {} if cache is None else cache
    if location.file not in cache:
        cache[location.file] = _source(location.file)
    source = cache[location.file]
    if not 0 < location.line <= len(source.lines):
        return ""
    line, column = source.shown(location.line - 1, max(location.column - 1, 0))
    before, after = _window(line, column)
    number = f"{location.line:>4}"
    caret = " " * sum(map(_cells, before))
    return f"{number} | {before}{after}".rstrip() + f"\n{' ' * len(number)} | {caret}^"


def _source(file: str) -> Source:
    with suppress(OSError):
        path = Path(file)
        if path.is_file() and path.stat().st_size <= MAX_BYTES:
            return Source(path.read_bytes().decode("utf-8-sig", "replace"), json=file.endswith(".json"))
    return Source("")


def _window(line: str, column: int) -> tuple[str, str]:
    """The part of a line around a column, printable, as the text before that column and the text from it on."""
    start = max(0, min(column - WIDTH // 2, len(line) - WIDTH))
    before, after = line[start:column], line[column : start + WIDTH]
    left, right = "…" * bool(start), "…" * (start + WIDTH < len(line))
    return left + "".join(map(_printable, before)), "".join(map(_printable, after)) + right


def _printable(char: str) -> str:
    odd = unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    return "    " if char == "\t" else "\N{REPLACEMENT CHARACTER}" if odd else char


def _cells(char: str) -> int:
    return 0 if unicodedata.category(char) in ("Mn", "Me") else 1 + (unicodedata.east_asian_width(char) in "WF")


def suggest(word: str, known: Iterable[str]) -> str:
    """`did you mean "x"?` for the known word that is most like this one, whatever its case, or "".

    difflib sees only the 50 words that begin and end most like it: some milliseconds for 10,000 known words.
    """
    wanted = word.casefold()
    spelt = {name.casefold(): name for name in sorted(known, reverse=True) if abs(len(name) - len(word)) <= 3}
    nearest = heapq.nlargest(50, spelt, lambda x: (_shared(wanted, x) + _shared(wanted[::-1], x[::-1]), x))
    match = difflib.get_close_matches(wanted, nearest, n=1, cutoff=0.6)
    return f'did you mean "{spelt[match[0]]}"?' if match else ""


def _shared(one: str, other: str) -> int:
    differ = (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(differ, min(len(one), len(other)))


_TAB = "a tab is used for indentation; YAML wants spaces"
_TAB_SUSPECTS = ("mapping values are not allowed in this context", "could not find expected ':'")
_UNENDED = ("found unexpected end of stream", "did not find expected ',' or '}'", "did not find expected ',' or ']'")
_PLAIN_WORDS = {  # libyaml 0.2.5's sentence: what it means for the reader, and how to go on
    _TAB_SUSPECTS[0]: ('a ":" is not allowed here', 'quote the text if the ":" belongs to it; check the indentation'),
    _TAB_SUSPECTS[1]: ('a ":" is missing after the key', "write `key: value`"),
    "did not find expected key": ("a key is expected here", "check the indentation, and the quotes just before"),
    "did not find expected '-' indicator": ('a list item ("- ") is expected here', "check the indentation"),
    _UNENDED[1]: ('a "," or the closing "}" is missing', "quote texts that have , or } in them"),
    _UNENDED[2]: ('a "," or the closing "]" is missing', "quote texts that have , or ] in them"),
    "did not find expected node content": ("a value is expected here", "quote it if it begins with , ] or }"),
    "did not find expected <document start>": ("only a new document can follow here", "begin it with a line `---`"),
    "found character that cannot start any token": ("a value cannot begin with this character", "put it in quotes"),
    _UNENDED[0]: ("the closing quote is missing", "add it"),
    "did not find expected alphabetic or numeric character": ("a name must follow * or &", "or quote the text"),
    "found invalid Unicode character escape code": ("the escape is not a Unicode character", ""),
    "found unknown escape character": ("the backslash escape is unknown", "write \\\\, or use single quotes"),
}


def mark_of(text: str, index: int, known: Any = None) -> Mark:
    """The mark of a character of a text, counted on from a known mark before it (lines, columns, index from 0)."""
    line, column, start = (known.line, known.column, known.index) if known else (0, 0, 0)
    lines = BREAKS.split(text[start:index])
    column = len(lines[-1]) + (column if len(lines) == 1 else 0)
    return Mark("", index, line + len(lines) - 1, column, None, 0)


def plain_words(error: YAMLError, text: str) -> tuple[Any, str, str, Any]:
    """What libyaml's error about this text means: its mark, a message, a hint (or ""), where its context began."""
    if not isinstance(error, MarkedYAMLError):
        illegal = _ILLEGAL.search(text)
        character = f"the control character U+{ord(illegal[0]):04X}" if illegal else "this character"
        hint = "remove it, or write it as an escape in double quotes"
        return mark_of(text, illegal.start() if illegal else 0), f"{character} is not allowed in YAML", hint, None
    mark: Any = error.problem_mark
    problem, context, start = str(error.problem), error.context_mark, mark.index - mark.column
    tab = re.compile(" *\t").match(text, start)
    if tab and (mark.index < tab.end() or problem in _TAB_SUSPECTS or " tab " in problem):
        return mark_of(text, tab.end() - 1), _TAB, "", None
    message, hint = _PLAIN_WORDS.get(problem, (f"this is not valid YAML: {problem}", ""))
    if problem in _UNENDED and mark.index >= len(text.rstrip()):
        return context, f"what begins here never ends: {message}", hint, None
    return mark, message, hint, context if context and context.line != mark.line else None


def json_as_yaml(text: str) -> str:
    """A JSON text as libyaml takes it: without surrogate pairs, tabs around the document, odd raw characters.

    Blanks after a string that became shorter keep what follows on its line where it was.
    """
    blank = len(text) - len(text.lstrip(" \t\r\n"))
    text = text[:blank].replace("\t", " ") + text[blank:].rstrip(" \t\r\n")

    def string(match: re.Match[str]) -> str:
        new = _JSON_ODD.sub(_replacement, match[0])
        return new + " " * (len(match[0]) - len(new))

    return _JSON_STRING.sub(string, text) if _JSON_ODD.search(text) else text


def _replacement(match: re.Match[str]) -> str:
    if match[1]:
        return chr(0x10000 + ((int(match[1], 16) & 0x3FF) << 10 | int(match[2], 16) & 0x3FF))
    return match[0] if match[0][0] == "\\" else f"\\u{ord(match[0]):04x}"
