"""The secrets in manifests: values of secret fields, and of fields that look like misspelled ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from reconciler.kinds import declarable, nested
from reconciler.manifest.excerpt import looks_secret
from reconciler.manifest.loader import Map, Seq
from reconciler.manifest.scalars import texts, used_in
from reconciler.masking import Secrets
from reconciler.model.address import CONTAINER
from reconciler.model.kind import Kind, nested_name
from reconciler.model.mapped import Mapped, listed


def collect(documents: Collection[Map], environ: Mapping[str, str], secrets: Secrets) -> None:
    """Add the secrets of all documents, whether their objects are valid or not."""
    lists = declarable()
    container = next(name for name, entry in lists.entries.items() if entry.name == CONTAINER)
    for kind in lists.among(_used(documents, container)):
        name = kind.plural
        fields = {field for field, api in kind.fields.items() if api.secret}
        # Most kinds have none, and their objects are not looked at.
        for body in _objects(documents, name, kind, container) if fields else ():
            for field, value in body.items():
                if field in fields or (field not in kind.fields and looks_secret(field)):
                    secrets.add(*texts(value), *used_in(value, environ))

        for value in _refused(documents, name, kind) if kind.has(Mapped) else ():
            secrets.add(*texts(value), *used_in(value, environ))


def _used(documents: Iterable[Map], container: str) -> set[str]:
    """The lists that the documents have at the top level, and of those in projects what they are called there."""
    inside = nested().entries
    projects = (project for document in documents for project in _items(document.get(container)))
    found = {inside[name].plural for project in projects for name in project if name in inside}
    return found.union(*documents)


def _refused(documents: Iterable[Map], name: str, kind: Kind) -> Iterator[Any]:
    """Values in a mapping that must not be there: a message about one quotes its line."""
    mapped = kind.capability(Mapped)
    for body in (one for document in documents for one in _items(listed(kind, document.get(name)))):
        if mapped.is_secret(str(body[kind.identity[0]])):
            yield body.get(mapped.value)


def _objects(documents: Iterable[Map], name: str, kind: Kind, container: str) -> Iterator[Map]:
    for document in documents:
        yield from _items(document.get(name))
        if kind.inside:
            for project in _items(document.get(container)):
                yield from _items(project.get(nested_name(kind)))


def _items(items: Any) -> Iterator[Map]:
    if isinstance(items, Seq):
        yield from (item for item in items if isinstance(item, Map))
