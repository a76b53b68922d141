"""Plan → Results: runs each operation as soon as its predecessors are done, with a bounded number at a time.

The order comes only from the edges of the plan, never from the kinds of the objects. A failure skips only the
operations that require it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

from reconciler.apply import catalog
from reconciler.apply.blame import about, item_error, refused
from reconciler.apply.progress import Listener, Progress, listed, no_listener
from reconciler.apply.report import ItemError, Outcome, Report
from reconciler.apply.writer import Writer
from reconciler.errors import AnswerLost, Denied, LeaseLost, Rejected, ServerError, Unreachable
from reconciler.kinds import kinds
from reconciler.model.address import Address, Unresolved
from reconciler.model.capabilities import Deletion
from reconciler.model.containers import Tree
from reconciler.model.name_index import Names
from reconciler.model.spec import Secret
from reconciler.plan.catalog import in_catalog
from reconciler.plan.dependencies import sorter
from reconciler.plan.diff import gather
from reconciler.plan.operations import ByProgram, Create, Delete, Id, Operation, OperationId, Plan
from reconciler.redmine.client import Client

INTERRUPTED = "The run was interrupted."
UNREACHABLE = "The run ended early, because the server could not be reached."
NO_ACCOUNT = "The run ended early, because the server no longer accepts the credentials."
UNAUTHORIZED = 401
UNHEARD = "The run ended early, because its listener raised an error."
NO_REASON = "Redmine refused it without giving a reason"


def unknown(address: Address) -> str:
    """Why what depends on an object with an unknown outcome is skipped."""
    return f"the outcome of {address} is unknown"


class Applier:
    """Applies one plan. `listener` is called when a change ends; `progress` has the state of all changes."""

    def __init__(self, client: Client, names: Names, plan: Plan, *, listener: Listener | None = None) -> None:
        self.client = client
        self.names = names
        self.plan = plan
        self.listener = listener or no_listener
        self.unheard: Exception | None = None
        """What the listener raised. It is not called any more then, and the run ends as after a signal."""
        self.writer = Writer(client, names)
        # The server may repeat them. Those of a saved plan are known from here on.
        values = (field.after for change in plan.changes for field in change.all_fields)
        client.secrets.add(*(value.reveal() for value in values if isinstance(value, Secret)))
        self.progress = {change.address: Progress(change, change.id) for change in plan.changes}
        for change in plan.affected:
            # Nothing to send, but `written` makes `verify` read it back.
            read_back = Progress(change, change.id, outcome="done", written=list(change.unchanged))
            self.progress[change.address] = read_back
        self.operations = {operation.id: operation for operation in plan.operations}
        self.sorter = sorter(plan)
        self.ready: list[OperationId] = []
        self.postponed: list[OperationId] = []
        """Operations that are ready but wait until everything else is verified, such as closing a project."""
        self.wave: list[OperationId] = []
        """Operations of the catalog that are ready, or will be when those before them in the list are done."""
        self.unwritten: set[Id] = set()
        """These, and the milestones that come after them."""
        self.held: list[OperationId] = []
        """Operations that are ready when these are written."""
        self.before: dict[Id, Sequence[Id]] = {one.id: one.predecessors for one in plan.operations}
        self.before |= {milestone.id: milestone.after for milestone in plan.milestones}
        self.failed: dict[OperationId, str] = {}
        """Operations that did not succeed, with the reason that their dependents report."""
        self.locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.interrupted = False
        self.ended = ""
        """Why no further operations are started; "" while they are."""

    @property
    def stopping(self) -> bool:
        """Whether no further operations are started."""
        return bool(self.ended)

    def stop(self) -> None:
        """Start no further operations, because of a signal; running ones are completed."""
        self.interrupted, self.ended = True, INTERRUPTED

    def report(self) -> Report:
        """The results so far."""
        results = [self.progress[change.address].result() for change in self.plan.changes]
        read_back = (self.progress[change.address].result() for change in self.plan.affected)
        results += [result for result in read_back if result.outcome != "done"]
        return Report(self.plan, tuple(results), self.client.requests, self.interrupted, self.ended)

    # -- the walk over the graph -------------------------------------------------------------------------------

    async def run(self, *, finish: bool = False) -> None:
        """Run all operations that are or become ready. Postponed ones run only to `finish`."""
        running = dict[asyncio.Task[None], OperationId]()
        if finish:
            self.ready += self.postponed
            self.postponed = []
        try:
            # After a stop, what is running is still awaited: a request that was sent must get its outcome.
            while not (self.stopping and not running) and self._advance(finish, len(running)):
                await self._write_catalog(len(running))
                while self.ready and self.client.slots.room(len(running)) and not self.stopping:
                    number = self.ready.pop()
                    running[asyncio.create_task(self.operate(self.operations[number]))] = number
                if not running:
                    continue
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    # Raises what `operate` does not expect: a mistake of the program must not count as a completed
                    # operation.
                    task.result()
                    # Whether it succeeded or not: `after` is just an order, and `requires` is checked when an operation
                    # starts.
                    self.sorter.done(running.pop(task))
        finally:
            # Only after a cancellation or an unexpected error is anything still running.
            await self._cancel(running)

    def _advance(self, finish: bool, running: int) -> bool:
        """Queue the operations that have become ready. Returns whether any is ready or running."""
        # Reversed, because the queue is popped from its end: the smallest id first, as in the plan.
        for number in sorted(self._became_ready(), reverse=True):
            postpone = self.operations[number].holds_until_verified and not finish
            (self.postponed if postpone else self.ready).append(number)
        return bool(self.ready or running or self.wave)

    async def _write_catalog(self, running: int) -> None:
        """Write what is ready of the catalog in one call, before everything else or when nothing else is left."""
        if not self.wave or running or self.stopping:
            return
        # Nothing needs fields of other objects, such as their watchers: these are written together at the end.
        needed = any(not isinstance(self.operations[number], ByProgram) for number in self.wave)
        first = needed and all(not state.begun for state in self.progress.values())
        if (first or not self.ready) and await self._may_write():
            wave, self.wave = self.wave, []
            await catalog.write(self, wave)
            self.unwritten.clear()
            self.ready += sorted(self.held, reverse=True)
            self.held = []

    def _became_ready(self) -> list[OperationId]:
        """The operations that have become ready. A milestone is done as soon as it is reached."""
        ready = list[OperationId]()
        # Repeated, because a milestone can make further operations ready at once.
        while self.sorter.is_active() and (reached := self.sorter.get_ready()):
            for one in reached:
                waits = not self.unwritten.isdisjoint(self.before[one])
                if not isinstance(one, OperationId):
                    self.unwritten |= {one} if waits else set()
                    self.sorter.done(one)
                elif in_catalog(self.operations[one]):
                    # As if it were done: what needs it can be in the same call. Whatever else does is held back until
                    # the call is made.
                    self.wave.append(one)
                    self.unwritten.add(one)
                    self.sorter.done(one)
                else:
                    (self.held if waits else ready).append(one)
        return ready

    async def _cancel(self, running: Mapping[asyncio.Task[None], OperationId]) -> None:
        for task, (address, _) in running.items():
            state = self.progress[address]
            # It says no if the task has ended, and the loop above was not told yet. Without `begun` it was still
            # waiting for a lock, and nothing was sent.
            if task.cancel() and state.begun:
                message = "the run was interrupted while this was in progress"
                self._end(state, "unknown", [item_error(state.change, message)])
        await asyncio.gather(*running, return_exceptions=True)

    # -- one operation -----------------------------------------------------------------------------------------

    async def operate(self, operation: Operation) -> None:
        """Run one operation, unless one that it requires has failed, or the run was stopped."""
        # Sorted: of several causes, a report always names the same one.
        blocker = next((self.failed[one] for one in sorted(operation.requires) if one in self.failed), None)
        if blocker is not None:
            self.skip(operation, blocker)
            return
        state = self.progress[operation.id.address]
        try:
            async with self._lock(operation.id.address.kind):
                # Again after the wait for the lock: the run may have been stopped meanwhile.
                if self.stopping or not await self._may_write():
                    return
                # From here on, a cancellation leaves the outcome unknown.
                state.begun = True
                await self._write(state, operation)
        except Rejected as error:
            self.fail(operation, "failed", self._refusal(state, operation, error))
        except AnswerLost as error:
            self.fail(operation, "unknown", [item_error(state.change, str(error))])
        except Unresolved as error:
            # A referenced object has no id, or a local file has changed.
            fields = [f for f in operation.fields if f.path in state.sent(operation)]
            self.fail(operation, "failed", [about(state.change, str(error), fields)])
        except ServerError as error:
            self.fail(operation, "failed", [item_error(state.change, str(error))])
            self._give_up(error)
        else:
            self.complete(operation)

    async def _may_write(self) -> bool:
        """Whether the lease still lasts, if there is one; otherwise the run is stopped."""
        try:
            await self.client.guard()
        except LeaseLost as error:
            self.ended = self.ended or str(error)
        return not self.stopping

    async def _write(self, state: Progress, operation: Operation) -> None:
        values = gather(operation.fields)
        if isinstance(operation, Create):
            await self.writer.create(state, values)
        elif isinstance(operation, Delete):
            await self.writer.delete(state)
        else:
            await self.writer.update(state, values)
        # After the write: what was never sent is not read back. The unchanged fields are added once.
        state.written += (*operation.fields, *(state.change.unchanged if operation.id.number == 0 else ()))

    def _refusal(self, state: Progress, operation: Operation, error: Rejected) -> list[ItemError]:
        """The server's messages about a rejected write, each at the field that it is about."""
        change, address = state.change, operation.id.address
        kind, sent, context = kinds()[address.kind], state.sent(operation), self.writer.context(address)
        why = kind.capability(Deletion).why_refused if isinstance(operation, Delete) else ""
        no_reason = f"{NO_REASON} ({why})" if why else NO_REASON
        return [refused(change, kind, message, sent, context) for message in error.errors or (no_reason,)]

    def _lock(self, kind: str) -> AbstractAsyncContextManager[None]:
        # Each write locks the whole tree, so concurrent ones gain nothing.
        return self.locks[kind] if kinds()[kind].capability(Tree).one_write_at_a_time else nullcontext()

    # -- bookkeeping -------------------------------------------------------------------------------------------

    def skip(self, operation: Operation, blocker: str) -> None:
        """Skip an operation, because of what it requires."""
        self.failed[operation.id] = blocker
        state = self.progress[operation.id.address]
        if state.outcome is None and operation.id.number == 0:
            state.because = blocker
            self._end(state, "skipped", [])
        # Its first operation was completed, so the object did change: `failed`, not `skipped`.
        elif state.outcome is None:
            message = f"{listed(operation.fields)} was not set: {blocker}"
            self._end(state, "failed", [about(state.change, message, operation.fields)])

    def complete(self, operation: Operation) -> None:
        """Mark an operation as completed; after the last one, the change is done."""
        state = self.progress[operation.id.address]
        state.completed.add(operation.id.number)
        if len(state.completed) == len(state.change.operations):
            self._end(state, "done", [])

    def refute(self, address: Address, error: ItemError) -> None:
        """Mark a completed change as failed, because it was read back with a difference. Its dependents are skipped."""
        state = self.progress[address]
        state.outcome = "failed"
        state.errors.append(error)
        # For operations that were postponed until now: those that require this object are skipped.
        for operation in state.change.operations:
            self.failed[operation.id] = f"{address} failed"

    def fail(self, operation: Operation, outcome: Outcome, errors: list[ItemError]) -> None:
        """Note that an operation did not succeed; what requires it is skipped."""
        address = operation.id.address
        self.failed[operation.id] = unknown(address) if outcome == "unknown" else f"{address} failed"
        self._end(self.progress[address], outcome, errors)

    def _give_up(self, error: ServerError) -> None:
        """Start no further operations if they would all fail in the same way, each after several attempts."""
        if isinstance(error, Unreachable):
            self.ended = self.ended or UNREACHABLE
        elif isinstance(error, Denied) and error.status == UNAUTHORIZED:
            self.ended = self.ended or NO_ACCOUNT

    def _end(self, state: Progress, outcome: Outcome, errors: Iterable[ItemError]) -> None:
        state.errors += errors
        # The first outcome stays: a gate that is closed again after a failure makes no success of it.
        if state.outcome is None:
            state.outcome = outcome
            # Once: the outcome of a creation that is found later is another one.
            if not state.told:
                state.told = True
                self._tell(state.change.address, outcome)

    def _tell(self, address: Address, outcome: Outcome) -> None:
        """Tell the listener of an outcome. That it fails must not lose the outcomes of requests that are running."""
        try:
            self.listener(address, outcome)
        except Exception as error:
            self.unheard, self.listener = error, no_listener
            self.ended = self.ended or UNHEARD
