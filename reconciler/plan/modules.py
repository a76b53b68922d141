"""The project of an object, and the module that it needs there; for a new project, a setting may decide."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from reconciler.errors import Problem
from reconciler.kinds import kinds
from reconciler.kinds._server_settings import setting
from reconciler.model.address import CONTAINER, Address, Reference, Unresolved
from reconciler.model.containers import Modules
from reconciler.model.kind import Object
from reconciler.model.name_index import Context, Names
from reconciler.plan.draft import Draft
from reconciler.plan.operations import Warned


def warned(drafts: Mapping[Address, Draft], names: Names) -> Iterator[Warned]:
    """The warnings about modules."""
    yield from left_to_the_server(drafts, names)
    yield from hidden_until_then(drafts, names)


def left_to_the_server(drafts: Mapping[Address, Draft], names: Names) -> Iterator[Warned]:
    """A warning for each new project whose modules are not declared, with those that its contents need."""
    new = {address.key for address, draft in drafts.items() if address.kind == CONTAINER and draft.row is None}
    needed: defaultdict[Address, set[str]] = defaultdict(set)
    for address, draft in drafts.items() if new else ():
        if draft.kind.inside and draft.kind.inside.module and address.project in new:
            needed[address.container].add(draft.kind.inside.module)
    modules = kinds()[CONTAINER].capability(Modules)
    for project, wanted in needed.items():
        if enabled_modules(project, names) is None:
            yield Warned(project, drafts[project].declared.source, modules.undeclared(sorted(wanted)))


def hidden_until_then(drafts: Mapping[Address, Draft], names: Names) -> Iterator[Warned]:
    """A warning for each project in which objects are created whose module is off as yet: they may be there already."""
    on, used = switched_on(names), defaultdict[Address, set[str]](set)
    for address, draft in drafts.items():
        module = draft.kind.inside.module if draft.kind.inside and draft.row is None else ""
        if module and module in on.get(address.project, ()):
            used[address.container].add(module)
    for project, found in used.items():
        if project in drafts:
            yield Warned(project, drafts[project].declared.source, HIDDEN.format(", ".join(sorted(found))))


HIDDEN = "{} is off as yet, so Redmine hides what is there: it is planned as new, but not created twice"


def switched_on(names: Names) -> Mapping[str, frozenset[str]]:
    """The modules of live projects that are off, and on as declared: what they hide until then was not compared."""
    modules, found = kinds()[CONTAINER].capability(Modules), dict[str, frozenset[str]]()
    for key, spec in names.declared(CONTAINER).items():
        row = names.row(Address(CONTAINER, key))
        before = None if row is None else modules.enabled(row, None)
        if before is not None and (new := frozenset(modules.enabled(row, spec) or ()).difference(before)):
            found[key] = new
    return found


def enabled_modules(project: Address, names: Names) -> Collection[str] | None:
    """The modules that a project will have; None if that is not known."""
    row, spec = names.row(project), names.spec(project)
    enabled = kinds()[CONTAINER].capability(Modules).enabled(row, spec)
    by_default: list[str] | None = setting("default_projects_modules", names) if row is None and spec else None
    return by_default if enabled is None else enabled


def placed(declared: Object, names: Names) -> Iterator[Problem]:
    """A Problem if the project of an object neither exists nor is declared, or lacks the module of its kind."""
    # The first object of a kind in a project answers for all of them, unless there is a problem.
    right: set[tuple[str, str]] = names.memo.setdefault("placed", set())
    where = declared.kind.name, declared.address.project
    if not declared.kind.inside or where in right:
        return
    problems = [*_project(declared, names), *_module(declared, names)]
    if not problems:
        right.add(where)
    yield from problems


def _project(declared: Object, names: Names) -> Iterator[Problem]:
    try:
        Context(names).resolve(Reference((CONTAINER,), "", declared.address.project))
    except Unresolved as error:
        yield Problem(declared.where(CONTAINER), str(error), str(declared.address), error.hint, (), error.missing)


def _module(declared: Object, names: Names) -> Iterator[Problem]:
    """A Problem if the module of the object's kind is not enabled: Redmine hides all objects of it."""
    project, module = declared.address.container, declared.kind.inside.module if declared.kind.inside else ""
    modules = kinds()[CONTAINER].capability(Modules)
    enabled = enabled_modules(project, names)
    if module and enabled is not None and module not in enabled:
        message = f'requires the module {module}, which is not enabled in project "{project.key}"'
        yield Problem(declared.source, message, str(declared.address), modules.hint(module))
