"""Secrets in text: they are found however the text encodes them, and words of a text that are none stay."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from reconciler.masking import MASK, Secrets, without_user_info
from reconciler.render import safe

SECRET = "Canary 4/+\"<&>'\\@#ü€%=|_*𝄞"


def secrets(*values: str) -> Secrets:
    """The secrets with these values."""
    made = Secrets()
    made.add(*values)
    return made


@pytest.mark.parametrize(
    "encode",
    [
        str,
        lambda text: quote(text, safe=""),
        lambda text: quote(text, safe="").lower().replace("canary", "Canary"),
        quote_plus,
        lambda text: safe.workflow(quote(text)),
        lambda text: json.dumps(text)[1:-1],
        lambda text: json.dumps(text, ensure_ascii=False)[1:-1].replace("/", "\\/"),
        html.escape,
        lambda text: html.escape(text).replace("&#x27;", "&#39;"),
        lambda text: html.escape(html.escape(text)),
        lambda text: "".join(c if c.isascii() and c.isalnum() else f"&#{ord(c)};" for c in text),
        safe.markdown,
        safe.html,
        safe.terminal,
        lambda text: base64.b64encode(text.encode()).decode().rstrip("="),
    ],
)
def test_a_secret_is_masked_in_every_encoding(encode: Callable[[str], str]) -> None:
    """Percent-encoding, the escapes of JSON, HTML, Markdown and workflow commands, and Base64."""
    assert secrets(SECRET).masked(f"before {encode(SECRET)} after") == f"before {MASK} after"


def test_the_header_of_basic_authentication_is_masked() -> None:
    """Also that of a short password, and the password of a header that is configured as such."""
    made = Secrets()
    made.add_login("gate", "abc")
    made.add_header("Basic " + base64.b64encode(b"other:canary-pass").decode())
    made.add_header("Bearer canary-token")
    sent = base64.b64encode(b"gate:abc").decode().rstrip("=")
    assert (
        made.masked(f"got {sent} and gate:abc, canary-pass, canary-token") == f"got {MASK} and {MASK}, {MASK}, {MASK}"
    )


@pytest.mark.parametrize(
    ("url", "text", "shown"),
    [
        ("http://amy:canary%40pw@h/", "canary@pw canary%40pw", f"{MASK} {MASK}"),
        ("http://canary-token@h", "canary-token", MASK),
        ("canary-user:canary-pw@h", "canary-user, canary-pw", f"canary-user, {MASK}"),
        ("http://h/a@b", "a@b", "a@b"),
        ("http://[", "h", "h"),
    ],
)
def test_the_user_of_a_url(url: str, text: str, shown: str) -> None:
    """The password of a URL is a secret, and a user without one; the rest is not."""
    made = Secrets()
    made.add_url(url)
    assert made.masked(text) == shown


def test_the_user_of_any_url() -> None:
    """In a text that may have a URL that is no setting, what stands before the host is masked, however short."""
    text = 'bad "http://a:b@h/x" or https://tok@h, not https://h/@x nor a:b@c'
    assert without_user_info(text) == f'bad "http://{MASK}@h/x" or https://{MASK}@h, not https://h/@x nor a:b@c'


@pytest.mark.parametrize(
    ("secret", "text", "ours", "servers"),
    [
        ("abc", "abc abcd", "abc abcd", "abc abcd"),
        ("admin", "admin, an administrator", "admin, an administrator", f"{MASK}, an administrator"),
        ("12345678", "id 12345678", "id 12345678", f"id {MASK}"),
        ("pass12", "pass12 pass123 x%3Dpass12", f"{MASK} pass123 x%3D{MASK}", f"{MASK} pass123 x%3D{MASK}"),
        ("password1", "apassword12", f"a{MASK}2", f"a{MASK}2"),
        ("correcthorsebattery", "xcorrecthorsebatteryx", f"x{MASK}x", f"x{MASK}x"),
        ("", "text", "text", "text"),
    ],
)
def test_a_weak_secret_leaves_the_text_readable(secret: str, text: str, ours: str, servers: str) -> None:
    """What may be anybody's word is masked only where a server says it, and as a whole word; three characters never."""
    made = secrets(secret)
    assert (made.masked(text), made.masked(text, common=True)) == (ours, servers)


def test_secrets_that_overlap_are_one() -> None:
    """A secret that contains another one, or begins inside it, leaves nothing of either."""
    assert secrets("canary-one", "one-two-three", "canary-one-two").masked("<canary-one-two-three>") == f"<{MASK}>"


def test_data_and_bytes() -> None:
    """JSON stays JSON, numbers as they are; a body that is no UTF-8 keeps its other bytes."""
    made = secrets("canary-1")
    assert made.masked_data({"canary-1": ["x canary-1", 7, None]}) == {MASK: [f"x {MASK}", 7, None]}
    assert made.masked_bytes(b"\xff canary-1 \xfe") == b"\xff " + MASK.encode() + b" \xfe"


class Counted:
    """A pattern that counts how often it is searched for."""

    def __init__(self, pattern: re.Pattern[str], searched: list[str]) -> None:
        self.pattern, self.searched = pattern, searched

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        self.searched.append(self.pattern.pattern)
        return self.pattern.finditer(text)


def test_a_long_text_is_searched_only_for_secrets_that_may_be_in_it() -> None:
    """Of a thousand passwords, a report of 200 kB is searched for the one that it has, not for each."""
    made, searched = secrets(*(f"canary-{number:06}!" for number in range(1000))), list[str]()
    counted: Any = {form: replace(one, pattern=Counted(one.pattern, searched)) for form, one in made._hidden.items()}
    made._hidden = counted
    assert "canary" not in made.masked("x = 1, y: canary-000999! \n" * 8_000)
    assert len(searched) == 1
