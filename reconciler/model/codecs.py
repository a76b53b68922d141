"""How a field's value is translated: what a manifest may say → its one canonical form ↔ what the API says.

Canonical values are plain data in manifest terms (names, not ids), so that plans can be shown, saved and read again.
An id that no name is known for is shown as `#12 (what Redmine calls it)`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from msgspec import field

from reconciler.model.address import Address, Reference, Unresolved
from reconciler.model.forms import ANY, NUMBER, REF, TEXT, Each, Fields, Form
from reconciler.model.name_index import Context
from reconciler.natural import natural
from reconciler.record import Record

Difference = tuple[str, Any, Any]
"""Sub-path (empty for the field itself), before, after; canonical values."""

BLANKS = re.compile(r"[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*")
UNKNOWN = re.compile(r"#\d+( \(.*\))?", re.DOTALL)
"""How a live object is shown for which no name was read."""


def blank(value: object) -> bool:
    """Redmine makes no difference between absent, null, "" and an empty list (seen on 5.0 to 6.1)."""
    # Not `not value`: False and 0 are values, and would never be sent.
    return value is None or value == "" or value == [] or value == {}


def only_blanks(text: str) -> bool:
    """Whether Redmine takes a text for none: it knows more blanks than the space (Ruby's `blank?`)."""
    return BLANKS.fullmatch(text) is not None


def join(name: str, part: str) -> str:
    """The path of a part of a field: `custom_fields.Size`."""
    return f"{name}.{part}" if part else name


class Upload(Record):
    """Stands in a payload for a file that is uploaded just before the payload is sent."""

    path: Path
    sha256: str
    name: str = ""
    """The name that it gets; "" is the file's own."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """What is sent beside its token."""
    like: int | str | None = None
    """The file on the server that it takes the place of: it gets the description that one has by then."""


class Stored(Record):
    """Stands in a manifest in the making for the path of a live file that is downloaded beside it."""

    number: int
    filename: str
    size: int | None = None
    """In bytes, as the server says; None if it does not."""


class Candidate(Record):
    """A live file that may be the one of a manifest, if it has that name and so many bytes.

    `shown` is what is known of it: `filename` and `filesize`, or nothing yet.
    """

    number: int
    filename: str
    size: int
    shown: Mapping[str, Any] | None = None


def stored(number: int, filename: str, shown: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """What a manifest in the making says for a live file, of which `shown` is what the server says.

    Raises Unresolved with the reason if it was found that it cannot be downloaded.
    """
    lost = context.names.files.get(number, {}).get("lost")
    if lost:
        raise Unresolved(lost)
    return {"file": Stored(number, filename, shown.get("filesize"))}


def digest(content: bytes) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


class Codec(Record):
    """The translation of one field's values; this one changes nothing."""

    lookups: ClassVar[tuple[str, ...]] = ()
    """Kinds whose definitions are needed to understand the values."""
    lookups_to_create: ClassVar[tuple[str, ...]] = ()
    """Kinds whose definitions say what a new object needs, even if it does not declare the field."""
    refers: ClassVar[bool] = False
    """Whether values can name other objects at all: most fields never do. Follows from `references`."""
    holds: ClassVar[bool] = False
    """Whether what the live values name cannot be deleted or locked before it is given up."""
    checks: ClassVar[bool] = False
    """Whether `faults` can find anything. Follows from it."""
    is_whole: ClassVar[bool] = True
    """Whether a value is one piece. Follows from `pieces`."""
    form: ClassVar[Form] = ANY
    """What `decode` relies on in a value of the API. The plain codec's follows from the type of the field."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.refers = cls.references is not Codec.references
        cls.checks = cls.faults is not Codec.faults
        cls.is_whole = cls.pieces is Codec.pieces

    def named_kinds(self) -> tuple[str, ...]:
        """The kinds whose objects the values name, or whose custom fields they are. Each must exist."""
        return ()

    def references(self, value: Any, context: Context) -> Iterable[Reference]:
        """The names of other objects in a manifest's or a canonical value (`context.project` is all that is used)."""
        return ()

    def faults(self, value: Any) -> Iterable[tuple[str, Unresolved]]:
        """(sub-path, what is wrong) for parts of a manifest's value that are wrong on every server."""
        return ()

    def canonical(self, value: Any, context: Context) -> Any:
        """A manifest's value in the form that is compared; raises Unresolved for a name without an object."""
        return value

    def kept(self, value: Any, context: Context) -> Any:
        """The same for the object `context.own`: what it has already may stay, even if it could not be new."""
        return self.canonical(value, context)

    def decode(self, wire: Any, context: Context) -> Any:
        """The API's value in canonical form."""
        return wire

    def encode(self, value: Any, context: Context) -> Any:
        """A canonical value as the API takes it; raises Unresolved when an object has no id (yet)."""
        return value

    def written(self, value: Any, context: Context) -> Any:
        """A canonical value as a manifest has it; raises Unresolved for one that cannot be expressed in a manifest."""
        return value

    def files(self, value: Any, wire: Any, context: Context) -> Iterable[Candidate]:
        """The live files that have to be compared with those of `value`."""
        return ()

    def is_exact(self, value: Any) -> bool:
        """Whether each database keeps a part of a canonical value as it is; else only a GET shows what became of it."""
        return True

    def why_unseen(self, part: str, context: Context) -> str:
        """Why the server never shows what is written to a part, or ""."""
        return ""

    def pieces(self, value: Any) -> Iterable[tuple[str, Any]]:
        """(sub-path, value) for each part of a manifest's value that can be wrong by itself."""
        return (("", value),)

    def parts(self, value: Any) -> Iterable[tuple[str, Any]]:
        """(sub-path, value) for each part of a canonical value that is shown and sent by itself."""
        return (("", value),)

    def equal(self, desired: Any, live: Any) -> bool:
        """Whether two canonical values are the same to Redmine."""
        return bool(desired == live) or (blank(desired) and blank(live))

    def differences(self, desired: Any, live: Any) -> list[Difference]:
        """What must change to get from `live` to `desired`."""
        return [] if self.equal(desired, live) else [("", live, desired)]


class Text(Codec):
    """A text whose line ends Redmine rewrites to CRLF (the description of an issue, 5.0 to 7.0)."""

    form = TEXT

    def canonical(self, value: Any, context: Context) -> Any:
        return value if value is None else unix_lines(value)

    def decode(self, wire: Any, context: Context) -> Any:
        return self.canonical(wire, context)


class Number(Codec):
    """A number; `empty` is what Redmine makes of null."""

    form = NUMBER
    empty: float | None = None

    def is_exact(self, value: Any) -> bool:
        return exact(value)

    def equal(self, desired: Any, live: Any) -> bool:
        # A declared null would otherwise differ from the number that Redmine makes of it, in every plan.
        left = self.empty if desired is None else desired
        right = self.empty if live is None else live
        if left is None or right is None:
            return left is right
        return bool(abs(left - right) < 1e-6)


def exact(number: float | None) -> bool:
    """Whether a number needs no more digits than MySQL keeps of one (six: Redmine's columns are single-precision)."""
    return number is None or float(f"{number:.6g}") == number


def unix_lines(text: str) -> str:
    """The text with every line end as `\\n`."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


class Ref(Codec):
    """One other object, by name. `{kind: name}` says which kind is meant, `{project:, name:}` names one elsewhere.

    `word` is the key beside `project:` there.
    """

    holds: ClassVar[bool] = True
    form: ClassVar[Form] = REF
    kinds: tuple[str, ...]
    word: str = "name"

    def named_kinds(self) -> tuple[str, ...]:
        return self.kinds

    def reference(self, value: Any, project: str) -> Reference:
        """What a manifest's or canonical value refers to (no look-up)."""
        if not isinstance(value, Mapping):
            return Reference(self.kinds, project, str(value))
        if not self.is_name(value):
            forms = " or ".join([f"{{project: …, {self.word}: …}}", *(f"{{{kind}: …}}" for kind in self.kinds)])
            raise Unresolved(f"expected a name or {forms}")
        # Before the other form: `project` is also the name of a kind, but no field refers to one by `{project: name}`.
        if "project" in value:
            return Reference(self.kinds, str(value["project"]), str(value.get(self.word, "")), exact=True)
        kind, name = next(iter(value.items()))
        return Reference((kind,), project, str(name))

    def is_name(self, value: Any) -> bool:
        """Whether a manifest's value has a form in which an object can be named."""
        if not isinstance(value, Mapping):
            return not isinstance(value, list)
        known = set(value) == {"project", self.word} or (len(value) == 1 and set(value) <= set(self.kinds))
        return known and all(isinstance(part, str) and part for part in value.values())

    def references(self, value: Any, context: Context) -> Iterable[Reference]:
        return () if blank(value) else (self.reference(value, context.project),)

    def canonical(self, value: Any, context: Context) -> Any:
        if blank(value):
            return None
        if not isinstance(value, str):
            return self.term(context.resolve(self.reference(value, context.project)), context)
        # Thousands of issues have the same tracker, and name it in the same project.
        known = context.names.memo.setdefault(("term", self.kinds, self.word, context.project), {})
        if value not in known:
            known[value] = self.term(context.resolve(self.reference(value, context.project)), context)
        return known[value]

    def term(self, address: Address, context: Context) -> Any:
        """How a manifest in `context` names an object: as short as it can be without doubt."""
        if context.names.is_inside(address.kind):
            project, name = address.project, address.own_name
            # Also for a name that the manifest gave in full: two spellings of one object must not differ.
            return name if project == context.project else {"project": project, self.word: name}
        return address.key if address.kind == self.kinds[0] else {address.kind: address.key}

    def address(self, value: Any, context: Context) -> Address:
        """The object that a canonical value names."""
        reference = self.reference(value, context.project)
        return reference.addresses(context.names.is_inside)[0]

    def decode(self, wire: Any, context: Context) -> Any:
        if not wire:
            return None
        number = wire["id"]
        known = context.names.memo.setdefault(("decoded", self.kinds, self.word, context.project), {})
        if number in known:
            return known[number]
        # A row does not say whether an assignee is a user or a group; ids of the two do not overlap (5.0 to 6.1).
        for kind in self.kinds:
            key = context.key(kind, number)
            if key is not None:
                known[number] = self.term(Address(kind, key), context)
                return known[number]
        # Not None: an object that was not read, or is not shown to the account, is not nothing.
        return unknown(wire)

    def encode(self, value: Any, context: Context) -> Any:
        return None if value is None else require_id(self.address(value, context), context)

    def written(self, value: Any, context: Context) -> Any:
        # The text may also be the real name of an object, which then is known.
        unread = isinstance(value, str) and UNKNOWN.fullmatch(value)
        if unread and not context.names.known(self.address(value, context)):
            raise Unresolved(f"this export cannot refer to {value}")
        # A user and a group can have the same name.
        others = (Address(k, value) for k in self.kinds[1:]) if isinstance(value, str) else ()
        return {self.kinds[0]: value} if any(context.names.known(context.names.canonical(a)) for a in others) else value


class RefSet(Codec):
    """A set of other objects."""

    holds: ClassVar[bool] = True
    form: ClassVar[Form] = Each(of=REF)
    of: Ref

    def named_kinds(self) -> tuple[str, ...]:
        return self.of.named_kinds()

    def references(self, value: Any, context: Context) -> Iterable[Reference]:
        return [self.of.reference(v, context.project) for v in value or ()]

    def canonical(self, value: Any, context: Context) -> Any:
        return ordered(self.of.canonical(v, context) for v in value or ())

    def decode(self, wire: Any, context: Context) -> Any:
        return ordered(self.of.decode(w, context) for w in wire or ())

    def encode(self, value: Any, context: Context) -> Any:
        return [self.of.encode(v, context) for v in value]

    def written(self, value: Any, context: Context) -> Any:
        return [self.of.written(v, context) for v in value]


class Names(Codec):
    """A set of plain names (modules); the API shows `{"id", "name"}`, and takes the names."""

    form = Each(of=Fields(of={"name": TEXT}))

    def canonical(self, value: Any, context: Context) -> Any:
        return ordered(value or ())

    def decode(self, wire: Any, context: Context) -> Any:
        return ordered(w["name"] for w in wire or ())


def ordered(values: Iterable[Any]) -> list[Any]:
    """A set in its one order: sorted, each value once."""
    # Redmine's order of a set means nothing, and can change with an update (seen on 5.0; test_trap_33).
    unique = {sort_key(v): v for v in values}
    return [unique[k] for k in sorted(unique, key=natural)]


def sort_key(value: Any) -> str:
    """A text by which canonical values of any shape are sorted."""
    if isinstance(value, Mapping):
        # DEL sorts mappings after plain names; it and the unit separator are in no real name.
        return "\x7f" + "\x1f".join(f"{k}={v}" for k, v in sorted(value.items()))
    return str(value)


def shown(value: Any) -> str:
    """A canonical value in a sentence."""
    if blank(value):
        return "nothing"
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    if isinstance(value, Mapping):
        told = {name: part for name, part in value.items() if name not in ("id", "sha256")} or value
        return ", ".join(f"{name} {shown(part)}" for name, part in told.items())
    return f'"{value}"' if isinstance(value, str) else str(value)


def unknown(wire: Mapping[str, Any]) -> str:
    """How a live object is shown for which no name was read."""
    name = wire.get("name")
    return f"#{wire['id']} ({name})" if name else f"#{wire['id']}"


def require_id(address: Address, context: Context) -> int:
    """The id of an object that must exist by now; raises Unresolved."""
    number = context.names.id(address)
    # Below zero: of the catalog, and not created yet.
    if number is None or (isinstance(number, int) and number < 0):
        raise Unresolved(f"{address} does not exist on the server")
    return number
