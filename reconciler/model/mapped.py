"""The capability of kinds whose objects a manifest declares as one mapping: `settings: {app_title: Our Redmine}`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from reconciler.manifest.loader import Map, Seq
from reconciler.model.capabilities import Capability

if TYPE_CHECKING:
    from reconciler.model.kind import Kind

OVERLAY, UNSET, REMOVE = "$overlay", "$unset", "remove"


class Mapped(Capability):
    """The keys of the mapping are the keys of the objects; each value is that of one field."""

    value: str = ""
    """The field that the values are of."""
    allow: str = ""
    """The key beside the objects that lists those for which a further field, of the same name, is true; "" for none."""

    def named_fields(self) -> Iterable[tuple[str, str]]:
        return ((name, field) for name, field in (("value", self.value), ("allow", self.allow)) if field)

    def is_secret(self, key: str) -> bool:
        """Whether the value of an object must not be shown, although it is refused."""
        return False


class MapItems(Seq):
    """The entries of such a mapping, each as the object that it declares."""

    __slots__ = ()


def listed(kind: Kind, items: Any) -> Any:
    """What a manifest has for a kind, as a list of objects; as it is if that is of another form."""
    if not kind.has(Mapped) or not isinstance(items, Map):
        return items
    mapped, made = kind.capability(Mapped), MapItems(items.file, items.at)
    allowed = items.get(mapped.allow)
    for name in items:
        if name not in (mapped.allow, UNSET):
            _append(made, items, name, _body(kind, items, name, allowed))
    for index, name in enumerate(items[UNSET]) if isinstance(items.get(UNSET), Seq) else ():
        one = Map(items.file, items[UNSET].marks[index], items.root)
        _set(one, kind.identity[0], name, one.at)
        _set(one, OVERLAY, REMOVE, one.at)
        made.append(one)
        made.marks.append(one.at)
    return made


def _append(made: MapItems, items: Map, name: str, body: Map) -> None:
    made.append(body)
    made.marks.append(items.marks[name])


def _body(kind: Kind, items: Map, name: str, allowed: Any) -> Map:
    """One entry as the mapping of an object; all its fields are at the place of the key."""
    mapped, origin = kind.capability(Mapped), items.origin(name)
    at = items.marks[name]
    body = Map(origin.file, at, origin.root)
    _set(body, kind.identity[0], name, at)
    _set(body, mapped.value, items[name], at)
    if isinstance(allowed, list) and name in allowed:
        _set(body, mapped.allow, "true", at)
    return body


def _set(body: Map, name: str, value: Any, at: int) -> None:
    body[name], body.marks[name] = value, at


def stray(kind: Kind, items: Any) -> Iterable[tuple[int | None, str]]:
    """(index, sentence) for what is wrong with the list of those that are allowed; None is the list itself."""
    allow = kind.capability(Mapped).allow
    if not isinstance(items, Map) or items.get(allow) is None:
        return
    if not isinstance(items[allow], Seq):
        yield None, f"{allow}: expected a list"
        return
    for index, name in enumerate(items[allow]):
        if name not in items:
            yield index, f"{allow}: {name} is not declared here"


def mapping_of(kind: Kind, bodies: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Objects as the mapping that a manifest has of them."""
    mapped, key, listed = kind.capability(Mapped), kind.identity[0], list(bodies)
    allowed = [body[key] for body in listed if body.get(mapped.allow)]
    return {**({mapped.allow: allowed} if allowed else {}), **{body[key]: body.get(mapped.value) for body in listed}}
