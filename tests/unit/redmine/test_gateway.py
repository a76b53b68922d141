"""A gateway before Redmine: its headers and login, and that its own responses are not taken for Redmine's."""

from __future__ import annotations

import base64

import httpx
import pytest
from calls import KEY, URL, USER, Server, call, delete, get, put, says, whoami
from pydantic import SecretStr

from reconciler import errors
from reconciler.redmine.client import Connection

NGINX = b"<html><head><title>401 Authorization Required</title></head><body>nginx</body></html>"
REDMINE = {"WWW-Authenticate": 'Basic realm="Redmine API"', "Content-Type": "application/json"}
SSO = b"<html><title>Sign in to Example</title><form action='/idp/saml2'></form></html>"


def test_basic_authentication_of_a_proxy_goes_with_the_key_in_its_header() -> None:
    """A user and password beside an API key are sent as Basic, and the key in its own header."""
    server = Server(says(200, USER))
    call(server, whoami, username="gate", password=SecretStr("pass word"))
    headers = server.seen[0].headers
    assert headers["X-Redmine-API-Key"] == KEY
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"gate:pass word").decode()


def test_extra_headers_go_with_each_request_and_are_not_shown() -> None:
    """Headers for a gateway are sent with reads and writes, and their values are not in the connection's repr."""
    server = Server(says(200, USER))
    extra = {"CF-Access-Client-Secret": SecretStr("canary one"), "user-agent": SecretStr("allowed")}
    call(server, whoami, extra=extra)
    call(server, put, extra=extra)
    assert [r.headers["CF-Access-Client-Secret"] for r in server.seen] == ["canary one", "canary one"]
    assert [r.headers.get_list("User-Agent") for r in server.seen] == [["allowed"], ["allowed"]]
    assert "canary" not in repr(Connection(URL, api_key=SecretStr(KEY), extra=extra))


@pytest.mark.parametrize(
    ("headers", "sentence"),
    [
        ({"X-Redmine-API-Key": "canary"}, "X-Redmine-API-Key cannot be set here"),
        ({"Content-Type": "canary"}, "Content-Type cannot be set here"),
        ({"A b": "canary"}, "a name is empty, or contains a character"),
        ({"X-A": "canary\r\nX-B: 1"}, "X-A is empty, begins or ends with a space, or contains a line break"),
        ({"X-A": ""}, "X-A is empty"),
        ({"X-A": "canary", "x-a": "canary"}, "x-a is set twice"),
        ({"authorization": "Basic canary"}, "Authorization is already used"),
    ],
)
def test_headers_that_cannot_be_sent_are_refused(headers: dict[str, str], sentence: str) -> None:
    """A header that is invalid, or belongs to another setting, is refused without its value."""
    extra = {name: SecretStr(value) for name, value in headers.items()}
    with pytest.raises(errors.ConfigError, match=sentence) as caught:
        Connection(URL, username="a", password=SecretStr("b"), extra=extra)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("response", "hint"),
    [
        (says(401, content=b"", headers={"WWW-Authenticate": 'Basic realm="intern"'}), "`username` and `password`"),
        (says(401, content=NGINX, headers={"Content-Type": "text/html"}), "`headers`"),
        (says(403, content=NGINX, headers={"Content-Type": "text/html"}), "`headers`"),
        (says(407, content=NGINX, headers={"Content-Type": "text/html"}), "`username` and `password`"),
    ],
)
def test_credentials_that_a_gateway_requires_are_said_to_be_its_own(response: object, hint: str) -> None:
    """A 401, 403 or 407 that is not Redmine's is not said to be about the API key, or about the REST API."""
    with pytest.raises(errors.AuthenticationFailed, match="from a gateway, not from Redmine") as caught:
        call(Server(response), whoami)  # type: ignore[arg-type]
    assert hint in str(caught.value)
    assert "API key is shown" not in str(caught.value)


def test_a_401_of_redmine_itself_is_about_the_key() -> None:
    """Redmine's own 401, with its realm and no body, is still about the credentials."""
    with pytest.raises(errors.AuthenticationFailed, match="does not accept the API key"):
        call(Server(says(401, content=b"", headers=REDMINE)), whoami)


@pytest.mark.parametrize("status", [404, 409])
def test_a_page_of_a_gateway_says_nothing_about_an_object(status: int) -> None:
    """A gateway's 404 does not mean that an object is missing, nor its 409 that it was changed."""
    page = says(status, content=NGINX, headers={"Content-Type": "text/html"})
    with pytest.raises(errors.Answered, match="from a gateway") as caught:
        call(Server(page), get)
    assert type(caught.value) is errors.Answered


def test_a_gateways_404_does_not_show_that_an_object_was_deleted() -> None:
    """A DELETE whose response was lost is not taken for done because a gateway answers with 404 later."""
    page = says(404, content=NGINX, headers={"Content-Type": "text/html"})
    with pytest.raises(errors.Answered, match="from a gateway"):
        call(Server(says(502, content=b""), page), delete)


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"<html><title>Redmine 404 error</title></html>",
        b'<html><meta name="description" content="Redmine" /></html>',
    ],
)
def test_redmines_own_pages_are_its_own(page: bytes) -> None:
    """Redmine's static error pages, its layout and its empty text/html are not taken for a gateway's."""
    with pytest.raises(errors.Missing):
        call(Server(says(404, content=page, headers={"Content-Type": "text/html; charset=utf-8"})), get)


def test_a_sign_on_page_is_recognized() -> None:
    """A page of single sign-on with status 200 is named as such, with what to do."""
    with pytest.raises(errors.NotRedmine, match="It looks like a sign-on page: set what it needs in `headers`"):
        call(Server(says(200, content=SSO, headers={"Content-Type": "text/html"})), whoami)


@pytest.mark.parametrize(
    ("location", "sentence"),
    [
        ("https://sso.example.net/realms/x/protocol/openid-connect/auth?token=canary", "that is a sign-on page"),
        ("https://id.example.net/login?next=canary", "that is a sign-on page"),
        ("/oauth2/sign_in?rd=canary", "that is a sign-on page"),
        ("https://redmine.test/sub/users/current.json", "set `url` to https://redmine.test/sub."),
        ("https://redmine.test/welcome", "if the Redmine has moved"),
        ("/login?back_url=canary", "if the Redmine has moved"),
    ],
)
def test_redirects_to_a_sign_on_page_are_recognized(location: str, sentence: str) -> None:
    """A redirect to a sign-on page, or to another address of the same Redmine, says what to set."""
    response: httpx.Response = httpx.Response(302, headers={"Location": location})
    with pytest.raises(errors.NotRedmine) as caught:
        call(Server(lambda: response), whoami)
    assert sentence in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("/redmine/my/account", "Set `url` to http://redmine.test/redmine."),
        ("/projects/shop/issues", "Set `url` to http://redmine.test."),
        ("/redmine", "Check `url`, including its path."),
    ],
)
def test_the_address_of_a_page_is_recognized(path: str, root: str) -> None:
    """A `url` that was copied from a page of Redmine says what the address of the Redmine itself is."""
    with pytest.raises(errors.NotRedmine) as caught:
        call(Server(says(404, content=b"")), whoami, url=f"http://redmine.test{path}")
    assert root in str(caught.value)
