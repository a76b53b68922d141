"""Plan → Results: every step as soon as what comes before it is done, a bounded number at once.

A failure stops only what needs it. A POST whose answer is lost is never simply sent again: the object is looked for
first, and if that cannot decide, the item ends as `unknown`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from reconciler.apply.report import Outcome, Report, Result
from reconciler.apply.sender import Sender
from reconciler.errors import AnswerLost, Missing, Rejected, ServerError, Stale
from reconciler.kinds import kinds
from reconciler.model.address import Address, Row, Unresolved
from reconciler.model.capabilities import Creation, Deletion, ReadBack, Tree
from reconciler.model.kind import Kind, Listing, Request, scope_of
from reconciler.model.name_index import Context, Names
from reconciler.plan.dependencies import Graph, Node, graph_of, shuts
from reconciler.plan.diff import FieldChange, gather
from reconciler.plan.operations import Change, Plan
from reconciler.redmine.client import Client
from reconciler.state.fetch import fetch

PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each look-up of an object whose POST got no answer: the server may still be working on it."""
LINGERING = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0)
"""Seconds between looks at an object that the server deletes in its own time."""
MEANWHILE = "it came to exist meanwhile, and is left as it is: make a new plan"
NO_REASON = "Redmine refused it without giving a reason"


@dataclass(slots=True)
class Progress:
    """What has become of a change so far."""

    change: Change
    id: int | str | None
    outcome: Outcome | None = None
    errors: list[str] = field(default_factory=list)
    because: str | None = None
    notes: list[str] = field(default_factory=list)
    left: int = 0
    sent_again: bool = False
    begun: bool = False
    written: list[FieldChange] = field(default_factory=list)
    """What was sent and has not been read back yet."""

    def result(self) -> Result:
        """The final result."""
        if self.outcome is None:
            return self._interrupted()
        return Result(self.change, self.outcome, self.id, tuple(self.errors), self.because, tuple(self.notes))

    def _interrupted(self) -> Result:
        done = len(self.change.then) + 1 - self.left
        if done == 0:
            return Result(self.change, "skipped", self.id, because="the run was interrupted")
        left = _fields(f for step in self.change.then[done - 1 :] for f in step.fields)
        error = f"the run was interrupted before this was set: {left}"
        return Result(self.change, "failed", self.id, (*self.errors, error), notes=tuple(self.notes))


Listener = Callable[[Address, Outcome], None]


class Applier:
    """Carries out one plan. `names` are those that the plan was made with; what is created is added to them."""

    def __init__(self, client: Client, names: Names, plan: Plan, *, listener: Listener = lambda a, o: None) -> None:
        self.client = client
        self.sender = Sender(client)
        self.names = names
        self.plan = plan
        self.listener = listener
        self.progress = {c.address: Progress(c, c.id, left=1 + len(c.then)) for c in plan.changes}
        for watched in plan.disturbed:
            looked_at = Progress(watched, watched.id, outcome="done", written=list(watched.keeps))
            self.progress[watched.address] = looked_at
        self.graph: Graph = graph_of(plan.changes)
        self.sorter = self.graph.sorter()
        self.waiting: list[Node] = []
        self.held: list[Node] = []
        self.started = False
        self.failed: dict[Node, str] = {}
        self.locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.stopping = False

    def stop(self) -> None:
        """Start nothing new; what is under way is finished."""
        self.stopping = True

    def report(self) -> Report:
        """What has been done so far."""
        results = [self.progress[c.address].result() for c in self.plan.changes]
        results += [r for c in self.plan.disturbed if (r := self.progress[c.address].result()).outcome != "done"]
        return Report(self.plan, tuple(results), self.client.requests, self.stopping)

    async def run(self) -> None:
        """Carry out all steps but those that shut a door; called again, these. `progress` has what became of them."""
        held, self.held = self.held, []
        self.waiting += held
        first, running = not self.started, dict[asyncio.Task[None], Node]()
        self.started = True
        try:
            while not (self.stopping and not running) and self._pull(first, len(running)):
                while self.waiting and len(running) < self.client.connection.concurrency and not self.stopping:
                    node = self.waiting.pop()
                    running[asyncio.create_task(self._node(node))] = node
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                    self.sorter.done(running.pop(task))
        finally:
            await self._cancel(running)

    def _pull(self, hold: bool, running: int) -> bool:
        """Take over what has become ready, least key last; whether there is anything to do or to wait for."""
        if self.sorter.is_active():
            for node in sorted(self.sorter.get_ready(), reverse=True):
                (self.held if hold and self._shuts(node) else self.waiting).append(node)
        return bool(self.waiting or running)

    def _shuts(self, node: Node) -> bool:
        return node[0] in self.progress and shuts(self.progress[node[0]].change, node[1])

    async def _cancel(self, running: Mapping[asyncio.Task[None], Node]) -> None:
        for task, (address, _) in running.items():
            task.cancel()
            if address in self.progress and self.progress[address].begun:
                self._end(address, "unknown", ["the run was stopped while this was under way"])
        await asyncio.gather(*running, return_exceptions=True)

    async def _node(self, node: Node) -> None:
        address, index = node
        if address not in self.progress:
            return
        blocker = next((self.failed[n] for n in sorted(self.graph.hard[node]) if n in self.failed), None)
        if blocker is not None:
            self._skip(node, blocker)
            return
        try:
            async with self._lock(address.kind):
                if self.stopping:
                    return
                self.progress[address].begun = True
                await self._step(self.progress[address], index)
        except Rejected as error:
            self._fail(node, "failed", list(error.errors) or [self._guess(address)])
        except AnswerLost as error:
            self._fail(node, "unknown", [str(error)])
        except (Unresolved, ServerError) as error:
            self._fail(node, "failed", [str(error)])
        else:
            self._finished(address)

    def _guess(self, address: Address) -> str:
        """A sentence for a refusal without one."""
        why = kinds()[address.kind].capability(Deletion).why_refused if self.progress[address].change.action == "delete" else ""
        return f"{NO_REASON} ({why})" if why else NO_REASON

    def _lock(self, kind: str) -> Any:
        return self.locks[kind] if kinds()[kind].capability(Tree).one_write_at_a_time else _Open()

    # -- bookkeeping -------------------------------------------------------------------------------------------

    def _skip(self, node: Node, blocker: str) -> None:
        self.failed[node] = blocker
        state = self.progress[node[0]]
        if state.outcome is None and node[1] == 0:
            state.because = blocker
            self._end(node[0], "skipped", [])
        elif state.outcome is None:
            self._end(node[0], "failed", [f"{_fields(state.change.then[node[1] - 1].fields)} was not set: {blocker}"])

    def refute(self, address: Address, error: str) -> None:
        """Note that what was done to an object did not last; what waits for it is skipped."""
        state = self.progress[address]
        state.outcome = "failed"
        state.errors.append(error)
        for index in range(len(state.change.then) + 1):
            self.failed[(address, index)] = f"{address} failed"

    def _fail(self, node: Node, outcome: Outcome, errors: list[str]) -> None:
        self.failed[node] = f"{node[0]} {'is unknown' if outcome == 'unknown' else 'failed'}"
        self._end(node[0], outcome, errors)

    def _finished(self, address: Address) -> None:
        state = self.progress[address]
        state.left -= 1
        if state.left == 0:
            self._end(address, "done", [])

    def _end(self, address: Address, outcome: Outcome, errors: Iterable[str]) -> None:
        state = self.progress[address]
        state.errors += errors
        if state.outcome is None:
            state.outcome = outcome
            self.listener(address, outcome)

    # -- steps -------------------------------------------------------------------------------------------------

    async def _step(self, state: Progress, index: int) -> None:
        change, kind = state.change, kinds()[state.change.address.kind]
        fields = change.fields if index == 0 else change.then[index - 1].fields
        values = gather(fields)
        if index == 0 and change.action == "create":
            await self._create(kind, state, values)
        elif index == 0 and change.action == "delete":
            await self._delete(kind, state)
        else:
            await self.update(kind, state, values)
        state.written += (*fields, *(change.keeps if index == 0 else ()))

    def context(self, kind: Kind, address: Address) -> Context:
        """Where names in the fields of `address` are looked up."""
        return Context(self.names, scope_of(kind, address), address)

    async def _create(self, kind: Kind, state: Progress, values: Mapping[str, Any]) -> None:
        address = state.change.address
        context = self.context(kind, address)
        first = {n: v for n, v in values.items() if not kind.fields[n].update_only}
        row, adopted = await self._post(kind, state, first, kind.create(address, first, context))
        self.names.add(kind.name, address.key, row)
        state.id = row["id"]
        later = kind.capability(Creation).sent_after(kind, values, context)
        left = {n: v for n, v in values.items() if n in later}
        for name, value in first.items():
            if adopted and not kind.fields[name].create_only:
                left[name] = value
            elif kind.fields[name].in_answer:
                left |= remaining(kind, name, value, row, context)
        await self.update(kind, state, left)

    async def update(self, kind: Kind, state: Progress, values: Mapping[str, Any]) -> None:
        """Write canonical values to an object that exists."""
        if values:
            assert state.id is not None
            address = state.change.address
            for request in kind.update(address, state.id, values, self.context(kind, address)):
                await self._change(kind, state, values, request)

    async def _change(self, kind: Kind, state: Progress, values: Mapping[str, Any], request: Request) -> None:
        """Send one request of an update; a POST (a file in the place of another) only if it was not done already."""
        try:
            await self.sender.send(request)
        except Missing:
            # What is to go may have gone with something else: a relation with the other issue.
            if request.method != "DELETE":
                raise
        except AnswerLost as lost:
            if request.method != "POST" or request.once:
                raise
            if await self._settle(kind, state.change.address, values) is None:
                if lost.timed_out:
                    raise
                await self.sender.send(request)

    async def _delete(self, kind: Kind, state: Progress) -> None:
        change = state.change
        assert change.id is not None
        with suppress(Missing):
            await self.sender.send(kind.delete(change.address, change.id, self.context(kind, change.address)))
        self.names.remove(change.address)
        if not await self._gone(kind.capability(Deletion).until_gone(change.address)):
            state.notes.append("the server has accepted its deletion and is still at it")

    async def _gone(self, page: Listing | None) -> bool:
        """Whether an object that is deleted is gone by now, or soon; `page` shows it until then."""
        for pause in LINGERING if page else ():
            with suppress(ServerError):
                if page and not await fetch(self.client, page):
                    return True
            await asyncio.sleep(pause)
        return page is None

    # -- exactly one create ------------------------------------------------------------------------------------

    async def _post(
        self, kind: Kind, state: Progress, values: Mapping[str, Any], request: Request
    ) -> tuple[Row, bool]:
        """The new object's row, and whether it was there already. Raises AnswerLost when that cannot be told."""
        try:
            return await self._made(kind, state.change.address, values, await self.sender.send(request)), False
        except Rejected as error:
            # Made meanwhile, by somebody else or through inheritance (a group's membership makes its users').
            found = await self.look(kind, state.change.address, values) if kind.capability(Creation).unique else None
            if found is None:
                raise
            if not kind.capability(Creation).adopts:
                raise Stale(MEANWHILE, status=error.status) from error
            state.notes += [kind.capability(Creation).adoption_note] if kind.capability(Creation).adoption_note else []
            return found, True
        except AnswerLost as lost:
            found = await self._settle(kind, state.change.address, values)
            if found is not None:
                state.notes.append("the answer to its creation was lost; it was found and not created twice")
                return found, False
            if state.sent_again or (lost.timed_out and not kind.capability(Creation).unique):
                raise
            state.sent_again = True
            return await self._post(kind, state, values, request)

    async def _made(self, kind: Kind, address: Address, values: Mapping[str, Any], answer: Row) -> Row:
        """The row of an object that was created, from the answer or looked up where the answer has none."""
        found = await self.look(kind, address, values) if not kind.capability(Creation).answers else answer.get(kind.name)
        row = found if isinstance(found, dict) else {}
        if "id" not in row:
            raise AnswerLost(f"the answer to the creation of a {kind.name} shows no {kind.name}", timed_out=False)
        return row

    async def _settle(self, kind: Kind, address: Address, values: Mapping[str, Any]) -> Row | None:
        for pause in PAUSES:
            await asyncio.sleep(pause)
            found = await self.look(kind, address, values)
            if found is not None:
                return found
        return None

    async def look(self, kind: Kind, address: Address, values: Mapping[str, Any]) -> Row | None:
        """The object, if it is live by now and nobody else's. Raises AnswerLost when several could be it."""
        listings = kind.lookup(address, self.names, values)
        rows = [row for listing in listings for row in await fetch(self.client, listing)]
        # Where Redmine guards the key, it says who it is: SQLite gives the ids of what went with others to new objects.
        keys = {} if kind.capability(Creation).unique else self.names.live(kind.name).keys
        owned = {i for i, key in keys.items() if key != address.key}
        context = self.context(kind, address)
        found = {r["id"]: r for r in rows if r["id"] not in owned and kind.capability(ReadBack).identifies(kind, r, address, values, context)}
        if len(found) > 1:
            ids = ", ".join(f"#{i}" for i in sorted(found))
            raise AnswerLost(f"several objects could be it: {ids}", timed_out=False)
        return next(iter(found.values()), None)


class _Open:
    """A lock that is always open."""

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *error: object) -> None:
        return None


def remaining(kind: Kind, name: str, value: Any, row: Row, context: Context) -> dict[str, Any]:
    """The part of a field that an answer shows not to be as it was sent, as values to send again."""
    differences = kind.fields[name].codec.differences(value, kind.live(row, name, context))
    return gather(tuple(FieldChange(f"{name}.{part}" if part else name, None, after) for part, _, after in differences))


def _fields(fields: Iterable[FieldChange]) -> str:
    return ", ".join(f.path for f in fields)
