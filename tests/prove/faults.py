"""Everything that goes wrong with a request, by name: the columns of the proof, whose rows are the requests."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx
from proxy import Exchange, Fault

GATEWAY = b"<html><head><title>Bad Gateway</title></head><body><center><h1>nginx</h1></center></body></html>"
LOGIN = (
    b'<!DOCTYPE html><html><head><title>Sign in</title></head><body><form><input type="password"></form></body></html>'
)
HTML = {"Content-Type": "text/html; charset=utf-8"}
JSON = {"Content-Type": "application/json"}
LATER = {**HTML, "Retry-After": "1"}
HANG = 600.0
"""Seconds that a server lets one wait that does not answer."""

KILL, TERM, LATE = "kill", "terminate", "late"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault of one request, or with `lasting` of all from that one on.

    `act` is what happens beside: the process is killed or terminated before the request is forwarded or, for LATE, the
    server executes the request only when the run is over. If it `hangs`, the deadline of the request passes.
    """

    fault: Fault
    act: str = ""
    lasting: bool = False
    hangs: bool = False
    needs: Callable[[Exchange, httpx.Response], bool] = lambda exchange, response: True
    asked: Callable[[Exchange], None] | None = None
    """Changes the request before it is forwarded."""


def _status(status: int, *, executed: bool, later: bool = False) -> Trouble:
    headers = LATER if later else HTML
    return Trouble(Fault(forward=executed, status=status, headers=headers, body=b"" if status == 429 else GATEWAY))


def _hang(*, executed: bool, act: str = "") -> Trouble:
    return Trouble(Fault(forward=executed, delay=HANG, close=True), act, hangs=True)


NETWORK: dict[str, Trouble] = {
    "lost-reset": Trouble(Fault(reset=True)),
    "lost-closed": Trouble(Fault(close=True)),
    "cut-half": Trouble(Fault(truncate=True)),
    "cut-head": Trouble(Fault(head_only=True)),
    "hang-after": _hang(executed=True),
    "html-after": Trouble(Fault(status=200, headers=HTML, body=LOGIN)),
    "500-before": _status(500, executed=False),
    "502-before": _status(502, executed=False),
    "502-retry-after": _status(502, executed=False, later=True),
    "503-before": _status(503, executed=False),
    "503-retry-after": _status(503, executed=False, later=True),
    "504-before": _status(504, executed=False),
    "504-retry-after": _status(504, executed=False, later=True),
    "429": _status(429, executed=False),
    "429-retry-after": _status(429, executed=False, later=True),
}
"""What can happen to any request."""

WRITES: dict[str, Trouble] = {
    **NETWORK,
    "reset-before": Trouble(Fault(forward=False, reset=True)),
    "closed-before": Trouble(Fault(forward=False, close=True)),
    "500-after": _status(500, executed=True),
    "502-after": _status(502, executed=True),
    "504-after": _status(504, executed=True),
    "html-before": Trouble(Fault(forward=False, status=200, headers=HTML, body=LOGIN)),
    "hang-before": _hang(executed=False),
    "hang-late": _hang(executed=False, act=LATE),
    "kill-before": Trouble(Fault(forward=False, reset=True), KILL),
    "kill-after": Trouble(Fault(reset=True), KILL),
    "sigterm": Trouble(Fault(), TERM),
}
"""What can happen to a write; for a read it is all the same whether the server executed it."""


# -- lies about lists ------------------------------------------------------------------------------------------


def _data(response: httpx.Response) -> dict[str, Any]:
    try:
        data = json.loads(_body(response))
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _body(response: httpx.Response) -> bytes:
    return b"".join(response.stream) if isinstance(response.stream, httpx.ByteStream) else b""


def _saying(data: Mapping[str, Any]) -> httpx.Response:
    return httpx.Response(200, headers=JSON, stream=httpx.ByteStream(json.dumps(data).encode()))


def is_list(exchange: Exchange, response: httpx.Response) -> bool:
    """Whether an answer is a list."""
    return any(isinstance(value, list) for value in _data(response).values())


def is_page(exchange: Exchange, response: httpx.Response) -> bool:
    """Whether an answer is a page of a list."""
    return "total_count" in _data(response)


def is_further(exchange: Exchange, response: httpx.Response) -> bool:
    """Whether an answer is a page after the first."""
    return is_page(exchange, response) and bool(re.search(r"\boffset=[1-9]", exchange.path))


def _total(change: Callable[[int], int]) -> Callable[[httpx.Response], httpx.Response]:
    def lie(response: httpx.Response) -> httpx.Response:
        data = _data(response)
        return _saying({**data, "total_count": change(data["total_count"])}) if "total_count" in data else response

    return lie


def _empty(response: httpx.Response) -> httpx.Response:
    """No list has a row any more, nor the account any rights."""
    data = _data(response)
    if "login" in data.get("user", {}):
        return _saying({"user": {**data["user"], "admin": False}})
    emptied = {name: [] if isinstance(value, list) else value for name, value in data.items()}
    return _saying(emptied | ({"total_count": 0} if "total_count" in data else {})) if emptied != data else response


def _shifted(response: httpx.Response) -> httpx.Response:
    """A page as it is after a row before it was deleted: its first row is on the page before."""
    data = _data(response)
    rows = {name: value[1:] if isinstance(value, list) else value for name, value in data.items()}
    return _saying({**rows, "total_count": data["total_count"] - 1})


def _first_page(exchange: Exchange) -> None:
    exchange.path = re.sub(r"\boffset=\d+", "offset=0", exchange.path)


NOBODY = "0" * 40


def _as_nobody(exchange: Exchange) -> None:
    """The key is withdrawn: Redmine answers as to anybody."""
    for name in exchange.headers:
        if name.lower() == "x-redmine-api-key":
            exchange.headers[name] = NOBODY


def _as_member(exchange: Exchange) -> None:
    """The account is a plain user, who manages some of the projects."""
    exchange.headers["x-redmine-switch-user"] = "cleo"


def _refused(status: int) -> Trouble:
    return Trouble(Fault(forward=False, status=status, headers=JSON))


READS: dict[str, Trouble] = {
    **NETWORK,
    "403": _refused(403),
    "404": _refused(404),
    "403-lasting": replace(_refused(403), lasting=True),
    "404-lasting": replace(_refused(404), lasting=True),
    "500-lasting": replace(NETWORK["500-before"], lasting=True),
    "reset-lasting": replace(NETWORK["lost-reset"], lasting=True),
    "html-lasting": replace(NETWORK["html-after"], lasting=True),
    "total-too-big": Trouble(Fault(change=_total(lambda n: n + 1)), needs=is_page),
    "total-much-too-big": Trouble(Fault(change=_total(lambda n: n + 250)), lasting=True, needs=is_page),
    "total-too-small": Trouble(Fault(change=_total(lambda n: max(0, n - 1))), needs=is_page),
    "total-zero": Trouble(Fault(change=_total(lambda n: 0)), needs=is_page),
    "page-repeated": Trouble(Fault(), asked=_first_page, needs=is_further),
    "list-moves": Trouble(Fault(change=_shifted), needs=is_further),
    "key-withdrawn": Trouble(Fault(), asked=_as_nobody, lasting=True),
    "rights-lost": Trouble(Fault(), asked=_as_member, lasting=True),
    "empty-lasting": Trouble(Fault(change=_empty), lasting=True, needs=is_list),
}
"""What can happen to a read of a plan."""
