"""The client: settings, why a server cannot be reached, and what is never shown."""

from __future__ import annotations

import base64
import logging
import socket
import traceback
from pathlib import Path
from typing import Any

import httpx
import pytest
from calls import KEY, URL, Server, call, delete, get, over, post, put, says, whoami
from pydantic import SecretStr
from stub import CERTIFICATE, Stub

from reconciler import errors
from reconciler.redmine.client import Client, Connection

# Why a server cannot be reached


def test_a_refused_connection_is_explained() -> None:
    """Nobody listening is told from other failures."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(errors.Unreachable, match="the connection was refused; check the port"):
        over(f"http://127.0.0.1:{port}", get, retries=1)


def unknown_name() -> httpx.ConnectError:
    """The failure of a connection to a host whose name does not resolve."""
    unknown = httpx.ConnectError("x")
    unknown.__cause__ = OSError("wrapped")
    unknown.__cause__.__cause__ = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return unknown


def test_a_name_that_resolves_no_more_is_tried_again() -> None:
    """Once the server has answered, its name exists: for a new connection it may be unknown for a moment."""
    server = Server(says(200, {}), unknown_name(), says(200, {}), unknown_name(), says(201, {}))

    async def several(client: Client) -> None:
        await get(client)
        await get(client)
        await post(client)

    call(server, several)
    assert [request.method for request in server.seen] == ["GET", "GET", "GET", "POST", "POST"]


def test_a_name_that_does_not_resolve_is_explained_at_once() -> None:
    """An unknown host name is an error of its own and is not tried again."""
    server = Server(unknown_name())
    with pytest.raises(errors.Unreachable, match="host name could not be resolved"):
        call(server, get)
    assert len(server.seen) == 1


def test_several_addresses_that_fail_have_a_reason() -> None:
    """The reason is found among the failures of a host's several addresses too."""
    failed = httpx.ConnectError("x")
    failed.__cause__ = OSError("All connection attempts failed")
    failed.__cause__.__cause__ = ExceptionGroup("several", [OSError("no route"), ConnectionRefusedError()])
    with pytest.raises(errors.Unreachable, match="connection was refused"):
        call(Server(failed), get)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (httpx.ConnectTimeout("x"), "no connection was made within 30 seconds"),
        (httpx.ReadTimeout("x"), "no response within 30 seconds"),
        (httpx.ProxyError("407 secret"), "the proxy refused the connection"),
        (httpx.ConnectError("x"), "no connection could be made"),
        (httpx.ReadError("x"), "the connection broke before the response was complete"),
    ],
)
def test_each_failure_of_the_connection_has_its_sentence(error: Exception, sentence: str) -> None:
    """Time-outs, proxies and broken connections are told apart, in a sentence with the URL and the
    request."""
    with pytest.raises(errors.Unreachable, match=f"^GET /projects/1 failed at {URL}: .*{sentence}.*\\.$"):
        call(Server(error), get)


def test_https_needs_a_trusted_certificate() -> None:
    """A server's own certificate is refused, and accepted with `ca_file`."""
    with Stub(lambda method, path, body: (200, b"{}"), tls=True) as stub:
        with pytest.raises(errors.Unreachable, match=r"not trusted.*self-signed"):
            over(stub.url, get)
        assert over(stub.url, get, ca_file=CERTIFICATE) == {}


def test_https_to_a_plain_port_is_explained() -> None:
    """TLS with a server that speaks http says what to check."""
    with Stub(lambda method, path, body: (200, b"{}")) as stub, pytest.raises(errors.Unreachable, match="TLS failed"):
        over(stub.url.replace("http:", "https:"), get, retries=0)


@pytest.mark.parametrize("setting", ["ca_file", "client_cert"])
@pytest.mark.parametrize("content", [None, "nonsense"])
def test_certificates_that_cannot_be_read_are_a_setting_error(
    tmp_path: Path, setting: str, content: str | None
) -> None:
    """A missing or broken certificate file is named before anything is sent."""
    path = tmp_path / "file.pem"
    if content:
        path.write_text(content)
    with pytest.raises(errors.ConfigError, match=r"Cannot use the certificates and keys in .*file\.pem"):
        over("https://127.0.0.1:1", get, **{setting: path})


def test_a_client_certificate_with_its_key_is_accepted() -> None:
    """A certificate and a key in one file are loaded."""
    with Stub(lambda method, path, body: (200, b"{}"), tls=True) as stub:
        assert over(stub.url, get, ca_file=CERTIFICATE, client_cert=CERTIFICATE) == {}


# Settings


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redmine.test",
        "ftp://redmine.test",
        "http://",
        "http://a b/",
        "http://h/a b",
        "http://[::1",
        "http://h:99999",
        "http://h\\x",
        f"https://user:{KEY}@redmine.test",
        f"https://{KEY}@redmine.test",
        f"http://redmine.test/?key={KEY}",
        f"http://redmine.test/#{KEY}",
        f"http://redmine.test:{KEY}/",
        f"http://redmine.test/\n{KEY}",
    ],
)
def test_urls_that_cannot_be_used_are_refused_without_repeating_them(url: str) -> None:
    """Another scheme, credentials, a query or a fragment in the URL is an error that keeps what was in it."""
    with pytest.raises(errors.ConfigError) as caught:
        Connection(url)
    assert KEY not in "".join(traceback.format_exception(caught.value.with_traceback(None)))


@pytest.mark.parametrize(
    "settings",
    [
        {"username": "a"},
        {"password": SecretStr("a")},
        {"api_key": SecretStr("a"), "bearer": SecretStr("b")},
        {"timeout": 0},
        {"deadline": -1},
        {"concurrency": 0},
        {"retries": -1},
        {"proxy": "socks5://h"},
        {"proxy": ""},
        {"api_key": SecretStr(f"{KEY}\n")},
        {"api_key": SecretStr("")},
        {"bearer": SecretStr(f"{KEY}ä")},
        {"switch_user": "a b"},
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings: dict[str, Any]) -> None:
    """Contradictions, limits without sense, and values that no header can carry are errors at once."""
    with pytest.raises(errors.ConfigError) as caught:
        Connection(URL, **settings)
    assert KEY not in str(caught.value)


def test_a_header_of_one_write_is_checked_too() -> None:
    """A login that cannot be a header is refused before anything is sent."""
    server = Server(says(201, {}))
    with pytest.raises(errors.ConfigError, match="X-Redmine-Switch-User"):
        call(server, lambda client: client.write("POST", "/issues", {}, headers={"X-Redmine-Switch-User": "a\r\nb"}))
    assert server.seen == []


# Secrets and the log


def test_the_log_has_one_line_per_attempt() -> None:
    """A line has method, path with query, outcome and milliseconds."""
    lines: list[str] = []
    server = Server(httpx.ReadError("x"), says(503), says(200, {}))
    call(server, lambda client: client.get("/issues", {"a": "ü"}), log=lines.append)
    outcomes = ["ReadError", "503", "200"]
    assert [line.rsplit(" ", 2)[0] for line in lines] == [f"GET /sub/issues.json?a=%C3%BC {o}" for o in outcomes]
    assert all(line.endswith(" ms") and line.split()[-2].isdigit() for line in lines)


@pytest.mark.parametrize(
    "credentials",
    [
        {"api_key": SecretStr(KEY)},
        {"bearer": SecretStr(KEY)},
        {"username": "ann", "password": SecretStr(KEY), "proxy": f"http://ann:{KEY}@127.0.0.1:1"},
    ],
)
@pytest.mark.parametrize(
    "answer",
    [
        says(200, {}),
        says(401),
        says(403),
        says(404),
        says(412),
        says(422),
        says(500),
        says(200, content=b"<html>"),
        says(302, headers={"Location": f"http://h/?k={KEY}"}),
        httpx.ReadError("x"),
        httpx.ReadTimeout("x"),
        httpx.ProxyError("x"),
        httpx.ConnectError("x"),
        httpx.DecodingError("x"),
    ],
)
def test_no_secret_is_ever_shown(credentials: dict[str, Any], answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """No representation, log line or traceback has a key, a password or a token in it, in clear or in
    Base64."""
    caplog.set_level(logging.DEBUG)
    shown: list[str] = [repr(Connection(URL, **credentials))]

    async def everything(client: Client) -> None:
        for action in (get, post, put, delete, whoami):
            try:
                await action(client)
            except errors.ReconcilerError as error:
                shown.append("".join(traceback.format_exception(error)))
        shown.append(repr(client))

    call(Server(answer), everything, log=shown.append, **{"api_key": None, "retries": 1, **credentials})
    text = "\n".join([*shown, caplog.text])
    assert "/projects/1.json" in text
    assert KEY not in text
    assert base64.b64encode(f"ann:{KEY}".encode()).decode() not in text
