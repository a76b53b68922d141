"""Access that a run gives is taken back: whoever was unlocked is locked again, whatever happens, or the report says so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import httpx
import pytest
from answers import Canned
from calls import call
from engine import offline
from plans import PERSON, SHOP, inside, live_of, user

from reconciler.apply.executor import Applier
from reconciler.apply.report import Report
from reconciler.apply.run import carry_out
from reconciler.plan.planner import make
from reconciler.redmine.client import Client

CID = user(5, "cid", status=3, listed=3)
WORK = inside("issues: [{subject: s, assigned_to: cid}]")
LOCKED = f"{WORK}\nusers: [{{login: cid, status: locked}}]"
NEW = f"{WORK}\nusers: [{{login: cid, {PERSON}, status: locked}}]"
UNLOCK, LOCK = ("PUT", "/users/5", 1), ("PUT", "/users/5", 3)
POST = ("POST", "/projects/shop/issues", None)
OPEN = 'status "locked" could not be written, so access is still open: apply again, or set it in Redmine'

Hook = Callable[[Applier, str, str, int | None], httpx.Response | None]


class Server(Canned):
    """Redmine with a user; `hook` may answer a write, or interrupt the run."""

    def __init__(self, hook: Hook, *, new: bool) -> None:
        super().__init__({})
        self.rows["users"] = {} if new else {5: {"id": 5, "login": "cid", "status": 3}}
        self.hook = hook
        self.applier: Applier | None = None
        self.sent: list[tuple[str, str, int | None]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return super().__call__(request)
        path = request.url.path.removeprefix("/sub").removesuffix(".json")
        status = json.loads(request.content).get("user", {}).get("status")
        # Not what is written again because this server shows nothing of it.
        if not path.startswith("/issues/"):
            self.sent.append((request.method, path, status))
        assert self.applier is not None
        answer = self.hook(self.applier, request.method, path, status)
        if answer is None and request.method == "PUT" and path.startswith("/users/"):
            self.rows["users"][int(path.rpartition("/")[2])]["status"] = status
        return super().__call__(request) if answer is None else answer


def run(text: str, hook: Hook, *, new: bool = False) -> tuple[Report, Server]:
    """Applies a manifest; the report, and what was sent."""
    wanted, server = offline(text), Server(hook, new=new)
    live = live_of(wanted, (SHOP,) if new else (SHOP, CID))

    async def apply(client: Client) -> Report:
        server.applier = Applier(client, live.names, make(wanted, live, "http://redmine.test/sub"))
        return await carry_out(server.applier)

    report: Report = call(server, apply)
    return report, server


def told(report: Report) -> dict[str, tuple[str, list[str]]]:
    """How each change ended, with its errors or the reason."""
    return {
        str(r.change.address): (r.outcome, [e.message for e in r.errors] or ([r.because] if r.because else []))
        for r in report.results
    }


def refusing(path: str, wanted: int | None = None, *, times: int = 99) -> Hook:
    """A server that refuses some writes."""
    left = [httpx.Response(422, json={"errors": ["No"]})] * times

    def hook(applier: Applier, method: str, at: str, status: int | None) -> httpx.Response | None:
        return left.pop() if left and at == path and status == wanted else None

    return hook


def test_a_user_is_locked_again_although_the_work_fails() -> None:
    """The issue is refused; the account that was unlocked for it is locked all the same."""
    report, server = run(LOCKED, refusing("/projects/shop/issues"))
    assert server.sent == [UNLOCK, POST, LOCK]
    assert told(report) == {"user cid": ("done", []), "issue shop/s": ("failed", ["No"])}


def test_a_user_who_cannot_be_unlocked_is_not_named() -> None:
    """The issue is skipped, and the lock is sent in any case: the write that unlocks may have been executed."""
    report, server = run(LOCKED, refusing("/users/5", 1))
    assert server.sent == [UNLOCK, LOCK]
    assert told(report)["issue shop/s"] == ("skipped", ["user cid failed"])


def test_a_new_user_is_locked_although_the_work_fails() -> None:
    """A new account that is declared locked is not left active because an issue is refused."""
    report, server = run(NEW, refusing("/projects/shop/issues"), new=True)
    assert [s for s in server.sent if s[1].startswith("/users")] == [
        ("POST", "/users", None),
        ("PUT", "/users/100", 3),
    ]
    assert told(report)["user cid"] == ("done", [])


def test_an_account_that_is_not_created_is_not_locked() -> None:
    """There is nothing to lock."""
    report, server = run(NEW, refusing("/users"), new=True)
    assert server.sent == [("POST", "/users", None)]
    assert told(report) == {"user cid": ("failed", ["No"]), "issue shop/s": ("skipped", ["user cid failed"])}


def test_a_lock_that_fails_is_sent_once_more_at_the_end() -> None:
    """The change stays failed, and a note says that it was written in the end."""
    report, server = run(LOCKED, refusing("/users/5", 3, times=1))
    assert server.sent == [UNLOCK, POST, LOCK, LOCK]
    assert told(report)["user cid"] == ("failed", ["No"])
    assert report.results[0].notes == ("status was written at the end of the run",)
    assert server.rows["users"][5]["status"] == 3


def test_a_lock_that_is_refused_leaves_the_account_open_and_the_report_says_so() -> None:
    """It says what to do."""
    report, _ = run(LOCKED, refusing("/users/5", 3))
    assert told(report)["user cid"] == ("failed", ["No", OPEN])


@pytest.mark.parametrize("text", [LOCKED, NEW], ids=["unlocked", "created"])
def test_an_interrupted_run_locks_first(text: str) -> None:
    """After the first interruption nothing is started any more but the lock."""

    def hook(applier: Applier, method: str, path: str, status: int | None) -> None:
        applier.stop()

    report, server = run(text, hook, new=text == NEW)
    assert [method for method, *_ in server.sent] == (["PUT", "PUT"] if text == LOCKED else ["POST", "PUT"])
    assert server.sent[-1][2] == 3
    assert told(report)["user cid"] == ("done", [])
    assert told(report)["issue shop/s"] == ("left", [])
    assert report.interrupted


def test_a_run_that_is_stopped_at_once_locks_too() -> None:
    """The second interruption cancels what is running; the lock is sent before the report is made."""

    def hook(applier: Applier, method: str, path: str, status: int | None) -> None:
        if method == "POST":
            task = asyncio.current_task()
            main = next(t for t in asyncio.all_tasks() if t is not task and "carry" not in str(t.get_coro()))
            main.cancel()

    report, server = run(LOCKED, hook)
    assert server.sent[-1] == LOCK
    assert told(report)["user cid"] == ("done", [])
    assert report.interrupted


def test_a_run_that_is_cancelled_while_it_locks_says_so() -> None:
    """A third interruption ends the run, and the report says that the account is open."""

    def hook(applier: Applier, method: str, path: str, status: int | None) -> None:
        if method == "PUT" and status == 1:
            applier.stop()
        elif method == "PUT":
            raise asyncio.CancelledError

    report, server = run(LOCKED, hook)
    outcome, errors = told(report)["user cid"]
    assert outcome == "failed"
    assert OPEN in errors
    assert server.sent == [UNLOCK, LOCK, LOCK]
