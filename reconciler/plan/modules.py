"""Modules of new projects that are left to a setting of the server, although what is declared inside needs them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from reconciler.kinds import kinds
from reconciler.model.address import CONTAINER, Address
from reconciler.model.containers import Modules
from reconciler.model.name_index import Names
from reconciler.plan.draft import Draft
from reconciler.plan.operations import Warned


def left_to_the_server(drafts: Mapping[Address, Draft], names: Names) -> Iterator[Warned]:
    """A warning for each new project whose modules are not declared, with those that its contents need."""
    needed: defaultdict[Address, set[str]] = defaultdict(set)
    for address, draft in drafts.items():
        if draft.kind.inside and draft.kind.inside.module:
            needed[address.container].add(draft.kind.inside.module)
    modules = kinds()[CONTAINER].capability(Modules)
    for project, wanted in needed.items():
        new = drafts.get(project)
        if new is not None and new.row is None and modules.enabled(None, names.spec(project)) is None:
            yield Warned(project, new.declared.source, modules.undeclared(sorted(wanted)))
