"""Fields of kinds that the API writes, but which only the program inside Redmine reads and writes (`Api.program`).

The program knows such an object by its project and name, or by the number that the API calls it by. It shows what these
fields have, and nothing of objects that have nothing in them. In rows, the fields are beside those of the API.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from reconciler.catalog.item import Item
from reconciler.model.address import CONTAINER, Address
from reconciler.model.codecs import blank
from reconciler.model.kind import Kind, Object
from reconciler.model.name_index import Context, Names
from reconciler.model.spec import Id


def program_fields(kind: Kind) -> list[str]:
    """The names of these fields of a kind."""
    return [name for name, api in kind.fields.items() if api.program]


def declared_fields(objects: Iterable[Object]) -> Iterator[tuple[Object, str]]:
    """(object, field) for each that is declared."""
    # Few kinds have any, and there can be a hundred thousand objects.
    known: dict[str, list[str]] = {}
    for one in objects:
        name = one.kind.name
        if name not in known:
            known[name] = program_fields(one.kind)
        if known[name] and one.spec.state == "present":
            yield from ((one, field) for field in known[name] if field in one.spec.model_fields_set)


def field_item(
    op: str, kind: Kind, address: Address, number: Id | None, values: Mapping[str, Any], context: Context
) -> Item:
    """The write of canonical values of such fields."""
    key = {CONTAINER: address.project, "name": address.own_name} if kind.inside else {"name": address.key}
    return Item(op, kind.name, key, {name: _sent(kind, name, value, context) for name, value in values.items()}, number)


def _sent(kind: Kind, name: str, value: Any, context: Context) -> Any:
    api = kind.fields[name]
    return api.clear if blank(value) and not isinstance(value, list | dict) else api.codec.encode(value, context)


def show(kind: Kind, shown: Sequence[Mapping[str, Any]], projects: Collection[str] | None, names: Names) -> None:
    """Add what the program shows of the objects in some projects, or in all (None), to their rows."""
    live, by_id = names.live(kind.name), {one.get("id"): one for one in shown}
    asked = [n for n, key in live.keys.items() if projects is None or _project(kind, key) in projects]
    for number in asked:
        found = by_id.get(number, {})
        fields = {kind.fields[name].read or name: found.get(name) for name in program_fields(kind)}
        live.replace_row(number, {**live.rows[number], **fields})


def _project(kind: Kind, key: str) -> str:
    return Address(kind.name, key).project if kind.inside else ""
