"""Error statuses and network failures → typed errors with a message that says what to do.

Statements about Redmine were verified on 5.0.4 and 6.1.5 unless a comment says otherwise.
"""

from __future__ import annotations

import re
import socket
import ssl

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
from reconciler.redmine import gateway
from reconciler.redmine.connection import Connection
from reconciler.redmine.json_body import json_object
from reconciler.redmine.transport import Incomplete, causes

_CLASSES: dict[int, type[Answered]] = {401: Denied, 403: Denied, 404: Missing, 409: Stale, 422: Rejected}
_MEANINGS = {
    401: "the credentials are not accepted",
    403: "the account lacks the permission",
    404: "the object does not exist",
    409: "changed by someone else meanwhile; left unchanged: plan again",
    412: "the login to act as (X-Redmine-Switch-User) is unknown or locked",
    422: "invalid",
    429: "too many requests",
}


def not_json(url: str, what: str, response: httpx.Response) -> str:
    """The message for a response that is not a JSON object."""
    hint = f" It looks like a sign-on page: {gateway.PASS}." if gateway.signs_on(response) else ""
    kind = _clean(response.headers.get("content-type", "no content type"))
    return (
        f"{url} responded to {what} with {kind} instead of a JSON object: check `url`, and whether a login page "
        f"or a proxy answers in its place.{hint}"
    )


LENGTH = 500
"""Characters of a server's text that are shown."""


def _clean(text: str) -> str:
    """Text from a server, safe to show: one printable line of limited length."""
    # Cut before it is cleaned, too: an error page can have megabytes.
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * LENGTH]).split())
    return line if len(line) <= LENGTH else f"{line[:LENGTH]}…"


def _server_errors(response: httpx.Response) -> tuple[str, ...]:
    """The messages of {"errors": [...]} or {"error": "..."}; empty for an empty body or an HTML page."""
    body = json_object(response.content) or {}
    errors = body.get("errors", body.get("error"))
    messages = errors if isinstance(errors, list) else [errors]
    return tuple(filter(None, (_clean(text) for text in messages[:50] if isinstance(text, str))))


def error_status(what: str, response: httpx.Response) -> Answered:
    """The error for a response with a status other than success."""
    status, errors = response.status_code, _server_errors(response)
    if 300 <= status < 400:
        # The query is dropped like user and password: login pages get the complete original URL in it.
        target = re.sub(r"//[^/]*@", "//", re.split(r"[?#]", response.extensions["location"])[0])
        hint = _redirect_hint(str(response.extensions.get("origin", "")), what, target)
        return Answered(f"{what} is redirected to {_clean(target) or 'an empty address'}: {hint}", status=status)
    if gateway.answers(response):
        message = f"{what} got status {status} from a gateway, not from Redmine: {gateway.advice(response)}."
        # Its 404 does not show that an object is missing, nor its 409 that an object was changed.
        kind = Answered if status in (404, 409) else _CLASSES.get(status, Answered)
        return kind(message, status=status, gateway=True)
    meaning = _MEANINGS.get(status, "server error" if status >= 500 else "request not accepted")
    # Redmine sends an empty body with some 422s: a version or an inherited membership that cannot be deleted.
    no_reason = "; Redmine gave no reason" if status == 422 else ""
    reasons = f": {'; '.join(errors)}" if errors else no_reason
    message = f"{what} got status {status}, {meaning}{reasons}."
    return _CLASSES.get(status, Answered)(message, status=status, errors=errors)


def _redirect_hint(url: str, what: str, target: str) -> str:
    if gateway.redirects_to_sign_on(url, target):
        return f"that is a sign-on page; {gateway.PASS}."
    new = gateway.moved(what.partition(" ")[2], target)
    known = f"set `url` to {_clean(new)}." if new else "if the Redmine has moved, set `url` to its new address."
    return f"redirects are not followed; {known}"


def preflight(connection: Connection, error: Answered) -> ReconcilerError | None:
    """What an error status means for /users/current; None if nothing more specific than elsewhere."""
    url, kind = connection.url, connection.credentials
    basic = connection.password is not None and connection.api_key is None
    if error.gateway and error.status in (401, 403, 407):
        return AuthenticationFailed(f"{error} Its address is {url}.")
    if error.status == 401:
        # Redmine refuses Basic authentication for users with two-factor authentication, with a plain 401.
        two_factor = " With two-factor authentication, use the API key instead." if basic else ""
        hint = f"A user's API key is shown at {url}/my/account.{two_factor}"
        given = f"does not accept the {kind}" if kind else "requires credentials, but none are configured"
        return AuthenticationFailed(f"The Redmine at {url} {given}. {hint}")
    if error.status == 403:
        # With Basic authentication, a password that must be changed gives the same 403.
        expired = " Or the user must change the password first." if basic else ""
        hint = f"An administrator can enable it under Administration, Settings, API.{expired}"
        return RestApiDisabled(f"The REST API of the Redmine at {url} is disabled. {hint}")
    if error.status == 412:
        return ConfigError(f"switch_user: {connection.switch_user!r} is not the login of an active user of {url}.")
    if error.status == 404:
        root = gateway.without_page(url)
        hint = f"Set `url` to {root}." if root else "Check `url`, including its path."
        return NotRedmine(f"No Redmine at {url}: it has no /users/current.json. {hint}")
    return NotRedmine(f"{url}: {error}") if 300 <= error.status < 400 else None


def network_failure(connection: Connection, what: str, error: Exception, *, lost: bool) -> Unreachable | NotRedmine:
    """The error for a request without a usable response; with `lost`, a write that may have been executed."""
    why, timed_out = _why(connection, error), isinstance(error, TimeoutError | httpx.TimeoutException)
    if lost:
        message = f"{what} was sent to {connection.url}, but {why}. The outcome is unknown."
        return AnswerLost(message, timed_out=timed_out)
    kind = NotRedmine if isinstance(error, httpx.DecodingError) else Unreachable
    return kind(f"{what} failed at {connection.url}: {why}.")


def _why(connection: Connection, error: Exception) -> str:
    """What went wrong, as a clause. Texts of other exceptions are not used: they might repeat what was sent."""
    # httpx wraps TLS and DNS errors in ConnectError, so the causes come first: they say more.
    for cause in causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                hint = "for a private CA, set `ca_file` to its certificate"
                return f"the TLS certificate is not trusted ({_clean(cause.verify_message)}); {hint}"
            case ssl.SSLError():
                return f"TLS failed ({cause.reason}); check `client_cert`, and that the port serves https"
            case socket.gaierror():
                return "the host name could not be resolved; check `url` (or `proxy`) and DNS"
            case ConnectionRefusedError():
                return "the connection was refused; check the port in `url` (or `proxy`) and the server"
    match error:
        case TimeoutError():
            return f"there was no response within {connection.deadline:g} seconds, including retries (`deadline`)"
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            return f"no connection was made within {connection.timeout:g} seconds; check `url` and firewalls"
        case httpx.TimeoutException():
            return f"there was no response within {connection.timeout:g} seconds (`timeout`)"
        case httpx.ProxyError():
            return "the proxy refused the connection; check `proxy` and its credentials"
        case httpx.ConnectError():
            return "no connection could be made; check `url` and the network"
        case httpx.DecodingError():
            return f"the response could not be read ({_clean(str(error))})"
        case Incomplete():
            return "the response is incomplete or not valid JSON"
    return "the connection broke before the response was complete"
