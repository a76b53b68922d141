"""Which field an error is about, where that can be told.

Redmine's sentences begin with the field that they are about, by its English label ("Email is invalid") or by the name
of a custom field. Nothing but that beginning is read: a sentence in another language is about the whole object, or
about the only field that was written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from reconciler.apply.report import ItemError
from reconciler.model.codecs import join
from reconciler.model.custom_fields import CustomFields
from reconciler.model.kind import Kind
from reconciler.model.name_index import Context
from reconciler.plan.operations import Change, FieldChange


def item_error(change: Change, message: str, path: str = "") -> ItemError:
    """An error about a field of a change, or about its object."""
    return ItemError(message, path, change.place(path) if path else change.source)


def about(change: Change, message: str, fields: Iterable[FieldChange]) -> ItemError:
    """An error about all of these fields: about the one, if there is only one."""
    return item_error(change, message, _common([field.path for field in fields]))


def refused(change: Change, kind: Kind, sentence: str, sent: Collection[str], context: Context) -> ItemError:
    """An error for a sentence of the server about a write; `sent` are the paths of the fields that were in it."""
    only = _common(sent)
    if len(set(sent)) == 1:
        return item_error(change, sentence, only)
    begins = (path for label, path in _labels(kind, sent, context) if _begins(sentence, label))
    return item_error(change, sentence, next(begins, only))


def _common(paths: Collection[str]) -> str:
    """The one path, or the one field that all paths are parts of; else ""."""
    names = {path.partition(".")[0] for path in paths}
    return next(iter(paths)) if len(set(paths)) == 1 else names.pop() if len(names) == 1 else ""


def _labels(kind: Kind, sent: Iterable[str], context: Context) -> list[tuple[str, str]]:
    """(label, path) for everything that a sentence can begin with: the longest label first, then what was sent."""
    parts = [(part, path) for path in sent if (part := path.partition(".")[2])]
    fields = [(api.label, name) for name, api in kind.fields.items()]
    return sorted([*parts, *fields, *_custom_fields(kind, context)], key=lambda pair: -len(pair[0]))


def _custom_fields(kind: Kind, context: Context) -> Iterator[tuple[str, str]]:
    for name, api in kind.fields.items():
        if isinstance(api.codec, CustomFields):
            yield from ((custom, join(name, custom)) for custom in api.codec.fields(context))


def _begins(sentence: str, label: str) -> bool:
    """Whether a sentence begins with a label; Rails changes case and underscores of a name that it does not know."""
    beginning = sentence[: len(label) + 1].replace("_", " ").lower()
    return bool(label) and beginning == label.replace("_", " ").lower() + " "
