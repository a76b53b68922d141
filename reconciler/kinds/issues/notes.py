"""Notes of issues. An issue has at least the declared ones; a missing one is added, and others are left alone.

Redmine keeps them in the journals. Each is added by a PUT of its own, and a PUT that is sent twice adds two. So after a
lost answer the journals are read, and a run that was interrupted is completed by the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from reconciler.kinds._permissions import lacks
from reconciler.model.address import Reference, Row
from reconciler.model.codecs import UNKNOWN, Codec, Difference, Ref, blank, unix_lines
from reconciler.model.kind import Request
from reconciler.model.name_index import Context
from reconciler.model.spec import Id

USER = Ref(("user",))
TRUE = frozenset({"true", "yes", "on"})
WORDS = TRUE | {"false", "no", "off"}


def _note(value: Any) -> Any:
    message = "expected a string or {text: …, author: LOGIN, private: true}"
    text = value.get("text") if isinstance(value, Mapping) else value
    if isinstance(value, list) or blank(text) or not str(text).strip():
        raise ValueError(message)
    if isinstance(value, Mapping):
        if set(value) - {"text", "author", "private"} or not isinstance(value.get("author", ""), str):
            raise ValueError(message)
        if str(value.get("private", "no")).casefold() not in WORDS:
            raise ValueError("private: expected true or false")
        if value.get("author") and str(value.get("private", "no")).casefold() in TRUE:
            # Redmine answers 204, and publishes the note (5.0 to 6.1).
            raise ValueError("Redmine may publish a private note that has an author: omit `author`")
    if text == "none":
        # Any attribute of a PUT to an issue that is "none" becomes "" (5.0 to 7.0).
        raise ValueError('Redmine does not store the note "none"')
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
        # A journal without notes records a change of fields.
        journals = (j for j in wire or () if not blank(j.get("notes")))
        return [
            {
                "text": unix_lines(j["notes"]),
                "author": USER.decode(j.get("user"), context),
                "private": bool(j.get("private_notes")),
                "id": j.get("id"),
            }
            for j in journals
        ]

    def written(self, value: Any, context: Context) -> Any:
        return [self._written(note, context) for note in value or () if not unsayable(note)]

    def _written(self, note: Mapping[str, Any], context: Context) -> Any:
        # A private note is exported without its author: Redmine would publish it if that user may not write such.
        fit = not note["private"] and not _unfit(note["author"], context)
        author = {"author": note["author"]} if fit else {}
        private = {"private": True} if note["private"] else {}
        return {"text": note["text"], **author, **private} if author or private else note["text"]

    def differences(self, desired: Any, live: Any) -> list[Difference]:
        pairs = paired(desired, live)
        return [("", [n for n, held in pairs if held], desired)] if any(_wrong(*pair) for pair in pairs) else []

    def equal(self, desired: Any, live: Any) -> bool:
        return not self.differences(desired, live)


def unsayable(note: Mapping[str, Any]) -> str:
    """Why a live note cannot be expressed in a manifest, or ""."""
    if not note["text"].strip():
        return "a blank note is left out"
    return 'the note "none" is left out: Redmine does not store it' if note["text"] == "none" else ""


def doubts(wire: Any, context: Context) -> Iterator[str]:
    """Sentences on notes of an issue that a manifest cannot hold, or not completely."""
    notes = Notes().decode(wire, context)
    yield from dict.fromkeys(filter(None, map(unsayable, notes)))
    unfit = sum(_unfit(note["author"], context) for note in notes)
    if unfit:
        yield f"{unfit} without the author, who has no account or may not add notes there"
    hidden = sum(note["private"] and not _unfit(note["author"], context) for note in notes)
    if hidden:
        yield f"{hidden} private without the author: Redmine might publish it otherwise"


def _unfit(author: Any, context: Context) -> bool:
    """Whether the author could not write the note on another server."""
    return not isinstance(author, str) or bool(UNKNOWN.fullmatch(author)) or lacks(author, "add_issue_notes", context)


Said = Mapping[str, Any]


def paired(desired: Iterable[Said], live: Iterable[Said] | None) -> list[tuple[Said, Said | None]]:
    """Each wanted note with the live one of the same text and author, if there is one left."""
    held, pairs = list(live or ()), list[tuple[Said, Said | None]]()
    for note in desired:
        alike = [h for h in held if h["text"] == note["text"] and note.get("author", h["author"]) == h["author"]]
        # Of equal notes the one that is as private as declared, so that no other one is changed for it.
        partner = next((h for h in alike if h["private"] == bool(note.get("private"))), next(iter(alike), None))
        pairs.append((note, partner))
        if partner is not None:
            # Each live note counts once: the same text declared twice means two notes.
            held.remove(partner)
    return pairs


def _wrong(note: Said, held: Said | None) -> bool:
    """Whether a note is missing, or is public although it is declared private."""
    # Never the other way: a private note is not published because a manifest does not say `private`.
    return held is None or (bool(note.get("private")) and not held["private"])


def requests(wanted: Iterable[Said], row: Row, number: Id, context: Context) -> Iterator[Request]:
    """The PUT for each note that is missing, in their order, or that is declared private and is public."""
    for note, held in paired(wanted, Notes().decode(row.get("journals"), context)):
        private = {"private_notes": True} if note.get("private") else {}
        if held is None:
            body = {"issue": {"notes": note["text"], **private}}
            yield Request("PUT", f"/issues/{number}", body, login=note.get("author", ""), once=True)
        elif _wrong(note, held):
            # Safe to repeat, unlike the PUT above (journals can be changed from 5.0 on).
            yield Request("PUT", f"/journals/{held['id']}", {"journal": private})
