"""URLs, checked: of a server, and the segments of paths."""

from __future__ import annotations

import re
from urllib.parse import quote as percent_encode

from reconciler.errors import ConfigError, ReconcilerError


def quote(segment: str) -> str:
    """A percent-encoded path segment. Raises ReconcilerError for one that would resolve to another path."""
    if segment in ("", ".", ".."):
        raise ReconcilerError(f"{segment!r} cannot be part of a URL in Redmine: choose another key for the object.")
    # Also `/`: in a wiki page's title it must not begin another segment.
    return percent_encode(segment, safe="")


def checked_url(url: str) -> str:
    """The URL of a Redmine, without the slash at its end. Raises ConfigError, without repeating it."""
    if re.search(r"[@?#]", checked_address("url", url)):
        raise ConfigError("url must not contain a user, password, query or fragment: set the credentials separately.")
    return url.rstrip("/")


def checked_address(name: str, text: str) -> str:
    """The URL in a setting. Raises ConfigError, without repeating it."""
    import httpx

    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL()
    plain = re.fullmatch(rb"[A-Za-z0-9._:-]+", url.raw_host) and not re.search(r"\s", text)
    if url.scheme not in ("http", "https") or not plain or not 0 < (url.port or 80) < 65536:
        raise ConfigError(f"{name} is not a URL such as https://redmine.example.net or http://127.0.0.1:3000/redmine.")
    return text
