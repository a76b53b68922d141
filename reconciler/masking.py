"""The secrets of a run, and how they are hidden in text, however the text encodes them.

Servers, gateways and proxies may echo what was sent: the API key in an error page, a password in a validation error.
Every response to a request that failed, and everything that the command line prints, goes through `Secrets`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

MASK = "•••"
SHORTEST = 4
"""A shorter secret is masked only as part of something longer, such as a Basic header: it is in every second word."""
WORD = 6
"""A shorter secret may be anybody's word."""
ANYWHERE = 8
"""A shorter secret is masked only where it is not part of a longer word."""
NO_WORD = 12
"""Letters or digits alone that are at least this long are no word or number of a text."""

_LITERAL = re.compile("[A-Za-z0-9]+")
_USER_INFO = re.compile(r"(?<=:)//[^/?#\s\"'<>]*@")
# Before a secret: also an escape that ends with a letter or a digit, such as `%3D` or `\n`.
_START = r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[bfnrt]))"
_END = "(?![A-Za-z0-9])"
_NAMED = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}


def without_user_info(text: str) -> str:
    """A text with the user and password in every URL masked."""
    return _USER_INFO.sub(f"//{MASK}@", text)


def shown_url(url: str) -> str:
    """A URL without its user, password and query. It may be unusable: all before the last @ counts as user."""
    url = re.sub("^(.*?//)?.*@", rf"\1{MASK}@", url, flags=re.DOTALL)
    return re.sub("([?#]).*", rf"\1{MASK}", url, flags=re.DOTALL)


def _any_form(char: str) -> str:
    """A pattern for a character as it is, escaped (JSON, Markdown), percent-encoded, or as an entity of HTML."""
    if char.isspace():
        return r"(?:\s|\+|\\[nrt]|%(?:25)?(?i:0[AD9]|20)|\\u00(?i:0[AD9]|20)|&\#0*(?:9|10|13|32);)"
    point = ord(char)
    octets = "".join(f"%(?:25)?{octet:02X}" for octet in char.encode("utf-8", "surrogatepass"))
    units = char.encode("utf-16-be", "surrogatepass").hex()
    escape = "".join(rf"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
    entities = "|".join(filter(None, (f"#0*{point}", f"#x0*{point:x}", _NAMED.get(char))))
    # Escapes may be escaped once more: HTML in HTML or JSON, JSON in JSON.
    return (
        rf"\\{{0,3}}(?:{re.escape(char)}(?:<!-- -->)?|(?i:{octets}|{escape}"
        rf"|&(?:amp;)*(?:{entities});))"
    )


@dataclass(frozen=True, slots=True)
class _Hidden:
    """One secret in one form. `parts` are those that no encoding changes."""

    parts: tuple[str, ...]
    pattern: re.Pattern[str]
    common: bool
    """Whether it may as well be a word or a number of any text."""

    @classmethod
    def of(cls, secret: str) -> _Hidden:
        pieces = (p if _LITERAL.fullmatch(p) else _any_form(p) for p in re.findall("[A-Za-z0-9]+|[^A-Za-z0-9]", secret))
        pattern = "".join(pieces)
        alike = len(secret) < NO_WORD and (secret.isalpha() or secret.isdigit())
        common = alike or len(secret) < WORD
        whole = common or len(secret) < ANYWHERE
        parts = sorted(_LITERAL.findall(secret), key=len, reverse=True)
        return cls(tuple(parts), re.compile(f"{_START}{pattern}{_END}" if whole else pattern), common)

    def may_be_in(self, text: str) -> bool:
        """Whether a search is worth it: a thousand of them through a long text would take seconds."""
        return all(part in text for part in self.parts)


@dataclass(slots=True)
class Secrets:
    """All secrets of a run. What is added later is hidden from then on."""

    _hidden: dict[str, _Hidden] = field(default_factory=dict, repr=False)

    def add(self, *values: str | None) -> None:
        """Add secrets, and the forms in which HTTP sends them."""
        for value in filter(None, values):
            clean, encoded = value.strip(), _encoded(value)
            for form in (clean, encoded):
                if len(form) >= SHORTEST and form not in self._hidden:
                    self._hidden[form] = _Hidden.of(form)

    def add_login(self, user: str | None, password: str | None) -> None:
        """Add a password, and the value of the header that has it beside the user."""
        if password:
            self.add(password, f"{user or ''}:{password}")

    def add_header(self, value: str) -> None:
        """Add the value of a header; that of `Authorization` has a secret behind the name of its scheme."""
        scheme, _, rest = value.strip().partition(" ")
        self.add(value, rest)
        if scheme.lower() == "basic":
            user, _, password = _decoded(rest).partition(":")
            self.add_login(user, password)

    def add_url(self, url: str | None) -> None:
        """Add the user and password in a URL; a user without a password is a token."""
        user, at, _ = _authority(url).rpartition("@") if url else ("", "", "")
        if at:
            from urllib.parse import unquote  # here and below: with it, the help takes longer

            name, _, password = user.partition(":")
            self.add(password or name, unquote(password or name))
            self.add_login(unquote(name), unquote(password))

    def include(self, other: Secrets) -> None:
        """Add all of another run's."""
        self._hidden.update(other._hidden)

    def spans(self, text: str, *, common: bool = False) -> list[tuple[int, int]]:
        """The (start, end) of each secret in a text, in order and apart. `common` includes those that may be words."""
        found = sorted(
            match.span()
            for hidden in self._hidden.values()
            if (common or not hidden.common) and hidden.may_be_in(text)
            for match in hidden.pattern.finditer(text)
        )
        return list(_joined(found))

    def masked(self, text: str, *, common: bool = False) -> str:
        """The text with secrets masked. `common` is for the text of a server, where each of them is an echo."""
        if not self._hidden:
            return text
        done, pieces = 0, []
        for start, end in self.spans(text, common=common):
            pieces += [text[done:start], MASK]
            done = end
        return "".join([*pieces, text[done:]]) if pieces else text

    def masked_bytes(self, content: bytes) -> bytes:
        """The same for the body of a response."""
        if not self._hidden:
            return content
        return self.masked(content.decode("utf-8", "surrogateescape"), common=True).encode("utf-8", "surrogateescape")

    def masked_data(self, data: Any) -> Any:
        """The same for every text in JSON data, which stays valid that way."""
        if isinstance(data, str):
            return self.masked(data)
        if isinstance(data, dict):
            return {self.masked_data(key): self.masked_data(value) for key, value in data.items()}
        return [self.masked_data(item) for item in data] if isinstance(data, list | tuple) else data


def _joined(spans: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    """Sorted spans, with those that touch or overlap as one."""
    last: tuple[int, int] | None = None
    for start, end in spans:
        if last is not None and start <= last[1]:
            last = (last[0], max(last[1], end))
            continue
        if last is not None:
            yield last
        last = (start, end)
    if last is not None:
        yield last


def _authority(url: str) -> str:
    from urllib.parse import urlsplit

    try:
        return urlsplit(url).netloc or url.partition("/")[0]
    except ValueError:
        return re.split("[/?#]", url.partition("//")[2])[0]


def _encoded(text: str) -> str:
    import base64

    return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def _decoded(text: str) -> str:
    import base64

    try:
        return base64.b64decode(text + "===").decode("utf-8", "replace")
    except ValueError:
        return ""
