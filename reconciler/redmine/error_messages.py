"""What it means when a request goes wrong: errors of the network and refusals → typed errors with a sentence.

Facts about Redmine were seen on 5.0.4 and 6.1.5 unless a comment says otherwise.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
from typing import Any

import httpx

from reconciler.errors import (
    Answered,
    AnswerLost,
    AuthenticationFailed,
    ConfigError,
    Denied,
    Missing,
    NotRedmine,
    ReconcilerError,
    Rejected,
    RestApiDisabled,
    Stale,
    Unreachable,
)
from reconciler.redmine.transport import Connection, causes

_CLASSES: dict[int, type[Answered]] = {401: Denied, 403: Denied, 404: Missing, 409: Stale, 422: Rejected}
_MEANINGS = {
    401: "the credentials are not accepted",
    403: "the account may not do this",
    404: "there is no such object",
    409: "the object was changed meanwhile, and is left as it is: make a new plan",
    412: "the login to act as (X-Redmine-Switch-User) is unknown or locked",
    422: "it is not valid",
    429: "too many requests",
}


def json_object(content: bytes) -> dict[str, Any] | None:
    """The JSON object that an answer is, if it is one."""
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def no_json(url: str, what: str, response: httpx.Response) -> str:
    """The sentence for an answer that is no JSON object."""
    kind = _clean(response.headers.get("content-type", "no content type"))
    return (
        f"{url} answered {what} with {kind} instead of a JSON object: check `url`, and whether a login page "
        "or a portal stands in between."
    )


LENGTH = 500
"""Characters of a server's text that are shown."""


def _clean(text: str) -> str:
    """A server's text, safe to show: one line, printable, bounded."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * LENGTH]).split())
    return line if len(line) <= LENGTH else f"{line[:LENGTH]}…"


def _sentences(response: httpx.Response) -> tuple[str, ...]:
    """The server's own, of {"errors": [...]} or {"error": "..."}; none of an empty body or an HTML page."""
    body = json_object(response.content) or {}
    errors = body.get("errors", body.get("error"))
    found = errors if isinstance(errors, list) else [errors]
    return tuple(filter(None, (_clean(text) for text in found[:50] if isinstance(text, str))))


def refusal(what: str, response: httpx.Response) -> Answered:
    """The error of a request that was answered with another status than success."""
    status, errors = response.status_code, _sentences(response)
    if 300 <= status < 400:
        # A query is left out like user and password: login pages are given the whole first address in it.
        target = re.sub(r"//[^/]*@", "//", re.split(r"[?#]", response.extensions["location"])[0])
        hint = "redirects are not followed; if the Redmine has moved, set `url` to where it is now."
        return Answered(f"{what} is redirected to {_clean(target) or 'nowhere'}: {hint}", status=status)
    meaning = _MEANINGS.get(status, "the server failed" if status >= 500 else "it was not accepted")
    unsaid = ", and Redmine gave no reason" if status == 422 else ""
    reasons = f": {'; '.join(errors)}" if errors else unsaid
    message = f"{what} got status {status}, {meaning}{reasons}."
    return _CLASSES.get(status, Answered)(message, status=status, errors=errors)


def preflight(connection: Connection, error: Answered) -> ReconcilerError | None:
    """What an error status of /users/current means; None for what it means everywhere."""
    url, kind, basic = connection.url, connection.credentials, connection.username is not None
    if error.status == 401:
        factor = " A user with two-factor authentication needs the API key instead." if basic else ""
        hint = f"Redmine shows a user's API key at {url}/my/account.{factor}"
        given = f"does not accept the {kind}" if kind else "needs credentials, and none were given"
        return AuthenticationFailed(f"The Redmine at {url} {given}. {hint}")
    if error.status == 403:
        expired = " Or the user's password must be changed first." if basic else ""
        hint = f"An administrator enables it under Administration, Settings, API.{expired}"
        return RestApiDisabled(f"The REST web service of the Redmine at {url} is disabled. {hint}")
    if error.status == 412:
        return ConfigError(f"switch_user: {connection.switch_user!r} is no active user's login in {url}.")
    if error.status == 404:
        return NotRedmine(
            f"There is no Redmine at {url}: it has no /users/current.json. Check `url`, also its path."
        )
    return NotRedmine(f"{url}: {error}") if 300 <= error.status < 400 else None


def failure(connection: Connection, what: str, error: Exception, *, doubt: bool) -> Unreachable | NotRedmine:
    """The error of a request that got no usable answer; with `doubt` it is a write that may have happened."""
    why, timed_out = _why(connection, error), isinstance(error, TimeoutError | httpx.TimeoutException)
    if doubt:
        message = f"{what} was sent to {connection.url}, but {why}. Whether it was done is not known."
        return AnswerLost(message, timed_out=timed_out)
    kind = NotRedmine if isinstance(error, httpx.DecodingError) else Unreachable
    return kind(f"{connection.url} could not be used for {what}: {why}.")


def _why(connection: Connection, error: Exception) -> str:
    """What went wrong, as the end of a sentence; no text of errors that could repeat what was sent."""
    for cause in causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                hint = "if its authority is your own, set `ca_file` to the authority's certificate"
                return f"the TLS certificate is not trusted ({_clean(cause.verify_message)}); {hint}"
            case ssl.SSLError():
                return f"TLS failed ({cause.reason}); check `client_cert`, and if the port speaks https"
            case socket.gaierror():
                return "the host's name could not be resolved; check `url` (or `proxy`) and the name service"
            case ConnectionRefusedError():
                return "the connection was refused; check the port in `url` (or `proxy`) and the server"
    match error:
        case TimeoutError():
            return f"there was no answer in {connection.deadline:g} seconds, retries included (`deadline`)"
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            return f"no connection was made within {connection.timeout:g} seconds; check `url` and firewalls"
        case httpx.TimeoutException():
            return f"there was no answer within {connection.timeout:g} seconds (`timeout`)"
        case httpx.ProxyError():
            return "the proxy refused to connect; check `proxy` and its credentials"
        case httpx.ConnectError():
            return "no connection could be made; check `url` and the network"
        case httpx.DecodingError():
            return f"the answer could not be read ({_clean(str(error))})"
    return "the connection broke before the answer was complete"
