"""One write as a kind says it: with its files uploaded, for the account it is made for, undone if it destroyed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from reconciler.errors import Answered, AnswerLost, Rejected
from reconciler.model.address import Row, Unresolved
from reconciler.model.codecs import Upload, digest
from reconciler.model.kind import Request
from reconciler.redmine.client import Client

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
        """The answer. Raises as `Client.write`, and Unresolved for a file that is not what the plan was made with."""
        body = await self._uploaded(request.body)
        headers = {SWITCH_USER: request.login} if request.login else {}
        # A token is valid once: if the lost attempt was executed, another one with it is refused (5.0 to 6.1).
        once = request.once or any(uploads(request.body))
        try:
            return await self.client.write(request.method, request.path, body, (), headers, once=once)
        except AnswerLost:
            # Reading back will tell whether it is there.
            if not request.once:
                raise
            return {}
        except Answered as error:
            if isinstance(error, Rejected) and not error.repeated:
                if request.instead is not None:
                    return await self.send(request.instead)
                await self._undo(request)
            if not request.login:
                raise
            said = f"as {request.login}: {error}"
            raise type(error)(said, status=error.status, errors=error.errors, repeated=error.repeated) from error

    async def _undo(self, request: Request) -> None:
        """Put back what a refused request has destroyed all the same, by the first way that is accepted."""
        for other in request.undo:
            with suppress(Answered):
                await self.client.write(other.method, other.path, other.body)
                return

    async def _uploaded(self, body: Any) -> Any:
        """The body with each file in it uploaded, and its token in its place."""
        if isinstance(body, Upload):
            return await self._upload(body)
        if isinstance(body, Mapping):
            return {name: await self._uploaded(value) for name, value in body.items()}
        return [await self._uploaded(value) for value in body] if isinstance(body, list) else body

    async def _upload(self, file: Upload) -> dict[str, Any]:
        content = await asyncio.to_thread(file.path.read_bytes)
        if digest(content) != file.sha256:
            raise Unresolved(f"{file.path} has changed since the plan was made", "make a new plan")
        name = file.name or file.path.name
        try:
            answer = await self.client.upload(name, content)
        except Rejected as error:
            errors = tuple(f"{name}: {said}" for said in error.errors)
            raise Rejected(f"{name}: {error}", status=error.status, errors=errors) from error
        return {"token": answer["token"], "filename": name, **file.more}
