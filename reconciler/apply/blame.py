"""The field that an error is about, if it can be determined.

Redmine's messages begin with the field that they are about: its English label ("Email is invalid"), or the name of a
custom field. Only that beginning is read. A message in another language is about the whole object, or about the only
field that was written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from reconciler.apply.report import ItemError
from reconciler.model.capabilities import Workflow
from reconciler.model.codecs import join
from reconciler.model.custom_fields import CustomFields
from reconciler.model.kind import Kind
from reconciler.model.name_index import Context
from reconciler.plan.operations import Change, FieldChange

BLANK = " cannot be blank"
"""How Redmine's English message ends that a field needs a value (5.0 to 7.0). It only adds a hint to it."""


def item_error(change: Change, message: str, path: str = "") -> ItemError:
    """An error about a field of a change, or about its object if `path` is empty."""
    return ItemError(message, path, change.place(path) if path else change.source)


def about(change: Change, message: str, fields: Iterable[FieldChange]) -> ItemError:
    """An error about these fields; it points at the field if there is only one."""
    return item_error(change, message, _common([field.path for field in fields]))


def refused(change: Change, kind: Kind, message: str, sent: Collection[str], context: Context) -> ItemError:
    """An error for a message of the server about a write; `sent` are the paths of the fields in it."""
    only = _common(sent)
    named = next((path for label, path in _labels(kind, sent, context) if _begins(message, label)), "")
    if named and message.endswith(BLANK) and (why := kind.capability(Workflow).why_required(named, context)):
        message = f"{message} ({why})"
    # The only field that was sent is to blame, whatever the language of the message.
    return item_error(change, message, only if len(set(sent)) == 1 else named or only)


def _common(paths: Collection[str]) -> str:
    """The single path, or the single field of which all paths are parts; else ""."""
    names = {path.partition(".")[0] for path in paths}
    return next(iter(paths)) if len(set(paths)) == 1 else names.pop() if len(names) == 1 else ""


def _labels(kind: Kind, sent: Iterable[str], context: Context) -> list[tuple[str, str]]:
    """(label, path) for everything that a message can begin with.

    The longest label comes first: a custom field "Start" must not take the messages about "Start date".
    """
    parts = [(part, path) for path in sent if (part := path.partition(".")[2])]
    fields = [(api.label, name) for name, api in kind.fields.items()]
    return sorted([*parts, *fields, *_custom_fields(kind, context)], key=lambda pair: -len(pair[0]))


def _custom_fields(kind: Kind, context: Context) -> Iterator[tuple[str, str]]:
    for name, api in kind.fields.items():
        # All of them: once any is sent, Redmine also checks required fields that were not (5.0 to 6.1).
        if isinstance(api.codec, CustomFields):
            yield from ((custom, join(name, custom)) for custom in api.codec.fields(context))


def _begins(message: str, label: str) -> bool:
    """Whether a message begins with a label. Rails changes case and underscores of names without a translation."""
    # With the space after it, so that the label `Start` does not match `Started on`.
    beginning = message[: len(label) + 1].replace("_", " ").lower()
    return bool(label) and beginning == label.replace("_", " ").lower() + " "
