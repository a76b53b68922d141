"""The client: what it sends, what it makes of answers and lists, and the preflight."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from calls import KEY, URL, USER, Server, call, delete, get, over, post, put, says, whoami
from proxy import Proxy
from pydantic import SecretStr
from stub import Stub

from reconciler import errors
from reconciler.redmine.client import Client, Connection, quote

# What is sent


def test_a_get_has_the_key_the_suffix_and_the_parameters() -> None:
    """A GET goes to the path under the URL's own, with `.json`, the key as a header and the query encoded."""
    server = Server(says(200, {"project": {"id": 1}}))
    answer = call(server, lambda client: client.get("/issues", [("f[]", "a b"), ("cf_1", ">=2"), ("limit", 5)]))
    request = server.seen[0]
    assert answer == {"project": {"id": 1}}
    assert str(request.url) == f"{URL}/issues.json?f%5B%5D=a+b&cf_1=%3E%3D2&limit=5"
    assert request.headers["X-Redmine-API-Key"] == KEY
    assert request.headers["Accept"] == "application/json"
    assert "Authorization" not in request.headers


def test_a_trailing_slash_of_the_url_is_dropped() -> None:
    """`https://host/sub/` and `https://host/sub` are the same Redmine."""
    assert Connection(f"{URL}//").url == URL


def test_a_write_is_sent_as_json() -> None:
    """A body goes as application/json, without which Redmine would ignore it, with parameters in the
    query."""
    server = Server(says(201, {"issue": {"id": 7}}))
    answer = call(
        server,
        lambda client: client.write(
            "POST", "/issues", {"issue": {"subject": "ä"}}, {"a": 1}, {"X-Redmine-Switch-User": "jsmith"}
        ),
    )
    request = server.seen[0]
    assert answer == {"issue": {"id": 7}}
    assert (request.method, str(request.url)) == ("POST", f"{URL}/issues.json?a=1")
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["X-Redmine-Switch-User"] == "jsmith"
    assert json.loads(request.content) == {"issue": {"subject": "ä"}}


def test_a_write_without_an_answers_body_gives_nothing() -> None:
    """204, as for most PUTs and DELETEs, and an empty 200 are {}."""
    server = Server(says(204), says(200, content=b" "))
    assert call(server, put) == {} == call(server, delete)


def test_an_upload_sends_bytes() -> None:
    """A file's bytes go unchanged as an octet stream, its name in the query; the token comes back."""
    server = Server(says(201, {"upload": {"id": 3, "token": "3.ab"}}))
    answer = call(server, lambda client: client.upload("a ü.txt", b"\x00\xff"))
    request = server.seen[0]
    assert answer == {"id": 3, "token": "3.ab"}
    assert request.headers["Content-Type"] == "application/octet-stream"
    assert (request.url.params["filename"], request.content) == ("a ü.txt", b"\x00\xff")


def test_a_lost_upload_is_sent_again() -> None:
    """An upload whose answer is lost is repeated: what nothing refers to is not visible."""
    server = Server(httpx.ReadError("reset"), says(201, {"upload": {"token": "3.ab"}}))
    assert call(server, lambda client: client.upload("a", b"x")) == {"token": "3.ab"}


@pytest.mark.parametrize(
    ("settings", "header", "value"),
    [
        ({"username": "ann", "password": SecretStr("pässword")}, "Authorization", "Basic YW5uOnDDpHNzd29yZA=="),
        ({"bearer": SecretStr("token")}, "Authorization", "Bearer token"),
        ({"api_key": SecretStr("k"), "switch_user": "bob"}, "X-Redmine-Switch-User", "bob"),
    ],
)
def test_each_kind_of_credentials_has_its_header(settings: dict[str, Any], header: str, value: str) -> None:
    """User and password go as Basic, a token as Bearer, and the login to act as beside them."""
    server = Server(says(200, {}))
    call(server, get, **{"api_key": None, **settings})
    assert server.seen[0].headers[header] == value


def test_a_connection_is_kept_and_no_cookie() -> None:
    """Requests share a connection, and a session cookie is forgotten: Redmine 5.0 overflows it with filters."""

    async def twice(client: Client) -> None:
        await get(client)
        await get(client)

    with Stub(lambda method, path, body: (200, b"{}")) as stub:
        over(stub.url, twice)
        assert stub.connections == 1
        with Proxy(stub.url) as proxy:
            over(proxy.url, twice)
            assert ["cookie" in exchange.headers for exchange in proxy.exchanges] == [False, False]


def test_path_segments_are_quoted() -> None:
    """A slash, a blank or a percent sign in a key stays inside its segment, on the wire too."""
    server = Server(says(200, {}))
    call(server, lambda client: client.get(f"/projects/1/wiki/{quote('a/b %2F?#ü')}"))
    assert server.seen[0].url.raw_path == b"/sub/projects/1/wiki/a%2Fb%20%252F%3F%23%C3%BC.json"


@pytest.mark.parametrize("segment", ["", ".", ".."])
def test_a_segment_that_leads_elsewhere_is_refused(segment: str) -> None:
    """A key that would turn `DELETE /projects/x/wiki/..` into another object's path is an error."""
    with pytest.raises(errors.ReconcilerError, match="choose another key for the object"):
        quote(segment)


def test_the_environments_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only `proxy` names a proxy: HTTP_PROXY does not redirect requests."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with Stub(lambda method, path, body: (200, b"{}")) as stub:
        assert over(stub.url, get, retries=0) == {}


def test_requests_go_through_the_proxy() -> None:
    """With `proxy`, an http request is sent to it with the whole address."""
    with Stub(lambda method, path, body: (200, b"{}")) as stub:
        over("http://redmine.test", get, proxy=stub.url, retries=0)
        assert stub.seen[0][1] == "http://redmine.test/projects/1.json"


# What answers mean


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, errors.Answered),
        (401, errors.Denied),
        (403, errors.Denied),
        (404, errors.Missing),
        (406, errors.Answered),
        (409, errors.Stale),
        (412, errors.Answered),
        (422, errors.Rejected),
    ],
)
def test_each_status_has_its_error(status: int, error: type[errors.Answered]) -> None:
    """Each error status becomes the error that callers tell apart, and a full sentence with the request."""
    with pytest.raises(errors.Answered, match=rf"^PUT /projects/1 got status {status}, .*\.$") as caught:
        call(Server(says(status)), put)
    assert type(caught.value) is error
    assert (caught.value.status, caught.value.errors) == (status, ())


@pytest.mark.parametrize(
    ("body", "sentences"),
    [
        (
            b'{"errors": ["Name cannot be blank", "Sujet doit \xc3\xaatre"]}',
            ("Name cannot be blank", "Sujet doit être"),
        ),
        (b'{"errors": []}', ()),
        (b'{"errors": "one"}', ("one",)),
        (b'{"status": 422, "error": "Unprocessable"}', ("Unprocessable",)),
        (b'{"errors": [1, null, "", {"a": 1}, "real"]}', ("real",)),
        (b'["x"]', ()),
        (b"", ()),
        (b"<html>secret page</html>", ()),
        (b"\xff\xfe", ()),
        (b"[" * 100_000, ()),
    ],
)
def test_the_servers_sentences_are_kept(body: bytes, sentences: tuple[str, ...]) -> None:
    """`errors` has the server's own sentences in order, and none of a body that has no such list."""
    with pytest.raises(errors.Rejected) as caught:
        call(Server(says(422, content=body)), put)
    assert caught.value.errors == sentences
    assert all(sentence in str(caught.value) for sentence in sentences)
    assert ("gave no reason" in str(caught.value)) is not bool(sentences)


def test_the_servers_sentences_are_made_safe() -> None:
    """Control characters, terminal escapes and direction marks go, and length and number are bounded."""
    hostile = ["\x1b[2Jred\x07\n\u202etxt\u2028", "x" * 10_000, *["more"] * 1000]
    with pytest.raises(errors.Rejected) as caught:
        call(Server(says(422, {"errors": hostile})), put)
    assert caught.value.errors[0] == "[2Jred txt"
    assert len(caught.value.errors[1]) == 501
    assert len(caught.value.errors) == 50
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("body", [b"", b"<html>login</html>", b"[]", b"null", b'{"a":', b"\xff", b"[" * 100_000])
def test_a_get_without_a_json_object_is_not_redmine(body: bytes) -> None:
    """A login page, a portal, or any other data instead of an object says to check the URL."""
    answer = says(200, content=body, headers={"Content-Type": "text/html"})
    with pytest.raises(errors.NotRedmine, match="responded to GET /projects/1 with text/html instead of a JSON object"):
        call(Server(answer), get)


@pytest.mark.parametrize(
    "body", [b'\xef\xbb\xbf{"a": "x"}', b'{"a": "\\ud800"}'], ids=["byte order mark", "half a pair"]
)
def test_json_that_only_a_tolerant_parser_takes(body: bytes) -> None:
    """What a proxy adds to an answer, and a text with half a character, are no reason to give up."""
    assert call(Server(says(200, content=body)), get)["a"] in ("x", "\ud800")


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://new.test/redmine/x.json", "https://new.test/redmine/x.json:"),
        ("/login?back_url=secret", "/login:"),
        ("https://user:secret@new.test/x#secret", "https://new.test/x:"),
        ("http://[", "http://[:"),
        ("", "an empty address:"),
    ],
)
def test_a_redirect_is_named_and_not_followed(location: str, shown: str) -> None:
    """A redirect ends the request with its target, so that no credentials go there; nothing secret is
    shown."""
    server = Server(says(302, headers={"Location": location}))
    with pytest.raises(errors.Answered, match="set `url` to its new address") as caught:
        call(server, get)
    assert caught.value.status == 302
    assert f"redirected to {shown}" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert len(server.seen) == 1


def test_a_switch_user_that_is_unknown_is_explained() -> None:
    """412 to a write on behalf of another says that this login is unknown or locked."""
    with pytest.raises(errors.Answered, match=r"login to act as .* is unknown or locked"):
        call(Server(says(412)), post)


# Lists


def _pages(total: int, limit: int = 100, **more: Any) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        offset = int(request.url.params["offset"])
        rows = [{"id": number, **more} for number in range(total)[offset : offset + limit]]
        return httpx.Response(200, json={"issues": rows, "total_count": total, "offset": offset, "limit": limit})

    return answer


def test_a_list_is_read_by_hundreds_to_its_end() -> None:
    """250 rows take three pages with one row of overlap, and the caller's parameters go with each."""
    lines: list[str] = []
    rows = call(_pages(250), lambda c: c.rows("/issues", "issues", {"sort": "id"}), log=lines.append)
    assert [row["id"] for row in rows] == list(range(250))
    assert [line.split()[1] for line in lines] == [
        f"/sub/issues.json?sort=id&limit=100&offset={offset}" for offset in (0, 99, 198)
    ]


def test_a_brief_list_has_the_ids_alone() -> None:
    """Who asks for the ids of many rows does not keep the rows, nor is shown them page by page."""
    shown: list[Any] = []
    answers = _pages(250, description="long")
    rows = call(answers, lambda client: client.rows("/issues", "issues", brief=True, shown=shown.extend))
    assert rows == [{"id": number} for number in range(250)]
    assert {*map(tuple, shown)} == {("id",)}


def test_a_list_without_pages_is_one_request() -> None:
    """Groups, trackers and the like come whole, without window and total."""
    server = Server(says(200, {"groups": [{"name": "A"}]}))
    assert call(server, lambda client: client.rows("/groups", "groups", paged=False)) == [{"name": "A"}]
    assert server.seen[0].url.query == b""


def test_a_list_that_ignores_the_window_is_complete() -> None:
    """Versions have a total and no pages: all rows of the one answer are taken."""
    rows = [{"id": number} for number in range(130)]
    server = Server(says(200, {"versions": rows, "total_count": 130}))
    assert call(server, lambda client: client.rows("/versions", "versions")) == rows
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"issues": {}},
        {"issues": [1], "total_count": 1},
        {"issues": [{"id": 1}]},
        {"issues": [{"id": 1}], "total_count": None},
        {"issues": [{"id": 1}], "total_count": "1"},
        {"issues": [{"id": 1}], "total_count": True},
        {"issues": [{"name": "x"}], "total_count": 1},
        {"issues": [{"id": 1}], "total_count": 1, "limit": "x"},
    ],
)
def test_a_list_of_another_shape_is_not_redmine(answer: dict[str, Any]) -> None:
    """Rows, their ids and the total are checked before they are trusted."""
    with pytest.raises(errors.NotRedmine, match="The response to /issues"):
        call(Server(says(200, answer)), lambda client: client.rows("/issues", "issues"))


# The preflight


def test_whoami_gives_the_account() -> None:
    """With good credentials the preflight is one request and gives the account."""
    server = Server(says(200, USER))
    assert call(server, whoami) == USER["user"]
    assert [request.url.path for request in server.seen] == ["/sub/users/current.json"]


def test_an_old_redmine_is_refused() -> None:
    """Redmine before 4.2 shows users without updated_on."""
    with pytest.raises(errors.NotRedmine, match=r"Redmine 5\.0 or later is required"):
        call(Server(says(200, {"user": {"id": 1, "login": "admin"}})), whoami)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"api_key": SecretStr(KEY)}, f"does not accept the API key.*{URL}/my/account"),
        ({"username": "a", "password": SecretStr("b")}, "does not accept the user and password.*two-factor"),
        ({"bearer": SecretStr("b")}, "does not accept the bearer token"),
        ({}, "requires credentials, but none are configured"),
    ],
)
def test_wrong_credentials_are_named_by_kind(settings: dict[str, Any], sentence: str) -> None:
    """401 says which kind of credentials was not accepted and where the key is found."""
    with pytest.raises(errors.AuthenticationFailed, match=sentence):
        call(Server(says(401)), whoami, **{"api_key": None, **settings})


def test_a_disabled_rest_api_is_told() -> None:
    """403 to the preflight says where an administrator enables the API."""
    with pytest.raises(errors.RestApiDisabled, match="Administration, Settings, API"):
        call(Server(says(403)), whoami)


def test_an_expired_password_is_told() -> None:
    """403 with user and password may also mean that the password must be changed."""
    with pytest.raises(errors.RestApiDisabled, match="must change the password first"):
        call(Server(says(403)), whoami, api_key=None, username="a", password=SecretStr("b"))


def test_a_wrong_switch_user_is_a_setting_error() -> None:
    """412 to the preflight names the setting and the login."""
    with pytest.raises(errors.ConfigError, match=r"^switch_user: 'bob' is not the login of an active user"):
        call(Server(says(412)), whoami, switch_user="bob")


@pytest.mark.parametrize(
    "answer",
    [
        says(404, content=b"<html>"),
        says(301, headers={"Location": "https://redmine.test/"}),
        says(200, content=b"<html>"),
        says(200, {"message": "hello"}),
        says(200, {"user": None}),
    ],
)
def test_what_is_no_redmine_is_told(answer: Any) -> None:
    """A page, a redirect, a missing path or other JSON is not a Redmine, and the URL is to be checked."""
    with pytest.raises(errors.NotRedmine, match="`url`"):
        call(Server(answer), whoami)


def test_a_failing_server_is_no_other_error() -> None:
    """A 5xx of the preflight stays what it is."""
    with pytest.raises(errors.Answered, match="server error") as caught:
        call(Server(says(503)), whoami, retries=0)
    assert caught.value.status == 503


def test_the_secrets_of_a_connection_are_masked_in_errors() -> None:
    """An error that repeats a credential, a header or the password of the proxy says what else it says."""
    secrets = {"password": SecretStr("canary-1"), "extra": {"X-A": SecretStr("canary-2")}}
    server = Server(says(422, {"errors": [f"You sent {KEY}, canary-1, canary-2, canary-3, canary-4"]}))
    lines: list[str] = []

    async def refused(client: Client) -> None:
        client.secrets.add("canary-4")
        await client.get("/canary-4")

    with pytest.raises(errors.Rejected) as caught:
        call(server, refused, log=lines.append, username="gate", proxy="http://a:canary-3@proxy", **secrets)
    assert caught.value.errors == ("You sent •••, •••, •••, •••, •••",)
    assert lines[0].startswith("GET /sub/•••.json 422")


def test_a_client_does_not_show_its_credentials() -> None:
    """Neither the client nor its attributes have a representation with a key, a password or a gateway's header."""
    key, word, gate = (SecretStr(f"canary-{name}") for name in ("key", "word", "gate"))
    connection = Connection("http://redmine.test", key, "ann", word, extra={"X-Gate": gate})
    client = Client(connection)
    shown = f"{client!r} {vars(client)!r} {connection!r}"
    assert not [word for word in ("canary", base64.b64encode(b"ann:canary-word").decode()) if word in shown]
