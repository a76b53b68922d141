"""What the program inside Redmine reads and writes, in one call each."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from pydantic import SecretStr

from reconciler.catalog.item import Item
from reconciler.catalog.transport import PROTOCOL, Answer, Command, script
from reconciler.errors import CatalogError
from reconciler.record import Record

Rows = Mapping[str, Sequence[dict[str, Any]]]
"""Kind → what the program shows of its objects."""
PROOF = {"tracker": "trackers", "issue_status": "issue statuses", "role": "roles"}
"""Kinds whose ids and names the API shows too."""
NAMED = 5
"""Names that are listed of those that differ."""


class Outcome(Record):
    """What became of an item: errors are (field, message); `blocker` is the number of the item that it needed."""

    ok: bool
    id: Any = None
    errors: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    blocker: int | None = None


class Session:
    """The program inside one Redmine, for one run; it must know the API key."""

    def __init__(self, command: Command, api_key: SecretStr | None = None) -> None:
        self.command = command
        self.calls = 0
        self._api_key = api_key
        self._instance: Mapping[str, Any] = {}
        self._site: str | None = None
        """What tells the program's Redmine from others, once it was read."""

    async def read(self, kinds: Iterable[str], projects: Iterable[str] | None = None) -> Rows:
        """All objects of these kinds; of those that the API lists, only in these projects. Raises CatalogError."""
        chosen = sorted(kinds)
        request = {"op": "read", "kinds": chosen, **({} if projects is None else {"projects": sorted(projects)})}
        answer = await self._call(request)
        self._expect(request, isinstance(answer.get("instance"), dict) and _has_rows(answer, chosen))
        self._instance, self._site = answer["instance"], answer.get("site")
        rows: Rows = answer["state"]
        return rows

    def prove(self, live: Mapping[str, Mapping[int, str]]) -> None:
        """Raise CatalogError if the program is inside another Redmine than the one whose API has these names by id."""
        for kind, said in PROOF.items():
            inside, outside = dict(self._instance.get(kind, ())), live.get(kind, {})
            if inside != outside:
                odd = sorted({str(name) for _, name in set(inside.items()) ^ set(outside.items())})
                shown = ", ".join(odd[:NAMED]) + (" …" if len(odd) > NAMED else "")
                raise CatalogError(
                    f"catalog_command leads to another Redmine than `url`: it has other {said} ({shown})."
                )

    async def write(self, items: Sequence[Item], *, check: bool = False) -> tuple[list[Outcome], Rows]:
        """What became of each item, and the objects of their kinds afterwards, as read back.

        With `check`, everything is rolled back. Raises CatalogError if nothing was written, AnswerLost.
        """
        listed = [_wire(number, item) for number, item in enumerate(items)]
        request = {"op": "check" if check else "write", "items": listed}
        answer = await self._call(request)
        told = {one["n"]: one for one in answer.get("items") or () if isinstance(one, dict) and "ok" in one}
        whole = all(number in told for number in range(len(items)))
        self._expect(request, whole and _has_rows(answer, {item.kind for item in items}))
        return [_outcome(told[number]) for number in range(len(items))], answer["state"]

    async def _call(self, request: Mapping[str, Any]) -> Answer:
        self.calls += 1
        return await self.command.call({**request, **self._proof()})

    def _proof(self) -> Mapping[str, Any]:
        """What only the right Redmine has: two new ones have the same names, and the same numbers."""
        salt = secrets.token_hex(16)
        key = self._api_key.get_secret_value() if self._api_key is not None else ""
        token = sha256((salt + key).encode()).hexdigest() if key else None
        return {"site": self._site, "salt": salt, "token": token}

    def _expect(self, request: Mapping[str, Any], understood: bool) -> None:
        if not understood:
            raise self.command.lost(request, "answered with something else than what was asked for")


def _has_rows(answer: Answer, kinds: Iterable[str]) -> bool:
    rows = answer.get("state")
    return isinstance(rows, dict) and all(isinstance(rows.get(kind), list) for kind in kinds)


def script_of(items: Sequence[Item]) -> str:
    """The program with these items, for an administrator: it can be run again, and says what it has done."""
    return script({"protocol": PROTOCOL, "op": "script", "items": [_wire(n, item) for n, item in enumerate(items)]})


def _wire(number: int, item: Item) -> dict[str, Any]:
    shown = {"n": number, "op": item.op, "kind": item.kind, "key": item.key, "set": item.values, "needs": item.needs}
    return {**shown, **({"id": item.id, "was": item.was} if item.op != "create" else {})}


def _outcome(told: Mapping[str, Any]) -> Outcome:
    errors = tuple((str(one["field"]), str(one["message"])) for one in told.get("errors", ()))
    return Outcome(told["ok"], told.get("id"), errors, tuple(told.get("notes") or ()), told.get("skipped_for"))
