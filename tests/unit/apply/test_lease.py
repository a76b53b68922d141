"""The lease with which one run at a time writes: taken, waited for, renewed, lost and given back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from canned import Canned
from engine import PLACE, offline
from pydantic import SecretStr

from reconciler.apply import lease as leases
from reconciler.apply.executor import Applier
from reconciler.apply.lease import Holder, end, held, take
from reconciler.apply.lease_page import Entry, LeasePage, entry_of, text_of
from reconciler.apply.run import carry_out
from reconciler.errors import LeaseHeld, LeaseLost, ManifestError, ServerError
from reconciler.plan.planner import make
from reconciler.redmine.client import Client, Connection
from reconciler.settings import Lease
from reconciler.state.live import read

OPS = Lease(project="ops")
NOW = datetime(2026, 11, 29, 12, 0, 0, tzinfo=UTC)
PATH = "/projects/ops/wiki/Reconciler_lease.json"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for longer than needed."""
    monkeypatch.setattr(leases, "SETTLING", 0.0)
    monkeypatch.setattr(leases, "POLL", 0.01)


@pytest.fixture
def server(canned: Canned) -> Canned:
    """A Redmine with the project `ops`, whose clock stands still, years away from that of this machine."""
    canned.add("projects", identifier="ops", enabled_modules=["wiki"])
    canned.date = format_datetime(NOW + timedelta(days=3650), usegmt=True)
    return canned


def later(server: Canned, seconds: float) -> None:
    """Moves the server's clock."""
    server.date = format_datetime(NOW + timedelta(days=3650, seconds=seconds), usegmt=True)


def run(server: Canned, action: Callable[[Client], Awaitable[Any]], **settings: Any) -> Any:
    """The result of an action with a client."""

    async def main() -> Any:
        connection = Connection(server.url, api_key=SecretStr(server.api_key), **settings)
        async with Client(connection, transport=server.transport) as client:
            return await action(client)

    return asyncio.run(main())


def page_of(server: Canned) -> dict[str, Any]:
    """The page of the lease, as it is."""
    return server.row("wiki_pages", "Reconciler_lease")


def entry(server: Canned) -> Entry:
    """What the page says."""
    found = entry_of(page_of(server)["text"])
    assert found is not None
    return found


def page(client: Client, lease: Lease = OPS) -> LeasePage:
    return LeasePage(client, lease, PLACE)


def test_a_lease_is_held_meanwhile_and_free_afterwards(server: Canned) -> None:
    """The page is created when it is missing, says who holds the lease while it is held, and stays when it is free."""

    async def action(client: Client) -> Entry:
        async with held(client, OPS, PLACE, "reconciler apply"):
            return entry(server)

    during = run(server, action)
    assert during.holder and during.command == "reconciler apply" and "@" in during.who
    assert (during.since, during.expires) == ("2036-11-26 12:00:00 UTC", "2036-11-26 12:02:00 UTC")
    assert entry(server).holder == "" and entry(server).note.startswith("released at 2036-11-26")


def test_without_the_setting_nothing_is_asked_for(server: Canned) -> None:
    """A run without a lease sends no request for one."""

    async def action(client: Client) -> None:
        async with held(client, None, PLACE, "reconciler apply"):
            pass

    run(server, action)
    assert server.seen == []


def test_a_lease_is_given_back_after_an_error(server: Canned) -> None:
    """Whatever ends the run, the lease is free then."""

    async def action(client: Client) -> None:
        async with held(client, OPS, PLACE, "reconciler apply"):
            raise ValueError

    with pytest.raises(ValueError):
        run(server, action)
    assert entry(server).holder == ""


def test_a_lease_is_given_back_after_a_cancellation_even_if_that_is_repeated(server: Canned) -> None:
    """A run that is canceled, and again while it gives its lease back, gives it back."""

    async def action(client: Client) -> None:
        async def hold() -> None:
            async with held(client, OPS, PLACE, "reconciler apply"):
                await asyncio.sleep(60)

        task = asyncio.create_task(hold())
        await asyncio.sleep(0.05)
        assert entry(server).holder
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(server, action)
    assert entry(server).holder == ""


def test_a_lease_that_another_run_holds_is_refused(server: Canned) -> None:
    """Without a time to wait, the second run ends, and says who holds the lease, since when, until when, and what to do."""

    async def action(client: Client) -> None:
        await take(page(client), "reconciler apply", 0)
        with pytest.raises(LeaseHeld) as refused:
            await take(page(client), "reconciler apply", 0)
        said = str(refused.value)
        assert f"{entry(server).who} (reconciler apply, process {entry(server).process})" in said
        assert "since 2036-11-26 12:00:00 UTC, until 2036-11-26 12:02:00 UTC" in said
        assert "--lease-timeout" in said and "reconciler lease break" in said

    run(server, action)


def test_a_second_run_waits_and_says_for_whom(server: Canned) -> None:
    """With a time to wait, the second run gets the lease when the first gives it back, and says once whom it waits for."""
    said: list[str] = []

    async def action(client: Client) -> None:
        first = await take(page(client), "reconciler apply", 0)
        second = asyncio.create_task(take(page(client), "reconciler apply", 5, said.append))
        await asyncio.sleep(0.05)
        assert not second.done()
        await first.release()
        assert entry(server).holder in ("", (await second).entry.holder)
        assert entry(server).holder == (await second).entry.holder

    run(server, action)
    assert len(said) == 1 and said[0].startswith("Waiting for the lease: ")


def test_of_several_that_try_at_once_one_gets_it(server: Canned) -> None:
    """Ten runs that start at the same time, before there is a page, give one holder; nine are refused."""

    async def action(client: Client) -> list[Any]:
        runs = (take(page(client), "reconciler apply", 0) for _ in range(10))
        return await asyncio.gather(*runs, return_exceptions=True)

    results = run(server, action)
    holders = [r for r in results if isinstance(r, Holder)]
    assert [h.entry.holder for h in holders] == [entry(server).holder]
    assert len([r for r in results if isinstance(r, LeaseHeld)]) == 9
    assert len(server.rows("wiki_pages")) == 1


def test_the_page_that_a_run_creates_by_a_swap_gives_it_no_lease(server: Canned) -> None:
    """A page that is deleted between its reading and the swap is created by that swap, which two runs can do: it takes
    another swap to hold the lease."""

    async def action(client: Client) -> None:
        lease_page = page(client)
        await lease_page.create()
        found = await lease_page.read()
        assert found is not None
        server.rows("wiki_pages").clear()
        assert await lease_page.swap(found, Entry("me")) is None
        assert entry(server).holder == "me"

    run(server, action)


def test_an_expired_lease_is_taken_over_by_the_clock_of_the_server(server: Canned) -> None:
    """What counts is the time that the server tells, not that of the machines, which can be years away."""

    async def action(client: Client) -> None:
        await take(page(client), "reconciler apply", 0)
        later(server, 120)
        with pytest.raises(LeaseHeld):
            await take(page(client), "reconciler apply", 0)
        later(server, 123)
        assert (await take(page(client), "reconciler apply", 0)).entry.holder == entry(server).holder

    run(server, action)


def test_without_the_clock_of_the_server_an_expired_lease_is_respected_a_while_longer(server: Canned) -> None:
    """Where no header tells the time, two machines may disagree by half a minute."""
    server.date = ""
    for ago, taken in ((20, False), (40, True)):
        expires = (datetime.now(UTC) - timedelta(seconds=ago)).strftime("%Y-%m-%d %H:%M:%S UTC")
        server.rows("wiki_pages").clear()
        server.add("wiki_pages", inside="ops", title="Reconciler_lease", text=text_of(Entry("other", expires=expires)))

        async def action(client: Client) -> Any:
            return await take(page(client), "reconciler apply", 0)

        if taken:
            assert run(server, action).entry.holder == entry(server).holder
        else:
            with pytest.raises(LeaseHeld):
                run(server, action)


@pytest.mark.parametrize("until", ["soon", "2020-01-01 12:00:00", "9999-12-31 23:59:59 UTC"])
def test_a_lease_without_a_readable_time_never_expires(server: Canned, until: str) -> None:
    """Of a page that somebody edited, nobody can tell whether the lease has expired: it is ended by hand."""
    server.add("wiki_pages", inside="ops", title="Reconciler_lease", text=f"state: held\nexpires: {until}")

    async def action(client: Client) -> None:
        await take(page(client), "reconciler apply", 0)

    with pytest.raises(LeaseHeld, match=f"until {until}"):
        run(server, action)


def test_a_lease_is_renewed_while_the_run_lasts(server: Canned) -> None:
    """At a third of its time each, a new version of the page says that it lasts longer."""
    short = OPS.model_copy(update={"ttl": 0.3})

    async def action(client: Client) -> None:
        async with held(client, short, PLACE, "reconciler apply"):
            before = entry(server)
            await asyncio.sleep(0.35)
            assert entry(server).renewed > before.renewed
            assert (entry(server).holder, entry(server).since) == (before.holder, before.since)
            await client.guard()

    run(server, action)


def test_a_lease_that_was_ended_stops_the_next_write(server: Canned) -> None:
    """Once somebody has ended the lease, the next renewal notices, and the client writes nothing more."""

    async def action(client: Client) -> None:
        async with held(client, OPS.model_copy(update={"ttl": 0.3}), PLACE, "reconciler apply"):
            other = page(client.like(client.connection))
            found = await other.read()
            assert found is not None
            assert await end(other, found) is None
            await asyncio.sleep(0.2)
            with pytest.raises(LeaseLost, match=r"^The run lost its lease: it was ended by .*@.* at 2036"):
                await client.write("POST", "/projects", {"project": {"identifier": "x"}})

    run(server, action)
    assert ("POST", "/projects.json") not in server.seen
    assert entry(server).note.startswith("ended by ")


def test_a_lease_that_another_run_took_over_stops_the_next_write(server: Canned) -> None:
    """A run that slept longer than its lease lasts finds that another one has it, and leaves that one's alone."""

    async def action(client: Client) -> None:
        first = await take(page(client), "reconciler apply", 0)
        later(server, 500)
        second = await take(page(client), "reconciler apply", 0)
        first._until = 0
        with pytest.raises(LeaseLost, match=r"it is held by .* now"):
            await first.check()
        await first.release()
        assert entry(server).holder == second.entry.holder

    run(server, action)


def test_a_lease_that_expired_and_that_nobody_took_is_renewed(server: Canned) -> None:
    """A run that slept goes on if its page is as it left it: nobody has written meanwhile."""

    async def action(client: Client) -> None:
        holder = await take(page(client), "reconciler apply", 0)
        later(server, 500)
        await holder.page.read()
        holder._until = 0
        await holder.check()
        assert entry(server).expires == "2036-11-26 12:10:20 UTC"

    run(server, action)


def test_a_lease_that_cannot_be_renewed_is_lost_when_its_time_is_over(server: Canned) -> None:
    """While the server fails, the run goes on until its lease may have expired, and no longer."""

    async def action(client: Client) -> None:
        holder = await take(page(client), "reconciler apply", 0)

        def fail(method: str, path: str) -> None:
            raise httpx.ConnectError("refused")

        server.before = fail
        with pytest.raises(ServerError):
            await holder.renew()
        await holder.check()
        holder._until = 0
        with pytest.raises(LeaseLost, match="it could not be renewed in time"):
            await holder.check()

    run(server, action, retries=0)


@pytest.mark.parametrize("executed", [True, False])
def test_a_lost_answer_to_the_swap_is_settled_by_reading(server: Canned, executed: bool) -> None:
    """Whether a swap was executed before its answer was lost or not: in the end the run holds the lease."""
    answer, lost = server.answer, [True]

    def lose(method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        if method == "PUT" and target == PATH and lost:
            lost.pop()
            if executed:
                answer(method, target, body)
            raise httpx.ReadError("reset")
        return answer(method, target, body)

    server.answer = lose  # type: ignore[method-assign]
    holder = run(server, lambda client: take(page(client), "reconciler apply", 0))
    assert entry(server).holder == holder.entry.holder


def test_a_person_who_edits_the_page_takes_no_lease_away(server: Canned) -> None:
    """A page that was edited, and still names the run, is renewed from its new version."""

    async def action(client: Client) -> None:
        holder = await take(page(client), "reconciler apply", 0)
        row = page_of(server)
        row |= {"text": row["text"] + "\nhello", "version": row["version"] + 1}
        await holder.renew()
        assert not holder.lost
        assert "hello" not in page_of(server)["text"]

    run(server, action)


MISPLACED = {
    "no project": (lambda server: server.rows("projects").clear(), 'project "ops" does not exist'),
    "a closed project": (lambda server: server.row("projects", "ops").update(status=5), 'project "ops" is closed'),
    "an archived project": (lambda server: server.row("projects", "ops").update(status=9), 'project "ops" is archived'),
    "no wiki": (
        lambda server: server.row("projects", "ops").update(enabled_modules=[]),
        'the module wiki is not enabled in project "ops"',
    ),
    "another page": (
        lambda server: server.add("wiki_pages", inside="ops", title="Reconciler_lease", text="h1. Our lease"),
        "the page Reconciler_lease has another text than that of a lease",
    ),
}


@pytest.mark.parametrize("case", MISPLACED)
def test_a_page_that_cannot_be_used_is_a_problem(server: Canned, case: str) -> None:
    """What is wrong with the project or the page is said in a sentence, at the configuration, and nothing is written."""
    change, said = MISPLACED[case]
    change(server)
    with pytest.raises(ManifestError) as refused:
        run(server, lambda client: take(page(client), "reconciler apply", 0))
    (problem,) = refused.value.problems
    assert problem.message.startswith(f"lease: {said}") and problem.location == PLACE and problem.hint
    assert not [r for r in server.rows("wiki_pages") if "state: held" in r["text"]]


def test_a_lost_lease_stops_the_run_and_the_report_says_what_is_left(server: Canned) -> None:
    """What was written stays done, what was not begun is left, because of the lease; nobody interrupted the run."""
    text = "projects: [{identifier: shop, issues: [{subject: a}, {subject: b}, {subject: c}]}]"

    async def action(client: Client) -> Any:
        wanted = offline(text)
        state = await read(client, wanted)
        async with held(client, OPS, PLACE, "reconciler apply"):
            holder: Holder = client.guard.__self__  # type: ignore[attr-defined]

            def lose(method: str, path: str) -> None:
                if (method, path) == ("POST", "/projects/shop/issues.json"):
                    holder.lost = "it was ended by amy@desk at 12:00"

            server.before = lose
            return await carry_out(Applier(client, state.names, make(wanted, state, server.url)))

    report = run(server, action, concurrency=1)
    assert [r.outcome for r in report.results] == ["done", "left", "left"]
    assert report.ended == "The run lost its lease: it was ended by amy@desk at 12:00."
    assert not report.interrupted
    assert [row["subject"] for row in server.rows("issues")] == ["a"]
