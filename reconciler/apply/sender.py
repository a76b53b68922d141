"""Sends one write of a kind: uploads its files, acts as its account, and repairs the damage of a refused one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from reconciler.errors import Answered, AnswerLost, Denied, Missing, Rejected
from reconciler.model.address import Row, Unresolved
from reconciler.model.codecs import Upload, digest
from reconciler.model.kind import Request
from reconciler.redmine.client import Client

CONFLICT_PAUSES = (0.1, 0.3, 1.0)  # seconds
SWITCH_USER = "X-Redmine-Switch-User"


def uploads(body: Any) -> Iterator[Upload]:
    """The files in a body."""
    if isinstance(body, Upload):
        yield body
    elif isinstance(body, Mapping | list):
        for value in body.values() if isinstance(body, Mapping) else body:
            yield from uploads(value)


class Sender:
    """Sends requests through a client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def send(self, request: Request) -> Row:
        """The response. Raises as `Client.write`; Unresolved for a local file that changed after the plan was made."""
        body = await self._uploaded(request.body)
        headers = {SWITCH_USER: request.login} if request.login else {}
        # A token is valid once: if the lost attempt was executed, another one with it is refused (5.0 to 6.1).
        once = request.once or any(uploads(request.body))
        try:
            return await self._written(request, body, headers, once=once)
        except AnswerLost as lost:
            # Not repeatable, such as an issue's notes: reading it back tells whether it was executed, unless the server
            # may still be about to do it.
            if not request.once or (lost.timed_out and request.method == "PUT"):
                raise
            return {}
        except Answered as error:
            if request.removes and isinstance(error, Missing):
                return {}
            if isinstance(error, Rejected) and not error.repeated:
                if request.instead is not None:
                    return await self.send(request.instead)
                # A refused list of roles removes them all the same (5.0), or the member (6.0, 6.1; test_trap_12).
                await self._undo(request)
            if not request.login:
                raise
            said = f"as {request.login}: {error}"
            raise type(error)(said, status=error.status, errors=error.errors, repeated=error.repeated) from error

    async def _written(self, request: Request, body: Any, headers: Mapping[str, str], *, once: bool) -> Row:
        """The response; a change that Redmine refuses without a reason is sent again.

        That is how it refuses the change of an issue whose parent another request changes at the same moment (5.0 to
        6.1, with several processes: a stale `lock_version` of the parent). It has rolled everything back then.
        """
        for pause in CONFLICT_PAUSES:
            try:
                return await self.client.write(request.method, request.path, body, request.params, headers, once=once)
            except Rejected as error:
                known = error.errors or error.repeated or request.undo or request.instead
                if request.method != "PUT" or known:
                    raise
            await asyncio.sleep(pause)
        return await self.client.write(request.method, request.path, body, request.params, headers, once=once)

    async def _undo(self, request: Request) -> None:
        """Restore what a refused request destroyed nevertheless, with the first request that is accepted."""
        for other in request.undo:
            with suppress(Answered):
                await self.client.write(other.method, other.path, other.body)
                return

    async def _uploaded(self, body: Any) -> Any:
        """The body with each file uploaded and replaced by its token."""
        if isinstance(body, Upload):
            return await self._upload(body)
        if isinstance(body, Mapping):
            return {name: await self._uploaded(value) for name, value in body.items()}
        return [await self._uploaded(value) for value in body] if isinstance(body, list) else body

    async def _upload(self, file: Upload) -> dict[str, Any]:
        content = await asyncio.to_thread(file.path.read_bytes)
        # What was shown and agreed to is the content at the time of the plan.
        if digest(content) != file.sha256:
            raise Unresolved(f"{file.path} has changed since the plan was made", "plan again")
        name = file.name or file.path.name
        try:
            response = await self.client.upload(name, content)
        except Rejected as error:
            errors = tuple(f"{name}: {message}" for message in error.errors)
            raise Rejected(f"{name}: {error}", status=error.status, errors=errors) from error
        return {"token": response["token"], "filename": name, **file.more, **await self._taken_over(file)}

    async def _taken_over(self, file: Upload) -> dict[str, Any]:
        """The description of the file that this one takes the place of."""
        if file.like is None:
            return {}
        try:
            # As it is now: somebody may have changed it since the plan was made.
            row = (await self.client.get(f"/attachments/{file.like}")).get("attachment")
        except (Missing, Denied):
            return {}  # 404 also for a file whose content is lost (5.0 to 6.1): what the plan has read counts
        described = row.get("description") if isinstance(row, dict) else None
        return {"description": described} if isinstance(described, str) else {}
