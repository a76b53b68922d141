"""Relations and parents that Redmine refuses: circles of relations, other projects, open issues below closed ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.kinds._server_settings import setting
from reconciler.kinds.issues import relations
from reconciler.kinds.issues.ancestry import below
from reconciler.kinds.issues.spec import PARENT, closed_parent, closes
from reconciler.model.address import Address, Row
from reconciler.model.circles import circles
from reconciler.model.name_index import Context, Names

TRACKING = "Administration → Settings → Issue tracking"
Graph = dict[Address, set[Address]]


def refused(row: Row | None, values: Mapping[str, Any], context: Context) -> Iterator[tuple[str, str, str]]:
    """(field, sentence, hint) for what Redmine refuses of the links of an issue, or drops without an error."""
    for kind, circle in _circles(context.names).get(context.own, ()) if context.own else ():
        path = f" {kind} ".join(_short(one, context) for one in circle)
        yield "relations", f"a circle of relations, which Redmine refuses: {path}", "remove one of them"
    yield from _open_ones(row, values, context)


def doubted(row: Row | None, values: Mapping[str, Any], context: Context) -> Iterator[tuple[str, str]]:
    """(field, sentence) for links to other projects: Redmine takes them by settings that the API does not show."""
    names = context.names
    declared = values.get("relations") or {}
    live = relations.Relations().decode((row or {}).get("relations"), context) if declared else {}
    for part, wanted in declared.items():
        other = Address("issue", part.partition(" ")[2])
        if wanted is not None and part not in live and other.project != context.project and not _relates_abroad(names):
            said = f'{other.key} is in another project: refused unless "Allow cross-project issue relations" is on'
            yield "relations", f"{said} ({TRACKING})"
    parent = PARENT.address(values["parent"], context) if values.get("parent") else None
    if parent and _is_abroad(parent.project, context.project, names) and _moves(row, parent, names):
        said = f'{parent.key} is in a project of another tree: refused unless "Allow cross-project subtasks" is'
        yield "parent", f'{said} "With all projects" ({TRACKING})'


def _short(one: Address, context: Context) -> str:
    return one.own_name if one.project == context.project else one.key


def _moves(row: Row | None, parent: Address, names: Names) -> bool:
    """Whether an issue gets another parent."""
    return row is None or (row.get("parent") or {}).get("id") != names.id(parent)


def _is_abroad(parent: str, project: str, names: Names) -> bool:
    """Whether a parent in another project may be refused."""
    everywhere = setting("cross_project_subtasks", names) == "system"
    return not everywhere and _root(parent, names) != _root(project, names)


def _root(project: str, names: Names) -> str:
    return (names.ancestors(project) or [project])[-1]


def _relates_abroad(names: Names) -> bool:
    """Whether issues of different projects can be related: by a setting, if that is known, or as live ones are."""
    if setting("cross_project_issue_relations", names) is True:
        return True
    if "relates abroad" not in names.memo:
        names.memo["relates abroad"] = _any_abroad(names)
    return bool(names.memo["relates abroad"])


def _any_abroad(names: Names) -> bool:
    rows = names.live("issue").rows
    ends = ((r["issue_id"], r["issue_to_id"]) for row in rows.values() for r in row.get("relations") or ())
    homes = ([(rows.get(number) or {}).get("project", {}).get("id") for number in pair] for pair in ends)
    return any(None not in pair and pair[0] != pair[1] for pair in homes)


# -- circles ---------------------------------------------------------------------------------------------------


def _circles(names: Names) -> Mapping[Address | None, list[tuple[str, list[Address]]]]:
    """The circles of relations, each at the first of its declared issues."""
    if "circles" not in names.memo:
        found: defaultdict[Address | None, list[tuple[str, list[Address]]]] = defaultdict(list)
        for kind in ("precedes", "blocks"):
            for circle in _all_circles(relations.planned(kind, names)):
                # Two issues that declare one relation each are told of that already.
                if len(circle) == 3 and relations.both_declare(circle[0], circle[1], names):
                    continue
                declared = [one for one in circle if names.spec(one) is not None]
                # Without a declared issue it is there already, whatever Redmine says of new ones.
                found[min(declared, default=None)].append((kind, circle))
        names.memo["circles"] = found
    known: Mapping[Address | None, list[tuple[str, list[Address]]]] = names.memo["circles"]
    return known


def _all_circles(graph: Graph) -> Iterator[list[Address]]:
    for circle in circles(graph):
        # The search may begin anywhere, and a message must not change by itself.
        nodes = circle[1:]
        start = nodes.index(min(nodes))
        yield [*nodes[start:], *nodes[: start + 1]]


# -- open and closed -------------------------------------------------------------------------------------------


def _open_ones(row: Row | None, values: Mapping[str, Any], context: Context) -> Iterator[tuple[str, str, str]]:
    own, status = context.own, values.get("status")
    if own is None:
        return
    if status and closes(status, context) and (row is None or row["status"]["name"] != status):
        open_ones = [one for one in below(own, context.names) if _stays_open(one, context)]
        blocking = [one for one in relations.blocking(own, context.names) if _stays_open(one, context)]
        for ones, what in ((open_ones, "its subtasks stay open"), (blocking, "open issues block it")):
            if ones:
                said = f"Redmine leaves it open, as {what}: {', '.join(_short(one, context) for one in ones)}"
                yield "status", said, "close these too"
    elif values.get("parent") and closed_parent(values["parent"], context) and _stays_open(own, context):
        parent = PARENT.address(values["parent"], context)
        if _moves(row, parent, context.names):
            said = f"{_short(parent, context)} is closed and takes no open subtasks"
            yield "parent", said, "declare an open status of the parent, or a closed one here"


def _stays_open(one: Address, context: Context) -> bool:
    """Whether an issue will certainly be open."""
    row, spec = context.names.row(one), context.names.spec(one)
    if spec is not None and spec.status is not None and not (row and "status" in spec.create_only):
        return _is_open(spec.status, context)
    if row is None:
        return _starts_open(getattr(spec, "tracker", None), context)
    return row["status"].get("is_closed") is False and one.key not in context.names.absent("issue")


def _starts_open(tracker: str | None, context: Context) -> bool:
    """Whether a new issue certainly gets an open status, the default of its tracker."""
    rows = context.names.live("tracker").rows.values()
    # Without a declared tracker it is any of them.
    defaults = [row.get("default_status") for row in rows if tracker in (None, row["name"])]
    return bool(defaults) and all(status and _is_open(status["name"], context) for status in defaults)


def _is_open(status: str, context: Context) -> bool:
    return context.names.is_live(Address("issue_status", status)) and not closes(status, context)
