"""Notes of issues. An issue has at least the declared ones; a missing one is added, and others are left alone.

Redmine keeps them in the journals. Each is added by a PUT of its own, and a PUT that is sent twice adds two. So after a
lost answer the journals are read, and a run that was interrupted is completed by the next one. A note that is there is
changed by a PUT of its journal, which can be repeated; one without a text is deleted (5.0) or never shown again (6.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from reconciler.kinds._permissions import lacks
from reconciler.kinds.issues.note_pairs import Said, by_text, is_gone, paired, to_delete, unwanted
from reconciler.model.address import Reference, Row, Unresolved
from reconciler.model.codecs import UNKNOWN, Codec, Difference, Ref, blank, shown, unix_lines
from reconciler.model.forms import FLAG, REF, TEXT, WHOLE, Each, Fields
from reconciler.model.kind import Request
from reconciler.model.name_index import Context
from reconciler.model.spec import Id

USER = Ref(("user",))
TRUE = frozenset({"true", "yes", "on"})
WORDS = TRUE | {"false", "no", "off"}


def _note(value: Any) -> Any:
    text = value.get("text") if isinstance(value, Mapping) else value
    if isinstance(value, list) or blank(text) or not str(text).strip():
        raise ValueError(EXPECTED)
    if isinstance(value, Mapping):
        _check(value)
    if text == "none" and not is_gone(_mapping(value)):
        # Any attribute of a PUT to an issue that is "none" becomes "" (5.0 to 7.0).
        raise ValueError('Redmine does not store the note "none"')
    return value


def _check(value: Mapping[str, Any]) -> None:
    texts = (value.get(name, "-") for name in ("author", "changed_from"))
    if set(value) - _FIELDS.keys() or not all(isinstance(text, str) for text in texts):
        raise ValueError(EXPECTED)
    if str(value.get("private", "no")).casefold() not in WORDS:
        raise ValueError("private: expected true or false")
    if value.get("state", "present") not in ("present", "absent"):
        raise ValueError("expected state present or absent")
    if is_gone(value) and set(value) - {"text", "author", "state"}:
        raise ValueError("a note with `state: absent` has only a text and an author")
    if value.get("author") and str(value.get("private", "no")).casefold() in TRUE:
        # Redmine answers 204, and publishes the note (5.0 to 6.1).
        raise ValueError("Redmine may publish a private note that has an author: omit `author`")
    if not str(value.get("changed_from", "-")).strip():
        raise ValueError("changed_from: expected the earlier text of the note")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {"text": value}


EXPECTED = "expected a string or {text: …, author: LOGIN, private: true, changed_from: …, state: absent}"
_FIELDS: Mapping[str, Any] = {
    "text": {"type": "string"},
    "author": {"type": "string"},
    "private": {"type": ["boolean", "string"]},
    "changed_from": {"type": "string"},
    "state": {"enum": ["present", "absent"]},
}
_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string"},
        {"type": "object", "properties": _FIELDS, "required": ["text"], "additionalProperties": False},
    ]
}
Note = Annotated[Any, BeforeValidator(_note), WithJsonSchema(_SCHEMA)]
"""One note in a manifest: a text, or `{text:}` with `author:`, `private:`, `changed_from:` or `state: absent`."""


class Notes(Codec):
    """Notes in canonical form: `{text:}`, with what else is declared. Those to delete come last (`state: absent`)."""

    form = Each(
        of=Fields(of={"id": WHOLE, "notes": TEXT.optional, "user": REF.optional, "private_notes": FLAG.optional})
    )

    def references(self, value: Any, context: Context) -> Iterable[Reference]:
        items = (item for item in value or () if isinstance(item, Mapping) and item.get("author"))
        return [USER.reference(item["author"], "") for item in items]

    def faults(self, value: Any) -> Iterable[tuple[str, Unresolved]]:
        notes = [_mapping(item) for item in value or ()]
        kept = by_text(note for note in notes if not is_gone(note)) if any(map(is_gone, notes)) else {}
        for note in notes:
            others = kept.get(str(note["text"]).rstrip("\n"), ()) if is_gone(note) else ()
            if any(_clash(note, other) for other in others):
                yield "", Unresolved(f"the note {shown(note['text'])} is declared present and absent", "remove one")

    def canonical(self, value: Any, context: Context) -> Any:
        notes = [self._one(_mapping(item), context) for item in value or ()]
        return sorted(notes, key=is_gone)

    def _one(self, item: Mapping[str, Any], context: Context) -> dict[str, Any]:
        author = {"author": USER.canonical(item["author"], context)} if item.get("author") else {}
        private = {"private": str(item["private"]).casefold() in TRUE} if "private" in item else {}
        earlier = {"changed_from": unix_lines(item["changed_from"])} if "changed_from" in item else {}
        gone = {"state": "absent"} if is_gone(item) else {}
        return {"text": unix_lines(str(item["text"])), **author, **private, **earlier, **gone}

    def parts(self, value: Any) -> Iterable[tuple[str, Any]]:
        # Of a new issue there is nothing to change or to delete.
        notes = [{k: v for k, v in note.items() if k != "changed_from"} for note in value or () if not is_gone(note)]
        return (("", notes),) if notes or not value else ()

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
        pairs, gone = paired(desired, live), unwanted(desired, live)
        if not gone and not any(_wrong(*pair) for pair in pairs):
            return []
        held = [*(_as_declared(note, held) for note, held in pairs if held), *({"text": h["text"]} for h in gone)]
        # Of the rest, only what is to be done: a note to delete that is not there is no part of the change.
        return [("", held, [*(_to_do(*pair) for pair in pairs), *to_delete(desired, gone)])]

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


def _clash(gone: Said, other: Said) -> bool:
    return not gone.get("author") or not other.get("author") or bool(gone["author"] == other["author"])


def _as_declared(note: Said, held: Said) -> dict[str, Any]:
    """A live note with what is declared of it."""
    return {name: held[name] for name in ("text", "author", "private") if name in note}


def _to_do(note: Said, held: Said | None) -> Said:
    """A wanted note, with its earlier text only if that is what is changed."""
    edited = held is not None and held["text"] != note["text"]
    return note if edited else {name: part for name, part in note.items() if name != "changed_from"}


def _wrong(note: Said, held: Said | None) -> bool:
    """Whether a note is missing or differs. A private one is only published if the manifest says `private: false`."""
    return held is None or note["text"] != held["text"] or note.get("private", held["private"]) != held["private"]


def requests(wanted: Iterable[Said], row: Row, number: Id, context: Context) -> Iterator[Request]:
    """The PUT for each note that is missing, in their order, that differs, or that is to be deleted."""
    wanted, live = list(wanted), Notes().decode(row.get("journals"), context)
    for note, held in paired(wanted, live):
        private = {"private_notes": note["private"]} if "private" in note else {}
        if held is None:
            body = {"issue": {"notes": note["text"], **(private if note.get("private") else {})}}
            yield Request("PUT", f"/issues/{number}", body, login=note.get("author", ""), once=True)
        elif _wrong(note, held):
            text = {"notes": note["text"]} if note["text"] != held["text"] else {}
            # Safe to repeat, unlike the PUT above (journals can be changed from 5.0 on).
            yield Request("PUT", f"/journals/{held['id']}", {"journal": {**text, **private}})
    for held in unwanted(wanted, live):
        # There is no DELETE: a note without a text is gone (5.0 to 6.1). The changes of fields beside it stay.
        yield Request("PUT", f"/journals/{held['id']}", {"journal": {"notes": ""}}, removes=True)


def edits(wanted: Iterable[Said], live: Iterable[Said] | None) -> Iterator[Said]:
    """The live notes that are changed or deleted."""
    wanted, live = list(wanted), list(live or ())
    yield from (held for note, held in paired(wanted, live) if held is not None and _wrong(note, held))
    yield from unwanted(wanted, live)
