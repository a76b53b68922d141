"""Writes one object: creates it exactly once, updates or deletes it.

A POST whose response is lost is never simply sent again. The object is looked up first; if that cannot decide, the
outcome is unknown. The same holds for a PUT that uses an uploaded file, and for one that is refused after its response
was lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from reconciler.apply.meanwhile import Meanwhile
from reconciler.apply.progress import Progress
from reconciler.apply.read_back import executed, read_back
from reconciler.apply.sender import Sender, uploads
from reconciler.errors import Answered, AnswerLost, Missing, Rejected, ServerError, Stale
from reconciler.kinds import kinds
from reconciler.model.address import CONTAINER, Address, Row, Unresolved
from reconciler.model.capabilities import Creation, Deletion, ReadBack
from reconciler.model.codecs import join
from reconciler.model.containers import Modules
from reconciler.model.kind import Kind, Listing, Request, scope_of
from reconciler.model.name_index import Context, Names
from reconciler.model.row_form import answer_form_of, form_of
from reconciler.model.spec import Id
from reconciler.plan.diff import gather
from reconciler.plan.operations import FieldChange
from reconciler.redmine.client import Client
from reconciler.redmine.clock import elapsed
from reconciler.state.fetch import fetch
from reconciler.state.unreadable import LeftOut

PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each lookup of an object whose POST got no response: the server may still be executing it."""
LINGERING = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0)
"""Seconds between checks whether an object is deleted: Redmine deletes projects in a background job (from 5.1 on)."""
EXISTS = "the response to its creation was lost; the object exists and was not created again"
MEANWHILE = "created by someone else meanwhile; left unchanged: plan again"


class Writer:
    """Writes through a client. `names` is the name index of the plan; new objects are added to it."""

    def __init__(self, client: Client, names: Names) -> None:
        self.client = client
        self.sender = Sender(client)
        self.names = names
        self.meanwhile = Meanwhile(client, names)

    def context(self, address: Address) -> Context:
        """The context in which references in the fields of an object are resolved."""
        return Context(self.names, scope_of(kinds()[address.kind], address), address)

    async def create(self, state: Progress, values: Mapping[str, Any]) -> None:
        """Create an object, then write the fields that a POST does not accept or did not keep."""
        address = state.change.address
        kind, context = kinds()[address.kind], self.context(address)
        self._check_module(kind, address)
        first = {n: v for n, v in values.items() if not kind.fields[n].update_only}
        state.sending = first.keys()
        row, adopted = await self._adopted_or_new(kind, state, first, kind.create(address, first, context))
        # Immediately: the fields sent next, and operations that run at the same time, may refer to it.
        self.names.add(kind.name, address.key, row)
        # Before the rest is sent: if that fails, the report still has the id of the object.
        state.id, state.adopted = row["id"], adopted
        after_post = kind.capability(Creation).sent_after(kind, values, context)
        later = {n: v for n, v in values.items() if n in after_post}
        for name, value in first.items():
            # Someone else created it, so none of the values in the POST arrived.
            if adopted and not kind.fields[name].create_only:
                later |= lacking(kind, name, value, row, context)
            # A POST can be 201 and have dropped a value, such as a status that new issues cannot have (5.0 to 6.1;
            # test_trap_03).
            elif kind.fields[name].in_answer:
                later |= remaining(kind, name, value, row, context)
        await self.update(state, later)

    def _check_module(self, kind: Kind, address: Address) -> None:
        """Raise Unresolved if the server has created the project without the module that an object needs."""
        project, modules = address.container, kinds()[CONTAINER].capability(Modules)
        module = kind.inside.module if kind.inside else ""
        enabled = modules.enabled(self.names.row(project), self.names.spec(project)) if module else None
        if enabled is not None and module not in enabled:
            raise Unresolved(modules.lacking(module, project.key))

    async def update(self, state: Progress, values: Mapping[str, Any]) -> None:
        """Write canonical values to an existing object."""
        state.sending = values.keys()
        if values:
            address = state.change.address
            requests = kinds()[address.kind].update(address, state.number, values, self.context(address))
            for index, request in enumerate(requests):
                await self._change(state, values, request, requests[index:])
            self._renumber(state, kinds()[address.kind].capability(ReadBack).id_after(state.number, values))

    def _renumber(self, state: Progress, number: Id) -> None:
        """Note the id that an object has by now: the page of a wiki that got another title."""
        row = self.names.row(state.change.address)
        if number == state.id or row is None:
            return
        self.names.remove(state.change.address)
        self.names.add(state.change.address.kind, state.change.address.key, {**row, "id": number})
        state.earlier_id, state.id = state.id, number

    async def _change(
        self, state: Progress, values: Mapping[str, Any], request: Request, rest: Sequence[Request]
    ) -> None:
        """Send one request of an update; a POST (a new file in place of another) again only if it was not executed.

        `rest` are the requests from this one on.
        """
        state.rewritten = True
        try:
            await self.sender.send(request)
        except Answered as error:
            if request.method == "PUT" and error.repeated:
                await self._again(state, values, request, error)
            elif request.renewed and isinstance(error, Missing):
                await self._renewed(state, values, error)
            # It may have been deleted together with something else: a relation with the other issue.
            elif request.method != "DELETE" or not isinstance(error, Missing):
                raise
        except AnswerLost as lost:
            if request.method == "PUT" and request.once:
                await self._arrived(state, values, rest, lost)
                return
            if request.method == "PUT":
                await self._again(state, values, request, lost)
                return
            if request.method != "POST" or request.once:
                raise
            if await self._settle(state.change.address, values) is None:
                # The server may still be executing it.
                if lost.timed_out:
                    raise
                await self.sender.send(request)

    async def _renewed(self, state: Progress, values: Mapping[str, Any], error: Missing) -> None:
        """Write to the object that has taken the place of a deleted one. Raises the error if there is none."""
        address, change = state.change.address, state.change
        row = await self.look_up(address, gather((*change.all_fields, *change.unchanged)))
        if row is None or row["id"] == state.id:
            raise error
        self.names.add(address.kind, address.key, row)
        state.id = row["id"]
        await self.update(state, values)

    async def _arrived(
        self, state: Progress, values: Mapping[str, Any], rest: Sequence[Request], lost: AnswerLost
    ) -> None:
        """Wait until what adds something (a note) has been executed. Raises the error if it has not: sent once more, it
        could be executed twice."""
        address, request = state.change.address, rest[0]
        kind = kinds()[address.kind]
        for pause in PAUSES:
            await asyncio.sleep(pause)
            rows = await read_back(self, kind, [state], {state.id: values})
            if row := rows.get(state.id):
                self.names.add(kind.name, address.key, row)
                left = kind.update(address, state.number, values, self.context(address))
                if left.count(request) < rest.count(request):
                    return
        state.in_doubt = True
        raise lost

    async def _again(
        self, state: Progress, values: Mapping[str, Any], request: Request, error: Answered | AnswerLost
    ) -> None:
        """After a PUT whose answer was lost: nothing if it was executed, else send it once more, with new uploads.

        Raises the error if the server may still be working on it.
        """
        for pause in PAUSES if isinstance(error, AnswerLost) else PAUSES[:1]:
            await asyncio.sleep(pause)
            if await executed(self, state, values, request):
                return
        if isinstance(error, AnswerLost) and (error.timed_out or not any(uploads(request.body))):
            raise error
        await self.sender.send(request)

    async def delete(self, state: Progress) -> None:
        """Delete an object, and wait a while if the server does it in the background."""
        address = state.change.address
        kind = kinds()[address.kind]
        state.rewritten = True
        # Deleted by someone else, or together with another object: as declared.
        with suppress(Missing):
            await self.sender.send(kind.delete(address, state.number, self.context(address)))
        self.names.remove(address)
        if not await self._is_deleted(kind.capability(Deletion).until_gone(address)):
            state.notes.append("the server accepted the deletion and is still processing it")

    async def _is_deleted(self, page: Listing | None) -> bool:
        """Whether an object is deleted, after waiting a while; `page` shows it until then."""
        for pause in LINGERING if page else ():
            # A server that is busy with the deletion may fail to respond; the next check decides.
            with suppress(ServerError):
                if page and not await fetch(self.client, page):
                    return True
            await asyncio.sleep(pause)
        return page is None

    # -- exactly one create ------------------------------------------------------------------------------------

    async def _adopted_or_new(
        self, kind: Kind, state: Progress, values: Mapping[str, Any], request: Request
    ) -> tuple[Row, bool]:
        """As `_post`; of what Redmine does not keep unique, one that somebody created meanwhile is looked for first."""
        creation, address = kind.capability(Creation), state.change.address
        if creation.unique:
            return await self._post(kind, state, values, request)
        async with self.meanwhile.turn(kind, address, values) as (existing, flight):
            if existing is not None:
                state.notes.append(self.meanwhile.note(kind, address))
                return existing, True
            row, adopted = await self._post(kind, state, values, request)
            flight.number = row["id"]
            return row, adopted

    async def _post(self, kind: Kind, state: Progress, values: Mapping[str, Any], request: Request) -> tuple[Row, bool]:
        """The new object's row, and whether it was adopted. Raises AnswerLost if the outcome is unknown."""
        address = state.change.address
        try:
            made = await self._created(kind, address, values, await self.sender.send(request))
            # The second answer of a POST that was sent twice says nothing of what the first one may still do.
            state.answered = kind.capability(Creation).answers and not state.sent_again
            return made, False
        except Rejected as error:
            # Created meanwhile, by someone else or by inheritance (a group's membership creates those of its users).
            row = await self.look_up(address, values) if kind.capability(Creation).unique else None
            if row is None:
                raise
            if state.sent_again:
                # The first POST was executed after all, and is what made Redmine refuse the second one.
                state.notes.append(EXISTS)
                return row, False
            # To adopt a wiki page would overwrite what its author has just written, unless that is what is declared.
            if not kind.capability(Creation).adopts and differing(kind, values, row, self.context(address)):
                raise Stale(MEANWHILE, status=error.status) from error
            state.notes += filter(None, [self.meanwhile.note(kind, address)])
            return row, True
        except AnswerLost as lost:
            row = await self._settle(address, values)
            if row is not None:
                state.notes.append(EXISTS)
                return row, False
            # Sent again at most once. After a timeout only if Redmine refuses duplicates: the first POST may still be
            # running.
            if state.sent_again or (lost.timed_out and not kind.capability(Creation).unique):
                raise
            state.sent_again = True
            return await self._post(kind, state, values, request)

    async def _created(self, kind: Kind, address: Address, values: Mapping[str, Any], response: Row) -> Row:
        """The row of a created object, from the response, or looked up if the response does not contain it."""
        # The responses for new files and news have no id (5.0 to 6.1; test_trap_30).
        answers = kind.capability(Creation).answers
        try:
            shown = response.get(kind.name) if answers else await self._newest(address, values)
        except SeveralMatch as several:
            # The newest; that there are several is reported when the run looks for doubles (`doubles`).
            shown = max(several.rows, key=lambda row: int(row["id"]))
        if not isinstance(shown, dict):
            raise AnswerLost(f"the response to the creation of a {kind.name} contains no {kind.name}", timed_out=False)
        # Looked up instead, like one without an answer: it may have been created.
        form = answer_form_of(kind)
        for why in () if form.accepts(shown) else form.faults(shown, kind.name):
            raise AnswerLost(f"the response to its creation is not as Redmine's are: {why}", timed_out=False)
        return form_of(kind).without_nulls(shown)

    async def _settle(self, address: Address, values: Mapping[str, Any]) -> Row | None:
        """The object that a write without a response created, if it did. The server gets some time to finish."""
        for pause in PAUSES:
            await asyncio.sleep(pause)
            row = await self.look_up(address, values)
            if row is not None:
                return row
        return None

    async def _newest(self, address: Address, values: Mapping[str, Any]) -> Row | None:
        """As `look_up`, of an object that was just created: first in the page that shows the newest ones."""
        rows = await self.meanwhile.latest(kinds()[address.kind], address)
        return self._only_match(address, values, rows) or await self.look_up(address, values)

    async def look_up(self, address: Address, values: Mapping[str, Any]) -> Row | None:
        """The object, if it exists by now and is not another declared one. Raises AnswerLost if several match."""
        kind = kinds()[address.kind]
        listings = kind.lookup(address, self.names, values)
        left_out = LeftOut()
        note = left_out.of(kind)
        began = elapsed()
        rows = [row for listing in listings for row in await fetch(self.client, listing, form_of(kind), note)]
        if not kind.capability(Creation).unique:
            self.meanwhile.listed(kind, address, rows, began)
        match = self._only_match(address, values, rows)
        if left_out.rows and match is None:
            raise AnswerLost(f"whether it exists cannot be told: {left_out.rows[0].why}", timed_out=False)
        return match

    def _only_match(self, address: Address, values: Mapping[str, Any], rows: Sequence[Row]) -> Row | None:
        """The object among these rows, if it is not another declared one. Raises SeveralMatch."""
        kind, context = kinds()[address.kind], self.context(address)
        # If Redmine enforces unique keys, the key decides. An id does not: SQLite reuses those of deleted objects.
        keys = {} if kind.capability(Creation).unique else self.names.live(kind.name).keys
        candidates = (
            row
            for row in rows
            if keys.get(row["id"], address.key) == address.key
            and kind.capability(ReadBack).identifies(kind, row, address, values, context)
        )
        # By id: several lists can show the same object.
        matches = {row["id"]: row for row in candidates}
        if len(matches) > 1:
            ids = ", ".join(f"#{i}" for i in sorted(matches))
            raise SeveralMatch(f"several objects match: {ids}", list(matches.values()))
        return next(iter(matches.values()), None)


class SeveralMatch(AnswerLost):
    """Several objects have the identity of one."""

    def __init__(self, message: str, rows: Sequence[Row]) -> None:
        super().__init__(message, timed_out=False)
        self.rows = rows


def lacking(kind: Kind, name: str, value: Any, row: Row, context: Context, *, detailed: bool = False) -> dict[str, Any]:
    """What an adopted object lacks of a field: the whole value, if the row does not show the field.

    A `detailed` row is that of the object's own page.
    """
    api = kind.fields[name]
    if api.read is None or (api.detail and not detailed) or (api.read or name) not in row:
        return {name: value}
    try:
        return remaining(kind, name, value, row, context)
    except Unresolved:
        # Its live value names something that was not read.
        return {name: value}


def differing(kind: Kind, values: Mapping[str, Any], row: Row, context: Context) -> bool:
    """Whether an object differs from what is declared, as far as its row shows."""
    compared = {name: value for name, value in values.items() if kind.fields[name].read is not None}
    return any(lacking(kind, name, value, row, context, detailed=True) for name, value in compared.items())


def remaining(kind: Kind, name: str, value: Any, row: Row, context: Context) -> dict[str, Any]:
    """The part of a field that the response shows with another value than sent, as values to send again."""
    differences = kind.fields[name].codec.differences(value, kind.live(row, name, context))
    return gather(FieldChange(join(name, part), None, after) for part, _, after in differences) if differences else {}
