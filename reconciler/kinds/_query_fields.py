"""The fields of queries: filters, columns and orders, by the names of Redmine's fields and of custom fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from reconciler.model.address import Reference
from reconciler.model.catalog import Named
from reconciler.model.codecs import Codec, ordered
from reconciler.model.custom_fields import definition_of
from reconciler.model.forms import ANY
from reconciler.model.name_index import Context

OPERATORS: Mapping[str, str] = {
    "is": "=",
    "is_not": "!",
    "open": "o",
    "closed": "c",
    "any": "*",
    "none": "!*",
    "contains": "~",
    "contains_not": "!~",
}
"""Words for the most usual of Redmine's operators (`Query.operators`)."""
WORDS = {sign: word for word, sign in OPERATORS.items()}
WITHOUT_VALUES = frozenset(
    {"o", "c", "!*", "*", "nd", "t", "ld", "nw", "w", "lw", "l2w", "nm", "m", "lm", "y", "*o", "!o"}
)
"""The operators that take no values (`validate_query_filters`)."""
IDS = frozenset(
    {
        "status",
        "project",
        "subproject",
        "tracker",
        "priority",
        "author",
        "assigned_to",
        "watcher",
        "category",
        "fixed_version",
        "parent",
        "child",
        "issue",
        "user",
        "activity",
    }
)
"""The filters that Redmine calls with `_id`."""
KINDS: Mapping[str, str] = {
    "status": "issue_status",
    "tracker": "tracker",
    "priority": "issue_priority",
    "activity": "time_entry_activity",
}
"""The filters whose values are objects of the catalog."""
PEOPLE = frozenset({"author", "assigned_to", "watcher", "user", "updated_by", "last_updated_by", "member_of_group"})
"""The filters whose values are logins, or names of groups."""
PROJECTS = ("project", "subproject", "id", "parent")
"""The filters whose values are identifiers of projects; the last two in queries that list projects, and no number of an
issue is one."""
CORE = frozenset(
    {
        *IDS,
        *("id", "subject", "description", "notes", "created_on", "updated_on", "closed_on", "start_date", "due_date"),
        *("estimated_hours", "spent_time", "done_ratio", "is_private", "member_of_group", "assigned_to_role"),
        *("attachment", "attachment_description", "updated_by", "last_updated_by", "any_searchable", "relates"),
        *("spent_on", "comments", "hours", "name", "is_public", "homepage", "identifier", "short_description"),
        *("watcher_users", "estimated_remaining_hours", "total_estimated_hours", "relations", "attachments"),
        *("last_notes", "spent_hours", "total_spent_hours", "tweek", "last_activity_date"),
    }
)
"""Names that are never those of custom fields; a custom field that is called so is written as `[status]`."""
FLAGS = ("is_private", "is_public")
"""Filters that are yes or no."""
BOOLEANS = {"true": "1", "false": "0"}
CUSTOMIZED = ("issue", "time_entry", "project", "version", "user", "time_entry_activity")
"""The types of objects whose custom fields can be in queries."""
OWNERS: Mapping[str, str] = {
    **{name: name for name in CUSTOMIZED},
    **dict.fromkeys(("author", "assigned_to"), "user"),
    "fixed_version": "version",
    "activity": "time_entry_activity",
}
"""What a query calls an object whose custom field it has, and the type of that."""


def _filter(value: Any) -> Any:
    listed = value["values"] if isinstance(value, Mapping) and "values" in value else value
    listed = [] if isinstance(value, Mapping) and "values" not in value else listed
    plain = all(isinstance(one, str | int | float) for one in (listed if isinstance(listed, list) else [listed]))
    if isinstance(value, Mapping):
        plain = plain and "operator" in value and set(value) <= {"operator", "values"}
        plain = plain and isinstance(value.get("operator"), str)
    if not plain:
        raise ValueError("expected a value, a list of values, or {operator: …, values: …}")
    return value


Filter = Annotated[str | int | float | bool | list[Any] | dict[str, Any], BeforeValidator(_filter)]


def _sort_by(value: Any) -> Any:
    pair = isinstance(value, Mapping) and len(value) == 1 and next(iter(value.values())) in ("asc", "desc")
    if not pair and not (isinstance(value, str) and value):
        raise ValueError("expected a column, or {COLUMN: desc}")
    return value


SortBy = Annotated[str | dict[str, str], BeforeValidator(_sort_by)]


OWNED = re.compile(r"(\w+)\.(.+)", re.DOTALL)


def custom(name: str, context: Context) -> str | None:
    """The custom field that a name in a query means, or None."""
    owner, name = owned(name, context)
    if name.startswith("[") and name.endswith("]"):
        return name[1:-1]
    return name if name not in CORE and _is_known(name, context, OWNERS.get(owner)) else None


def owned(name: str, context: Context) -> tuple[str, str]:
    """Whose custom field a name in a query means, where it is another object's (`issue.Size`), and the rest of it."""
    found = OWNED.fullmatch(name)
    if found is None or found[1] not in OWNERS or _is_known(name, context):
        return "", name
    return found[1], found[2]


def _is_known(name: str, context: Context, customized: str | None = None) -> bool:
    """Whether a custom field has this name."""
    known = (context.names.custom_fields.get(one, {}) for one in ((customized,) if customized else CUSTOMIZED))
    return any(name in fields for fields in known)


def shown(name: Any) -> str:
    """How a manifest names a field that the program shows: a custom field is a list of one, or of two: it is that of
    another object."""
    if not isinstance(name, list):
        return str(name)
    found = OWNED.fullmatch(name[0])
    own = f"[{name[0]}]" if name[0] in CORE or (found and found[1] in OWNERS) else str(name[0])
    return f"{name[1]}.{own}" if len(name) > 1 else own


class _Fields(Codec):
    """Names of fields; what is declared of the custom fields comes first."""

    lookups = ("custom_field",)
    form = ANY

    def references(self, value: Any, context: Context) -> Iterable[Reference]:
        for name in self._named(value):
            owner, name = owned(name, context)
            name = name[1:-1] if name.startswith("[") else name
            for customized in ((OWNERS[owner],) if owner else CUSTOMIZED) if name not in CORE else ():
                yield from definition_of(customized, name, context)

    def _named(self, value: Any) -> Iterable[str]:
        return value or ()

    def _name(self, name: str, context: Context) -> str:
        """The one spelling of a name."""
        found, (owner, _) = custom(name, context), owned(name, context)
        return name if found is None else shown([found, owner] if owner else [found])

    def _sent(self, name: str, context: Context) -> Any:
        found, (owner, _) = custom(name, context), owned(name, context)
        return name if found is None else [found, owner] if owner else [found]


class Columns(_Fields):
    """Columns in their order."""

    def canonical(self, value: Any, context: Context) -> Any:
        return [self._name(name, context) for name in value or ()]

    def decode(self, wire: Any, context: Context) -> Any:
        return [shown(name) for name in wire or ()]

    def encode(self, value: Any, context: Context) -> Any:
        return [self._sent(name, context) for name in value]


class GroupBy(_Fields):
    """One column."""

    def _named(self, value: Any) -> Iterable[str]:
        return (value,) if value else ()

    def canonical(self, value: Any, context: Context) -> Any:
        return self._name(value, context) if value else None

    def decode(self, wire: Any, context: Context) -> Any:
        return shown(wire) if wire else None

    def encode(self, value: Any, context: Context) -> Any:
        return self._sent(value, context)


class Sort(_Fields):
    """Columns to sort by; a name alone is ascending."""

    def _named(self, value: Any) -> Iterable[str]:
        return [_pair(one)[0] for one in value or ()]

    def canonical(self, value: Any, context: Context) -> Any:
        return [_sorted_by(self._name(name, context), order) for name, order in map(_pair, value or ())]

    def decode(self, wire: Any, context: Context) -> Any:
        return [_sorted_by(shown(name), order) for name, order in wire or ()]

    def encode(self, value: Any, context: Context) -> Any:
        return [[self._sent(name, context), order] for name, order in map(_pair, value)]


def _pair(one: Any) -> tuple[str, str]:
    if isinstance(one, Mapping):
        ((name, order),) = one.items()
        return str(name), str(order)
    return str(one), "asc"


def _sorted_by(name: str, order: str) -> Any:
    return {name: order} if order == "desc" else name


class Filters(_Fields):
    """Field → operator and values. A value or a list alone is that of the operator `is`."""

    def named_kinds(self) -> tuple[str, ...]:
        return tuple(KINDS.values())

    def _named(self, value: Any) -> Iterable[str]:
        return value or ()

    def references(self, value: Any, context: Context) -> Iterable[Reference]:
        yield from super().references(value, context)
        for name, given in (value or {}).items():
            kind = _kind(name, context)
            for one in _parts(given)[1]:
                yield from Named((kind,)).references(one, context) if kind else _declared(name, one, context)

    def canonical(self, value: Any, context: Context) -> Any:
        listed = {
            self._name(name, context): self._filter(name, given, context) for name, given in (value or {}).items()
        }
        return dict(sorted(listed.items()))

    def _filter(self, name: str, given: Any, context: Context) -> Any:
        operator, values = _parts(given)
        if kind := _kind(name, context):
            values = [Named((kind,)).canonical(one, context) for one in values]
        elif _is_boolean(name, context):
            values = [BOOLEANS.get(one.lower(), one) for one in values]
        return _listed(operator, values)

    def decode(self, wire: Any, context: Context) -> Any:
        found = {}
        for name, given in (wire or {}).items():
            owner, _, own = name.rpartition(".[") if name.endswith("]") and not name.startswith("[") else ("", "", "")
            short = shown([own[:-1], owner]) if owner else _without_id(name)
            short = shown([name[1:-1]]) if name.startswith("[") else short
            values = [_renamed(name, one, context) for one in given["values"]]
            if kind := _kind(short, context):
                values = [Named((kind,)).decode(one, context) for one in values]
            found[short] = _listed(given["operator"], values)
        return dict(sorted(found.items()))

    def encode(self, value: Any, context: Context) -> Any:
        sent = {}
        for name, given in value.items():
            found = custom(name, context)
            owner, _ = owned(name, context)
            key = f"{owner}.[{found}]".removeprefix(".") if found is not None else _with_id(name, context)
            operator, values = _parts(given)
            sent[key] = {"operator": operator, "values": values}
        return sent


def _renamed(name: str, value: str, context: Context) -> str:
    """The name that a value of a custom field is about to get: filters are changed with it."""
    fields = (context.names.custom_fields.get(customized, {}) for customized in CUSTOMIZED if name.startswith("["))
    known = (found[name[1:-1]].renamed for found in fields if name[1:-1] in found)
    return next((renamed[value] for renamed in known if value in renamed), value)


def _lists_projects(context: Context) -> bool:
    """Whether the query is one of projects, whose status is that of a project."""
    return context.own is not None and context.own.key.startswith("project@")


def _kind(name: str, context: Context) -> str:
    """The kind of the catalog that the values of a filter are of, or ""."""
    own = name.removeprefix("issue.")
    return "" if name == "status" and _lists_projects(context) else KINDS.get(own, "")


def _declared(name: str, value: str, context: Context) -> Iterable[Reference]:
    """The declared project, user or group that a value of a filter names; what is not declared must be there."""
    formats = (context.names.custom_fields.get(one, {}).get(name) for one in CUSTOMIZED)
    people = name in PEOPLE or any(found is not None and found.format == "user" for found in formats)
    for kind in (*(("user", "group") if people else ()), *(("project",) if name in PROJECTS else ())):
        if value in context.names.declared(kind):
            yield Reference((kind,), "", value)


def _with_id(name: str, context: Context) -> str:
    """What Redmine calls a filter."""
    own = name.rpartition(".")[2]
    plain = own not in IDS or name == "project.status" or (name == "status" and _lists_projects(context))
    return name if plain else f"{name}_id"


def _without_id(name: str) -> str:
    """How a manifest names one of Redmine's filters."""
    short = name.removesuffix("_id")
    return short if short.rpartition(".")[2] in IDS else name


def _parts(given: Any) -> tuple[str, list[str]]:
    """The operator, as Redmine has it, and the values of a filter in any of its forms."""
    if isinstance(given, Mapping):
        operator, values = str(given["operator"]), given.get("values", [])
    else:
        operator, values = "=", given
    listed = values if isinstance(values, list) else [values]
    return OPERATORS.get(operator, operator), [str(one) for one in listed]


def _is_boolean(name: str, context: Context) -> bool:
    """Whether a filter has the values 1 and 0, which manifests write as true and false."""
    found = custom(name, context)
    fields = (context.names.custom_fields.get(customized, {}) for customized in CUSTOMIZED if found)
    formats = [known[found].format for known in fields if found in known]
    return name in FLAGS or "bool" in formats


def _listed(operator: str, values: Iterable[str]) -> Any:
    """The one form of a filter. The order of values means something for a range alone."""
    given = list(values)
    listed = given if operator.startswith("><") else ordered(given)
    if operator == "=":
        return listed
    return {"operator": WORDS.get(operator, operator), **({"values": listed} if operator not in WITHOUT_VALUES else {})}
