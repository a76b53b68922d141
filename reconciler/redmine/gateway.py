"""A gateway before Redmine, such as a reverse proxy or single sign-on: its headers, and which responses are its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reconciler.errors import ConfigError

if TYPE_CHECKING:
    import httpx
    from pydantic import SecretStr

RESERVED = frozenset(
    {
        "accept", "accept-encoding", "connection", "content-length", "content-type", "host", "te", "trailer",
        "transfer-encoding", "upgrade", "x-redmine-api-key", "x-redmine-switch-user",
    }
)  # fmt: skip
"""Headers that belong to the connection, to the body, or to another setting."""

REALM = 'realm="redmine api"'
"""In Redmine's own 401s (5.0.4 and 6.1.5), which have no body."""

_OWN_PAGE = re.compile(rb"<title>Redmine \d{3} error|<meta name=\"description\" content=\"Redmine\"")
"""In Redmine's own HTML: the static error pages, and the layout of all other pages."""

_PROTOCOL = r"saml|oauth2?\b|openid|oidc|\bsso\b|\bcas/login|keycloak|authelia|authentik|cloudflareaccess|adfs"
_SINGLE = re.compile(_PROTOCOL, re.IGNORECASE)
_SIGN_ON = re.compile(_PROTOCOL + r"|sign[ _-]?in\b|sign[ _-]?on\b|log[ _-]?[io]n\b|type=.?password", re.IGNORECASE)

PASS = "set what it needs in `headers`, or let requests with an API key through"
HTTP_BASIC = "for HTTP Basic, set `username` and `password` beside `api_key`"


def checked_headers(headers: Mapping[str, SecretStr]) -> dict[str, str]:
    """The headers of the setting `headers`. Raises ConfigError for invalid ones, without repeating a value."""
    checked: dict[str, str] = {}
    for name, secret in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
            raise ConfigError("headers: a name is empty, or contains a character that header names cannot have.")
        if name.lower() in RESERVED:
            raise ConfigError(f"headers: {name} cannot be set here.")
        if name.lower() in map(str.lower, checked):
            raise ConfigError(f"headers: {name} is set twice; upper and lower case are the same.")
        value = secret.get_secret_value()
        # The HTTP library's own error would show the value.
        if not re.fullmatch(r"[!-~](?:[ -~]*[!-~])?", value):
            raise ConfigError(
                f"headers: {name} is empty, begins or ends with a space, or contains a line break or a non-ASCII "
                "character."
            )
        checked[name] = value
    return checked


def is_page(response: httpx.Response) -> bool:
    """Whether a response is an HTML page that is not one of Redmine's own."""
    # Redmine sends some errors without a body as text/html (404 of an unknown path, 5.0 to 6.1).
    html = "html" in response.headers.get("content-type", "").lower() and bool(response.content.strip())
    return (html or response.content.lstrip()[:1] == b"<") and not _OWN_PAGE.search(response.content)


def answers(response: httpx.Response) -> bool:
    """Whether an error status comes from a gateway rather than from Redmine."""
    if response.status_code == 401 and (challenge := response.headers.get("www-authenticate", "")):
        return REALM not in challenge.lower()
    return response.status_code != 422 and is_page(response)  # gateways do not validate


def advice(response: httpx.Response) -> str:
    """What to do about an error status of a gateway."""
    if response.status_code == 407 or response.headers.get("www-authenticate", "").lower().startswith("basic"):
        return HTTP_BASIC
    if response.status_code in (401, 403):
        return PASS
    return "see its log" if response.status_code >= 500 else "check `url`, and the settings of the gateway"


def signs_on(response: httpx.Response) -> bool:
    """Whether an HTML page looks like one to sign on at."""
    return is_page(response) and bool(_SIGN_ON.search(response.content[:100_000].decode("utf-8", "replace")))


def redirects_to_sign_on(url: str, target: str) -> bool:
    """Whether the address of a redirect, without its query, looks like a page to sign on at."""
    try:
        parts, own = urlsplit(target), urlsplit(url).hostname
        elsewhere = parts.hostname not in (None, own)
    except ValueError:
        return False
    # `/login` on the same host is Redmine's own.
    return bool((_SIGN_ON if elsewhere else _SINGLE).search(f"{parts.hostname or ''}{parts.path}"))


def moved(path: str, target: str) -> str:
    """The address of the Redmine that a request for `path` was redirected to, or "" if it was redirected elsewhere."""
    suffix = f"{path}.json"
    known = target.startswith(("http://", "https://")) and target.endswith(suffix)
    return target.removesuffix(suffix) if known else ""


PAGES = ("projects", "issues", "users", "my", "login", "admin", "settings", "news", "groups", "roles", "time_entries")


def without_page(url: str) -> str:
    """The address of the Redmine, for the address of one of its pages: `…/redmine/my/account`; "" for others."""
    parts = urlsplit(url)
    segments = parts.path.split("/")
    first = next((index for index, segment in enumerate(segments) if segment in PAGES), None)
    return f"{parts.scheme}://{parts.netloc}{'/'.join(segments[:first])}".rstrip("/") if first else ""
