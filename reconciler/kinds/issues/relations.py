"""Relations between issues: each is one thing on the server, seen from two sides.

In canonical form the relations of an issue are a mapping: `blocks shop/login` → its delay, or true; None is one to
delete. Redmine stores four of the nine types reversed, `relates` with the lower id first, and one relation for each
ordered pair of issues (5.0 to 6.1), so they are always read from the issue's own side.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from reconciler import natural
from reconciler.kinds.issues.ancestry import ISSUE, related
from reconciler.model.address import Address, Reference, Row, Unresolved, split_key
from reconciler.model.codecs import Codec, Difference, blank, require_id
from reconciler.model.forms import TEXT, WHOLE, Each, Fields
from reconciler.model.kind import Request
from reconciler.model.name_index import Context, Names
from reconciler.model.spec import Id

REVERSE = {
    "relates": "relates",
    "blocks": "blocked",
    "precedes": "follows",
    "duplicates": "duplicated",
    "copied_to": "copied_from",
}
REVERSE |= {other: name for name, other in REVERSE.items()}
TYPES = tuple(REVERSE)
DELAYED = frozenset({"precedes", "follows"})


def _relation(value: Any) -> Any:
    said = f"expected {{TYPE: KEY}} with one of {', '.join(TYPES)} (and delay: DAYS for precedes and follows)"
    if not isinstance(value, Mapping):
        raise ValueError(said)
    types = [name for name in value if name in REVERSE]
    if len(types) != 1 or set(value) - {types[0], *(("delay",) if types[0] in DELAYED else ())}:
        raise ValueError(said)
    if blank(value[types[0]]) or not ISSUE.is_name(value[types[0]]):
        raise ValueError(f"{types[0]}: expected the key of an issue, or {{project: …, key: …}}")
    if not re.fullmatch("-?[0-9]{1,9}", str(value.get("delay", 0))):
        raise ValueError("delay: expected a whole number of days")
    return value


_PROPERTIES = {
    **{name: {"description": "Key of an issue, or {project:, key:}."} for name in TYPES},
    "delay": {"description": "Days between the two issues, for precedes and follows. Default: 0."},
}
_SCHEMA: dict[str, Any] = {"type": "object", "properties": _PROPERTIES, "additionalProperties": False}
Relation = Annotated[Any, BeforeValidator(_relation), WithJsonSchema(_SCHEMA)]
"""One relation in a manifest: `{blocks: KEY}`."""


class Relations(Codec):
    """All relations of an issue; those that another issue declares with it are that issue's."""

    form = Each(
        of=Fields(
            of={"id": WHOLE, "issue_id": WHOLE, "issue_to_id": WHOLE, "relation_type": TEXT, "delay": WHOLE.optional}
        )
    )

    def references(self, value: Any, context: Context) -> Iterable[Reference]:
        if isinstance(value, Mapping):
            # Canonical already (of a saved plan): its keys have the project, so it is looked up exactly.
            return [Reference((a.kind,), a.project, a.own_name, True) for a in _named(value)]
        return [ISSUE.reference(item[_type(item)], context.project) for item in value or ()]

    def faults(self, value: Any) -> Iterable[tuple[str, Unresolved]]:
        seen: set[str] = set()
        for item in value or ():
            other = str(item[_type(item)])
            if other in seen:
                yield "", Unresolved(f"several relations with {other}", "remove one of them")
            seen.add(other)

    def canonical(self, value: Any, context: Context) -> Any:
        parts: dict[str, Any] = {}
        # An issue can have thousands of relations: by issue, what was taken of them.
        types: dict[Address, str] = {}
        for item in value or ():
            self._take(parts, types, item, context)
        # All relations are declared, so live ones that nobody declares are deleted: they are part of the value.
        live = self.decode((context.names.row(_own(context)) or {}).get("relations"), context)
        gone = {p: None for p in live if p not in parts and not _others(p, context) and _ends(p, context)}
        return {**dict(natural.items(parts)), **gone}

    def _take(
        self, parts: dict[str, Any], types: dict[Address, str], item: Mapping[str, Any], context: Context
    ) -> None:
        kind, own = _type(item), _own(context)
        other = context.resolve(ISSUE.reference(item[kind], context.project))
        if other == own:
            raise Unresolved("an issue cannot be related to itself")
        # Redmine refuses it (422, 5.0 to 6.1), also for more than one level.
        if related(own, other, context.names):
            raise Unresolved(f"an issue and its subtask cannot be related: {other}")
        theirs = _declared_with(own, context.names).get(other, {})
        if theirs and REVERSE[kind] not in theirs:
            raise Unresolved(f"{other} declares another relation with it: {', '.join(theirs)}", "remove one of them")
        # A delay is one number on the server, whichever side declares it.
        if theirs and kind in DELAYED and theirs[REVERSE[kind]] != int(item.get("delay", 0)):
            said = f"{other} declares the same relation with a delay of {theirs[REVERSE[kind]]} days"
            raise Unresolved(said, "declare the same delay in both, or the relation only once")
        # Redmine keeps one relation for each ordered pair, whatever the type (5.0 to 6.1).
        if other in types:
            raise Unresolved(f"several relations with {other}: {types[other]} and {kind}", "remove one of them")
        # Declared on both sides: the lower address writes it, or both would POST it and one get a 422.
        if not theirs or own < other:
            parts[f"{kind} {other.key}"] = {"delay": int(item.get("delay", 0))} if kind in DELAYED else True
            types[other] = kind

    def decode(self, wire: Any, context: Context) -> Any:
        own = context.names.id(_own(context))
        return {part: _value(row) for row in wire or () if (part := seen(row, own, context))}

    def written(self, value: Any, context: Context) -> Any:
        """Each relation is written once, by the issue whose address comes first, if both are exported."""
        own, items, exported = _own(context), [], context.names.exported
        for part, wanted in (value or {}).items():
            kind, _, key = part.partition(" ")
            if "/" not in key:
                raise Unresolved(f"{kind} {key}: the issue is not part of this export")
            other = Address("issue", key)
            if own < other or (exported is not None and other not in exported):
                name = ISSUE.term(other, context)
                delay = {"delay": wanted["delay"]} if isinstance(wanted, Mapping) and wanted["delay"] else {}
                items.append({kind: name, **delay})
        return items

    def parts(self, value: Any) -> Iterable[tuple[str, Any]]:
        return ((part, wanted) for part, wanted in (value or {}).items() if wanted is not None)

    def differences(self, desired: Any, live: Any) -> list[Difference]:
        held = live or {}
        return [(part, held.get(part), wanted) for part, wanted in desired.items() if wanted != held.get(part)]

    def equal(self, desired: Any, live: Any) -> bool:
        return not self.differences(desired, live)


def _own(context: Context) -> Address:
    assert context.own is not None, "relations are seen from an issue"
    return context.own


def _type(item: Mapping[str, Any]) -> str:
    return next(name for name in item if name in REVERSE)


def _value(row: Row) -> Any:
    return {"delay": int(row.get("delay") or 0)} if row["relation_type"] in DELAYED else True


def _named(value: Mapping[str, Any]) -> Iterator[Address]:
    """The issues that canonical relations name; not those without a key, and of relations to delete."""
    keys = (part.partition(" ")[2] for part, wanted in value.items() if wanted is not None)
    return (Address("issue", key) for key in keys if "/" in key)


def seen(row: Row, own: Id | None, context: Context) -> str:
    """A live relation from the side of the issue `own`: `blocks shop/login`."""
    here = row["issue_id"] == own
    other = row["issue_to_id" if here else "issue_id"]
    # A plugin can have added types of its own.
    kind = row["relation_type"] if here else REVERSE.get(row["relation_type"], row["relation_type"])
    return f"{kind} {context.key('issue', other) or f'#{other}'}"


def _others(part: str, context: Context) -> bool:
    """Whether the issue on the other side declares the relation."""
    kind, _, key = part.partition(" ")
    return REVERSE.get(kind, kind) in _declared_with(_own(context), context.names).get(Address("issue", key), ())


def _ends(part: str, context: Context) -> bool:
    """Whether this issue deletes a relation. Only one of the two does: SQLite gives the id to the next new relation.
    If both could, it is the one whose dates or status Redmine refuses as long as the relation is there."""
    kind, _, key = part.partition(" ")
    other = Address("issue", key)
    if kind in HELD_UP or not _declares(other, context.names):
        return True
    return REVERSE.get(kind) not in HELD_UP and _own(context) < other


HELD_UP = ("follows", "blocked")  # what an issue has with one that must be changed before it


def ended_by_others(values: Mapping[str, Any], row: Row | None, context: Context) -> Iterator[Address]:
    """The issues that delete a relation with this one before Redmine takes another one between the two."""
    declared = values.get("relations") or {}
    new = {part.partition(" ")[2] for part, wanted in declared.items() if wanted is not None}
    for part in Relations().decode((row or {}).get("relations"), context) if new else ():
        key = part.partition(" ")[2]
        if part not in declared and key in new and not _others(part, context) and not _ends(part, context):
            yield Address("issue", key)


Declared = Mapping[Address, Mapping[str, int]]


def _declared_with(address: Address, names: Names) -> Declared:
    """The issues that declare relations with this one → the types, as they declare them, and the delays."""
    if "relations" not in names.memo:
        by_other: defaultdict[Address, defaultdict[Address, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
        for key, spec in names.declared("issue").items():
            for kind, other, delay in _of(spec.relations, split_key(key)[0], names):
                by_other[other][Address("issue", key)][kind] = delay
        names.memo["relations"] = by_other
    known: Mapping[Address, Declared] = names.memo["relations"]
    return known.get(address, {})


def _of(relations: Any, project: str, names: Names) -> Iterator[tuple[str, Address, int]]:
    """(type, other issue, delay) of declared relations, as a manifest or a saved plan has them."""
    if isinstance(relations, Mapping):
        for part, wanted in relations.items():
            kind, _, key = part.partition(" ")
            yield kind, Address("issue", key), int(wanted.get("delay", 0)) if isinstance(wanted, Mapping) else 0
        return
    for item in relations or ():
        kind = _type(item)
        other = ISSUE.reference(item[kind], project).addresses(names.is_inside)[0]
        yield kind, other, int(item.get("delay", 0))


def deletions(values: Mapping[str, Any], row: Row, number: Id, context: Context) -> Iterator[Request]:
    """The requests for the relations that are deleted, or replaced: the API has no update (5.0 to 7.0)."""
    held = {part: live for live in row.get("relations") or () if (part := seen(live, number, context))}
    for part in values:
        if part in held:
            yield Request("DELETE", f"/relations/{held[part]['id']}")


def creations(values: Mapping[str, Any], number: Id, context: Context) -> Iterator[Request]:
    """The requests for new relations. Raises Unresolved for an issue without an id."""
    for part, wanted in values.items():
        if wanted is not None:
            kind, _, key = part.partition(" ")
            body = {"issue_to_id": require_id(Address("issue", key), context), "relation_type": kind}
            more = wanted if isinstance(wanted, Mapping) else {}
            # `once`: a second POST is a 422, which would make a relation that arrived look refused.
            yield Request("POST", f"/issues/{number}/relations", {"relation": {**body, **more}}, once=True)


def blockers(row: Row) -> list[int]:
    """The numbers of the issues that block a live one."""
    blocking = (r for r in row.get("relations") or () if r["relation_type"] == "blocks")
    # `blocked` is stored reversed, as `blocks` (5.0 to 6.1), so one type is enough.
    return [r["issue_id"] for r in blocking if r["issue_to_id"] == row["id"]]


def others(values: Mapping[str, Any], row: Row | None, context: Context) -> Iterator[Address]:
    """The issues that an issue has relations with, as declared or live."""
    live = Relations().decode((row or {}).get("relations"), context)
    keys = (part.partition(" ")[2] for part in {**live, **(values.get("relations") or {})})
    yield from (Address("issue", key) for key in keys if "/" in key)


def predecessors(row: Row | None, context: Context) -> Iterator[Address]:
    """The issues that precede a live one until their own change is made: one that will go on to do so, and one that
    ends the relation, or is deleted. A new relation holds up nothing, as it is made after the dates are set.
    """
    own = _own(context)
    ended_here, stay = _declares(own, context.names), preceding(own, context.names)
    yield from (one for one in live_predecessors(row, context) if one in stay or not ended_here)
    yield from _going("follows", row, context)


def live_predecessors(row: Row | None, context: Context) -> dict[Address, int]:
    """The issues that precede a live one, with the delays in days."""
    return dict(_follows(Relations().decode((row or {}).get("relations"), context)))


def preceding(own: Address, names: Names) -> Mapping[Address, int]:
    """The issues that will precede one, with the delays in days."""
    return _preceding(names).get(own, {})


def any_precedes(names: Names) -> bool:
    """Whether there are such issues."""
    return bool(_preceding(names))


def _preceding(names: Names) -> Mapping[Address, Mapping[Address, int]]:
    if "preceding" not in names.memo:
        found: defaultdict[Address, dict[Address, int]] = defaultdict(dict)
        for one, kind, other, delay in (*_all_declared(names), *_all_live(names)):
            if kind in DELAYED:
                first, second = (one, other) if kind == "precedes" else (other, one)
                found[second][first] = delay
        names.memo["preceding"] = found
    known: Mapping[Address, Mapping[Address, int]] = names.memo["preceding"]
    return known


def _follows(parts: Mapping[str, Any]) -> Iterator[tuple[Address, int]]:
    for part, value in parts.items():
        kind, _, key = part.partition(" ")
        if kind == "follows" and "/" in key and isinstance(value, Mapping):
            yield Address("issue", key), value["delay"]


def blocked(row: Row | None, context: Context) -> Iterator[Address]:
    """The issues that an issue will block, or does until they are deleted: Redmine does not close them before it."""
    yield from planned("blocks", context.names).get(_own(context), ())
    yield from _going("blocks", row, context)


def _going(kind: str, row: Row | None, context: Context) -> Iterator[Address]:
    """The issues with a live relation to one that are declared absent: it goes with them, and not before."""
    absent = context.names.absent("issue")
    for part in Relations().decode((row or {}).get("relations"), context) if absent else ():
        said, _, key = part.partition(" ")
        if said == kind and key in absent:
            yield Address("issue", key)


def planned(kind: str, names: Names) -> dict[Address, set[Address]]:
    """The issues that will have relations of a kind (`precedes`, `blocks`) → those that they have them with."""
    if f"planned {kind}" not in names.memo:
        graph: defaultdict[Address, set[Address]] = defaultdict(set)
        for one, said, other, _ in (*_all_declared(names), *_all_live(names)):
            if said in (kind, REVERSE[kind]):
                first, second = (one, other) if said == kind else (other, one)
                graph[first].add(second)
        names.memo[f"planned {kind}"] = dict(graph)
    known: dict[Address, set[Address]] = names.memo[f"planned {kind}"]
    return known


def both_declare(one: Address, other: Address, names: Names) -> bool:
    """Whether each of two issues declares a relation with the other."""
    return other in _declared_with(one, names) and one in _declared_with(other, names)


def blocking(own: Address, names: Names) -> list[Address]:
    """The issues that will block one."""
    if "blocking" not in names.memo:
        blockers: defaultdict[Address, list[Address]] = defaultdict(list)
        for one, others in sorted(planned("blocks", names).items()):
            for other in others:
                blockers[other].append(one)
        names.memo["blocking"] = blockers
    known: Mapping[Address, list[Address]] = names.memo["blocking"]
    return known.get(own, [])


Planned = Iterator[tuple[Address, str, Address, int]]
"""An issue, the type of a relation, the other issue, and the delay."""


def _all_declared(names: Names) -> Planned:
    for key, spec in names.declared("issue").items():
        for kind, other, delay in _of(spec.relations, split_key(key)[0], names) if spec.relations else ():
            yield Address("issue", key), kind, other, delay


def _all_live(names: Names) -> Planned:
    """The live relations between issues neither of which declares its relations: those stay."""
    live, gone = names.live("issue"), {Address("issue", key) for key in names.absent("issue")}
    for number, row in live.rows.items():
        for relation in row.get("relations") or ():
            ends = [live.keys.get(relation[end]) for end in ("issue_id", "issue_to_id")]
            if relation["issue_id"] == number and all(ends) and relation["relation_type"] in REVERSE:
                first, second = (Address("issue", str(end)) for end in ends)
                if not {first, second} & gone and not (_declares(first, names) or _declares(second, names)):
                    yield first, relation["relation_type"], second, relation.get("delay") or 0


def _declares(one: Address, names: Names) -> bool:
    spec = names.spec(one)
    return spec is not None and "relations" in spec.model_fields_set
