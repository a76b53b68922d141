"""What an account that is no administrator's does not see: it is never taken for absent.

If the account would not be shown an object, that is a Problem of the object: neither is it created nor does it count as
absent. If only some objects are hidden, a creation is planned with a warning.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.errors import Problem
from reconciler.model.address import CONTAINER, Address, Row, Unresolved
from reconciler.model.capabilities import PartialRows
from reconciler.model.kind import Object
from reconciler.model.name_index import Context, Names
from reconciler.model.spec import PARTIAL
from reconciler.model.visibility import ADMINISTRATOR, Hidden, Hiding, Unlisted
from reconciler.plan.archived_projects import archived, stays_visible, wanted
from reconciler.plan.draft import Draft
from reconciler.plan.operations import Warned
from reconciler.state.desired import references

ACTIVE = 1
"""The status of a project that is neither closed nor archived."""
MEMBER = f"it needs a role there that shows them; or {ADMINISTRATOR}"


def unseen(declared: Object, row: Row | None, names: Names) -> list[Problem]:
    """The Problem of an object of which nothing can be told: it, its project, or its list is not shown."""
    if names.sight is None:
        return []
    why, hint = _why_unseen(declared, row, names)
    known = [Problem(declared.source, why, str(declared.address), hint)] if why else []
    return known or (list(_nameless(declared, names)) if row is None and declared.spec.state == "absent" else [])


def _why_unseen(declared: Object, row: Row | None, names: Names) -> tuple[str, str]:
    project = declared.address.container if declared.kind.inside else declared.address
    # One that is declared archived may be just that: it is not compared, like an administrator's.
    if project.kind == CONTAINER and archived(project, names) and not _declared_archived(project, names):
        said = f'project "{project.key}" is archived, or hidden from this account'
        return said, f"it needs a role in the project; or {ADMINISTRATOR}"
    live = names.live(declared.kind.name)
    why = live.why_unseen(declared.address.project if declared.kind.inside else "")
    if row is None and why:
        unlisted = declared.kind.capability(Unlisted).advice if declared.kind.has(Unlisted) else MEMBER
        return f"cannot tell whether it exists: {why}", unlisted
    hidden = _hidden(declared, row, names)
    if hidden is not None and hidden.certain:
        return f"cannot tell whether it exists: {hidden.why}", MEMBER
    return "", ""


def _declared_archived(project: Address, names: Names) -> bool:
    return wanted(project, names) is not None and not stays_visible(project, names)


def _nameless(declared: Object, names: Names) -> Iterator[Problem]:
    """A Problem for what is identified by somebody whom the account may not see."""
    context = Context(names, declared.project)
    for field, reference in references(declared, names):
        if field in declared.kind.identity and any(names.live(kind).unseen for kind in reference.kinds):
            try:
                context.resolve(reference)
            except Unresolved as error:
                yield Problem(
                    declared.where(field), f"{field}: {error}", str(declared.address), error.hint, (), error.missing
                )


def doubts(declared: Object, row: Row | None, names: Names) -> Iterator[Warned]:
    """A warning for an object that was not found and may only be hidden."""
    hidden = _hidden(declared, row, names)
    if hidden is not None and not hidden.certain:
        gone = declared.spec.state == "absent"
        said = "not seen with this account, but may exist" if gone else "created, but may exist already"
        yield Warned(declared.address, declared.source, f"{said}: {hidden.why}")


def _hidden(declared: Object, row: Row | None, names: Names) -> Hidden | None:
    if names.sight is None or row is not None:
        return None
    home = declared.address.container
    # In a project that does not exist, nothing can be hidden; what is in an archived one is not compared.
    if not names.is_live(home) or archived(home, names):
        return None
    return declared.kind.capability(Hiding).may_hide(declared, names.sight, names)


def forbidden(draft: Draft) -> Iterator[Problem]:
    """A Problem for a change of a live object that only administrators may change."""
    gone = draft.action == "delete"
    if draft.row is not None and draft.kind.has(Unlisted) and (draft.fields or gone):
        said = f"only administrators may {'delete' if gone else 'change'} {draft.kind.plural}"
        said += f": {', '.join(change.path for change in draft.fields)} would change" if draft.fields else ""
        place = next((change.location for change in draft.fields if change.location), draft.declared.source)
        yield Problem(place, said, str(draft.address), ADMINISTRATOR)


def not_shown(draft: Draft, names: Names) -> Iterator[Warned]:
    """A warning for each field that is not compared, or may be as declared already, as the account is not shown it."""
    if draft.row is None or draft.action == "delete" or names.sight is None:
        return
    hiding, rows = draft.kind.capability(Hiding), draft.kind.capability(PartialRows)
    found = list(hiding.parts_hidden(draft.row, draft.values, draft.changed_fields, names.sight, draft.context(names)))
    if explains(draft.declared, names):
        compared = (n for n in draft.values if n not in draft.declared.spec.create_only and draft.kind.fields[n].read)
        unseen = (n for n in compared if not rows.shows(draft.kind, draft.row, n, draft.values))
        found += [(name, "not compared, as this account is not shown it") for name in unseen]
    yield from (Warned(draft.address, draft.declared.where(name), f"{name}: {why}") for name, why in found)


def explains(declared: Object, names: Names) -> bool:
    """Whether fields that a row lacks are those that the account may not see; a closed project lacks some for all."""
    container = names.row(declared.address.container) or {}
    own = declared.kind.has(Hiding) or declared.kind.has(Unlisted) or PARTIAL in (names.row(declared.address) or {})
    return names.sight is not None and own and container.get("status", ACTIVE) == ACTIVE


def dependency(other: Address) -> tuple[str, str]:
    """The sentence and hint for an object that depends on one that the account does not see."""
    return f"depends on {other}, which this account does not see", MEMBER
