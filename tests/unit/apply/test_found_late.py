"""A creation whose response never came, and which is found when everything else is done: it is completed and compared,
never just called done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import httpx
import pytest
from canned import Canned, reached
from catalog import MemorySession
from engine import Manifests, offline, plan_of
from plans import PERSON
from pydantic import SecretStr

from reconciler.apply import found_late, writer
from reconciler.apply.executor import Applier
from reconciler.apply.report import Outcome, Report
from reconciler.apply.run import carry_out
from reconciler.model.address import Address
from reconciler.plan.planner import make
from reconciler.redmine.client import Client, Connection
from reconciler.state.live import read


class Late(Canned):
    """Executes the creation of one object only after nobody waits for the response any more (`arrive`)."""

    def __init__(self, late: str) -> None:
        super().__init__()
        self.late = late
        self.held: tuple[str, str, bytes] | None = None
        self.writes: list[tuple[str, str, dict[str, object]]] = []
        self.arrived = False

    def answer(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        values = next(iter(json.loads(body).values()), {}) if method != "GET" and body else {}
        if method != "GET":
            self.writes.append((method, target.removesuffix(".json"), values))
        if method == "POST" and self.late in values.values() and not self.arrived:
            self.held = method, target, body
            raise httpx.ReadTimeout("late")
        return super().answer(method, target, body)

    def arrive(self) -> None:
        """What was held back is executed."""
        assert self.held is not None
        self.arrived = True
        super().answer(*self.held)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody waits for the late object."""
    monkeypatch.setattr(writer, "PAUSES", (0.0,))
    yield


def applied(
    server: Late | LateNote, manifests: Manifests, *, stop: bool = False, program: MemorySession | None = None
) -> Report:
    """Applies manifests; the late object appears as soon as its outcome is unknown."""

    async def run() -> Report:
        connection = Connection(server.url, api_key=SecretStr(server.api_key), retries=0)
        async with Client(connection) as client:
            client.catalog = program
            wanted = offline(manifests)
            live = await read(client, wanted)
            applier = Applier(client, live.names, make(wanted, live, server.url))

            def listen(address: Address, outcome: Outcome) -> None:
                if outcome == "unknown":
                    server.arrive()
                    if stop:
                        applier.stop()

            applier.listener = listen
            return await carry_out(applier)

    with reached(server):
        return asyncio.run(run())


def told(report: Report) -> dict[str, tuple[str, list[str]]]:
    """How each change ended, with its errors or the reason."""
    return {
        str(r.change.address): (r.outcome, [str(e) for e in r.errors] or ([r.because] if r.because else []))
        for r in report.results
    }


def notes(report: Report, address: str) -> tuple[str, ...]:
    """The notes of one result."""
    return next(r.notes for r in report.results if str(r.change.address) == address)


SHOP = "projects: [{identifier: shop, name: Shop, enabled_modules: [issue_tracking, time_tracking, news], trackers: [Bug]}]"
GIVEN = f"""
{SHOP}
users: [{{login: amy, {PERSON}}}]
issues: [{{project: shop, subject: top, status: Closed}}, {{project: shop, subject: other}}]
versions: [{{project: shop, name: "1.0"}}]
memberships: [{{project: shop, user: amy, roles: [Developer]}}]
"""


def late(manifests: str, *, name: str = "late", stop: bool = False, server: Late | None = None) -> tuple[Report, Late]:
    """What becomes of manifests, of which one object is found late; `GIVEN` is live."""
    server = server or Late(name)
    assert {outcome for outcome, _ in told(applied(server, GIVEN)).values()} == {"done"}
    server.writes.clear()
    return applied(server, manifests, stop=stop), server


COMPLETED = {
    "notes": ("issue shop/late", "issues: [{project: shop, subject: late, notes: [first, second]}]"),
    "relations": (
        "issue shop/late",
        "issues: [{project: shop, subject: other}, {project: shop, subject: late, relations: [{relates: other}]}]",
    ),
    "watchers": ("issue shop/late", "issues: [{project: shop, subject: late, watchers: [amy]}]"),
    "parent": (
        "issue shop/late",
        "issues: [{project: shop, subject: top}, {project: shop, subject: late, status: Closed, parent: top}]",
    ),
    "time entry": (
        "time_entry shop/2026-11-02 amy Design: late",
        "time_entries: [{project: shop, user: amy, spent_on: 2026-11-02, activity: Design, hours: 2, comments: late}]",
    ),
    "news": ("news shop/late", "news: [{project: shop, title: late, description: text}]"),
    "version": ("version shop/late", "versions: [{project: shop, name: late, status: locked}]"),
    "category": ("issue_category shop/late", "issue_categories: [{project: shop, name: late, assigned_to: amy}]"),
    "user": ("user late", f"users: [{{login: late, {PERSON.replace('c@', 'd@')}, status: locked}}]"),
    "group": ("group late", "groups: [{name: late, users: [amy]}]"),
    "project": ("project late", "projects: [{identifier: late, name: Late, status: closed}]"),
}
"""What is created late and then has all that was declared."""


@pytest.mark.parametrize(("address", "text"), COMPLETED.values(), ids=COMPLETED)
def test_what_is_found_late_is_completed(address: str, text: str) -> None:
    """What was not sent any more is sent, the rest is compared, and a second plan has nothing to do."""
    report, server = late(text)
    assert told(report) == {address: ("done", [])}
    assert notes(report, address) == (found_late.NOTE,)
    assert plan_of(server, text).changes == ()


def test_notes_are_added_once_and_in_their_order() -> None:
    """One POST made the issue; each note is sent to it once."""
    _, server = late(COMPLETED["notes"][1])
    assert [w[2]["notes"] for w in server.writes if "notes" in w[2]] == ["first", "second"]
    assert [e["notes"] for e in server.row("issues", "late")["journals"]] == ["first", "second"]
    assert sum(method == "POST" for method, _, _ in server.writes) == 1


class LateNote(Canned):
    """Lets the writer of a note wait in vain: the note is added at once, or only after the run (`arrive`)."""

    def __init__(self, *, at_once: bool) -> None:
        super().__init__()
        self.at_once = at_once
        self.held: tuple[str, str, bytes] | None = None

    def answer(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        if method == "PUT" and b"second" in body and self.held is None:
            self.held = method, target, body
            if self.at_once:
                super().answer(*self.held)
            raise httpx.ReadTimeout("late")
        return super().answer(method, target, body)

    def arrive(self) -> None:
        """The note is added, if it is not there yet."""
        assert self.held is not None
        if not self.at_once:
            super().answer(*self.held)

    @property
    def notes(self) -> list[str]:
        """The texts of all notes."""
        return [entry["notes"] for entry in self.row("issues", "other")["journals"]]


def test_a_note_of_a_new_issue_is_never_there_twice_either() -> None:
    """The issue is there, and its outcome stays unknown, as the server may still be adding the note."""
    server = LateNote(at_once=False)
    assert {outcome for outcome, _ in told(applied(server, GIVEN)).values()} == {"done"}
    text = "issues: [{project: shop, subject: new, notes: [first, second, third]}]"
    outcome, _ = told(applied(server, text))["issue shop/new"]
    assert outcome == "unknown"
    applied(server, text)
    assert [entry["notes"] for entry in server.row("issues", "new")["journals"]] == ["first", "second", "third"]
    assert plan_of(server, text).changes == ()


@pytest.mark.parametrize("at_once", [True, False])
def test_a_note_without_an_answer_is_never_there_twice(at_once: bool) -> None:
    """A note that the server may still be adding is not sent again, nor is one after it: the next apply completes them."""
    server = LateNote(at_once=at_once)
    assert {outcome for outcome, _ in told(applied(server, GIVEN)).values()} == {"done"}
    text = "issues: [{project: shop, subject: other, notes: [first, second, third]}]"
    outcome, _ = told(applied(server, text))["issue shop/other"]
    assert outcome == ("done" if at_once else "unknown")
    assert server.notes == (["first", "second", "third"] if at_once else ["first", "second"])
    applied(server, text)
    assert server.notes == ["first", "second", "third"]
    assert plan_of(server, text).changes == ()


def test_what_differs_is_written_again_or_failed() -> None:
    """A value that did not arrive with the POST is sent once more; one that the server never keeps is a failure."""

    class Dropping(Late):
        kept = True

        def answer(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
            if (method == "PUT" and not self.kept) or (method == "POST" and self.arrived):
                body = body.replace(b'"priority_id"', b'"nothing"')
            return super().answer(method, target, body)

        def arrive(self) -> None:
            assert self.held is not None
            method, target, body = self.held
            self.held = method, target, body.replace(b'"priority_id"', b'"nothing"')
            super().arrive()

    text = "issues: [{project: shop, subject: late, priority: High}]"
    report, server = late(text, server=Dropping("late"))
    assert told(report) == {"issue shop/late": ("done", [])}
    assert [w[2] for w in server.writes if w[0] == "PUT"] == [{"priority_id": 3}]

    never = Dropping("late")
    never.kept = False
    report, _ = late(text, server=never)
    ((outcome, (said,)),) = told(report).values()
    assert outcome == "failed"
    assert said.startswith('priority: the server accepted "High" but has "Normal"')


SKIPPED = {
    "closed after a subtask": (
        "issue shop/late",
        "issues: [{project: shop, subject: late, status: Closed}, {project: shop, subject: other, status: Closed, parent: late}]",
        "status was not set: issue shop/other was skipped",
    ),
    "version of an issue": (
        "version shop/late",
        "versions: [{project: shop, name: late, status: locked}]\n"
        "issues: [{project: shop, subject: other, fixed_version: late}]",
        "status was not set: issue shop/other was skipped",
    ),
    "default version": (
        "project late",
        "projects: [{identifier: late, name: Late, default_version: x, versions: [{name: x}]}]",
        "default_version was not set: version late/x was skipped",
    ),
    "closed project": (
        "project late",
        "projects: [{identifier: late, name: Late, status: closed, versions: [{name: x}]}]",
        "status was not set: version late/x was skipped",
    ),
}
"""What waits for something that needed the late object: address, manifest, and what is said of it."""


@pytest.mark.parametrize(("address", "text", "said"), SKIPPED.values(), ids=SKIPPED)
def test_what_cannot_be_completed_is_failed(address: str, text: str, said: str) -> None:
    """A field that needs what was skipped meanwhile is named: the object is not done. The next run does the rest."""
    report, server = late(text)
    outcomes = told(report)
    assert outcomes.pop(address) == ("failed", [said])
    assert list(outcomes.values()) == [("skipped", [f"the outcome of {address} is unknown"])]
    assert {o for o, _ in told(applied(server, text)).values()} == {"done"}
    assert plan_of(server, text).changes == ()


@pytest.mark.parametrize("stop", [False, True])
def test_a_user_who_is_found_late_is_locked_all_the_same(stop: bool) -> None:
    """What needed the account was skipped; the account does not stay active, not even after an interruption."""
    text = f"users: [{{login: late, {PERSON.replace('c@', 'd@')}, status: locked}}]\n"
    text += "memberships: [{project: shop, user: late, roles: [Developer]}]\n"
    report, server = late(text + "issues: [{project: shop, subject: other, assigned_to: late}]", stop=stop)
    assert told(report)["user late"] == ("done", [])
    left = ("left", []) if stop else ("skipped", ["the outcome of user late is unknown"])
    assert told(report)["issue shop/other"] == left
    assert server.row("users", "late")["status"] == 3


def test_a_category_gets_its_assignee_although_its_issue_was_skipped() -> None:
    """That only comes after the issue."""
    text = "issue_categories: [{project: shop, name: late, assigned_to: amy}]\n"
    report, server = late(text + "issues: [{project: shop, subject: new, category: late}]")
    assert told(report)["issue_category shop/late"] == ("done", [])
    assert server.row("issue_categories", "late")["assigned_to"]["id"] == server.row("users", "amy")["id"]


def test_what_is_not_found_stays_unknown() -> None:
    """Nothing more is sent for it."""

    class Lost(Late):
        def arrive(self) -> None:
            pass

    report, server = late(COMPLETED["notes"][1], server=Lost("late"))
    assert [outcome for outcome, _ in told(report).values()] == ["unknown"]
    assert [method for method, _, _ in server.writes] == ["POST"]


def test_after_an_interruption_nothing_more_is_sent_and_it_is_said() -> None:
    """The issue is found, and its parent was not set."""
    report, _ = late(COMPLETED["parent"][1], stop=True)
    said = "the run ended before setting parent"
    assert told(report) == {"issue shop/late": ("failed", [said])}
    assert report.interrupted


def test_a_later_change_whose_response_is_lost_is_written_again() -> None:
    """The issue is there, and its parent did not arrive: that is written once more, and compared."""

    class Once(Late):
        left = 1

        def answer(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
            if method == "PUT" and b"parent_issue_id" in body and self.left:
                self.left -= 1
                raise httpx.ReadTimeout("late")
            return super().answer(method, target, body)

        def arrive(self) -> None:
            pass

    text = COMPLETED["parent"][1]
    report, server = late(text, server=Once("nothing"))
    assert told(report) == {"issue shop/late": ("done", [])}
    assert plan_of(server, text).changes == ()


def test_a_second_post_that_is_refused_because_of_the_first_is_no_adoption() -> None:
    """Redmine allows the name once: what it has is what the first POST made, and it is compared like all others."""

    class Twice(Late):
        def answer(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
            if method == "POST" and self.held and not self.arrived:
                self.held = (*self.held[:2], self.held[2].replace(b"tree", b"none"))
                super().arrive()
                return 422, b'{"errors": ["Name has already been taken"]}'
            return super().answer(method, target, body)

    report, server = late("versions: [{project: shop, name: late, sharing: tree}]", server=Twice("late"))
    assert told(report) == {"version shop/late": ("done", [])}
    assert notes(report, "version shop/late") == (writer.EXISTS,)
    assert [w[2] for w in server.writes if w[0] == "PUT"] == [{"sharing": "tree"}]


def test_what_the_program_writes_is_written_to_what_is_found_late() -> None:
    """The watchers of a news item, which the program inside Redmine sets, once: after the item is found."""
    server = Late("Out")
    server.add("projects", identifier="shop", enabled_modules=["news"])
    program = MemorySession(server)
    report = applied(
        server, "news: [{project: shop, title: Out, description: It is, watchers: [admin]}]", program=program
    )
    (result,) = report.results
    assert (result.outcome, result.errors) == ("done", ())
    assert program.watching("news", "Out") == {"admin"} and len(program.items) == 1
