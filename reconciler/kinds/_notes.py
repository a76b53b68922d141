"""Notes of issues. An issue has at least the declared ones; a missing one is added, and others are left alone.

Redmine keeps them in the journals, each added by a PUT of its own; two of the same text are two. So a lost answer is
settled by reading the journals, and a run that was killed half-way is completed by the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from reconciler.codecs import UNKNOWN, Codec, Difference, Ref, blank, unix_lines
from reconciler.kind import Request
from reconciler.names import Address, Context, Reference, Row
from reconciler.spec import Id

USER = Ref(("user",))
TRUE = frozenset({"true", "yes", "on"})
WORDS = TRUE | {"false", "no", "off"}


def _note(value: Any) -> Any:
    said = "a text or {text: …, author: LOGIN, private: true} is expected"
    text = value.get("text") if isinstance(value, Mapping) else value
    if isinstance(value, list) or blank(text) or not str(text).strip():
        raise ValueError(said)
    if isinstance(value, Mapping):
        if set(value) - {"text", "author", "private"} or not isinstance(value.get("author", ""), str):
            raise ValueError(said)
        if str(value.get("private", "no")).casefold() not in WORDS:
            raise ValueError("private: true or false is expected")
    if text == "none":
        # Any attribute of a PUT to an issue that is "none" becomes "" (5.0 to 7.0).
        raise ValueError('Redmine loses a note "none"')
    return value


_FIELDS = {"text": {"type": "string"}, "author": {"type": "string"}, "private": {"type": ["boolean", "string"]}}
_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string"},
        {"type": "object", "properties": _FIELDS, "required": ["text"], "additionalProperties": False},
    ]
}
Note = Annotated[Any, BeforeValidator(_note), WithJsonSchema(_SCHEMA)]
"""One note in a manifest: a text, or `{text:, author:, private:}`."""


class Notes(Codec):
    """Notes in canonical form: `{text:}`, with `author:` and `private:` if they are declared."""

    def references(self, value: Any, context: Context) -> Iterable[Reference]:
        items = (item for item in value or () if isinstance(item, Mapping) and item.get("author"))
        return [USER.reference(item["author"], "") for item in items]

    def canonical(self, value: Any, context: Context) -> Any:
        return [self._one(item, context) for item in value or ()]

    def _one(self, item: Any, context: Context) -> dict[str, Any]:
        if not isinstance(item, Mapping):
            return {"text": unix_lines(str(item))}
        author = {"author": USER.canonical(item["author"], context)} if item.get("author") else {}
        private = {"private": True} if str(item.get("private", "no")).casefold() in TRUE else {}
        return {"text": unix_lines(str(item["text"])), **author, **private}

    def decode(self, wire: Any, context: Context) -> Any:
        journals = (j for j in wire or () if not blank(j.get("notes")))
        return [
            {
                "text": unix_lines(j["notes"]),
                "author": USER.decode(j.get("user"), context),
                "private": bool(j.get("private_notes")),
            }
            for j in journals
        ]

    def written(self, value: Any, context: Context) -> Any:
        return [self._written(note, context) for note in value or () if not unsayable(note)]

    def _written(self, note: Mapping[str, Any], context: Context) -> Any:
        author = {"author": note["author"]} if not _unfit(note["author"], context) else {}
        private = {"private": True} if note["private"] else {}
        return {"text": note["text"], **author, **private} if author or private else note["text"]

    def differences(self, desired: Any, live: Any) -> list[Difference]:
        left = missing(desired, live)
        return [("", [note for note in desired if note not in left], desired)] if left else []

    def equal(self, desired: Any, live: Any) -> bool:
        return not missing(desired, live)


def unsayable(note: Mapping[str, Any]) -> str:
    """Why a live note cannot be in a manifest, or ""."""
    if not note["text"].strip():
        return "a note of blanks is left out"
    return 'a note "none" is left out: Redmine loses it' if note["text"] == "none" else ""


def doubts(wire: Any, context: Context) -> Iterator[str]:
    """Sentences on what no manifest says of an issue's notes."""
    notes = Notes().decode(wire, context)
    yield from dict.fromkeys(filter(None, map(unsayable, notes)))
    unfit = sum(_unfit(note["author"], context) for note in notes)
    if unfit:
        yield f"{unfit} of them are without their author, who has no account, or is no member of the private project"


def _unfit(author: Any, context: Context) -> bool:
    """Whether nobody of that login could write a note on another server."""
    return not isinstance(author, str) or bool(UNKNOWN.fullmatch(author)) or outsider(author, context)


def outsider(login: str, context: Context) -> bool:
    """Whether a user can do nothing in a project: it is private, and the user neither a member nor an administrator."""
    members = context.names.ids.get("membership", {})
    user = context.names.row(Address("user", login)) or {}
    project = context.names.row(Address("project", context.project)) or {}
    private = bool(members) and not project.get("is_public", True)
    return private and not user.get("admin") and f"{context.project}/user:{login}" not in members


def missing(desired: Iterable[Mapping[str, Any]], live: Iterable[Mapping[str, Any]] | None) -> list[Mapping[str, Any]]:
    """The wanted notes that are not among the live ones, each of which stands for one."""
    held = list(live or ())
    left = []
    for note in desired:
        found = next((h for h in held if all(h[k] == v for k, v in {"private": False, **note}.items())), None)
        if found is None:
            left.append(note)
        else:
            held.remove(found)
    return left


def requests(wanted: Iterable[Mapping[str, Any]], row: Row, number: Id, context: Context) -> Iterator[Request]:
    """The PUT for each note that is missing, in their order."""
    for note in missing(wanted, Notes().decode(row.get("journals"), context)):
        private = {"private_notes": True} if note.get("private") else {}
        body = {"issue": {"notes": note["text"], **private}}
        yield Request("PUT", f"/issues/{number}", body, login=note.get("author", ""), once=True)
