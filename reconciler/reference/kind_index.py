"""The text of `kinds/_index.py`, from the kinds."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.kinds import every
from reconciler.model.kind_index import Entry

HEAD = '''"""What is known of each kind without its module, in order of rank. Written by `make regen`: do not edit."""

from reconciler.model.kind_index import entry

INDEX = (
'''


def index() -> str:
    """A module with an `Entry` of each kind, one thing in a line, so that branches with new kinds merge."""
    return HEAD + "".join(line for entry in every() for line in _lines(entry)) + ")\n"


def _lines(entry: Entry) -> Iterator[str]:
    yield "    entry(\n"
    for text in (entry.name, entry.plural, entry.module, entry.nested, *sorted(entry.capabilities)):
        yield f'        "{text}",\n'
    yield "    ),\n"
