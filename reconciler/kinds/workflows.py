"""Workflows: the transitions and field rules of a tracker and a role. The API does not show them."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, get_args

from msgspec.structs import replace
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from reconciler.catalog.item import Item
from reconciler.kinds._catalog import CatalogKind
from reconciler.kinds.roles import BUILTIN
from reconciler.kinds.trackers import CoreField, with_id
from reconciler.model.address import Address, Row
from reconciler.model.capabilities import ReadOnly
from reconciler.model.catalog import CATALOG, Catalog, CatalogRows, Named
from reconciler.model.codecs import Codec
from reconciler.model.custom_fields import definition_of
from reconciler.model.export_hooks import Exporting
from reconciler.model.forms import ANY
from reconciler.model.name_index import Context, Names
from reconciler.model.spec import REFUSE, Api, Id, Name, Spec

STATUS = Named(("issue_status",))
CORE = ("project", "tracker", "subject", "is_private", *get_args(CoreField))


class _Transition(BaseModel):
    """Statuses that an issue may go from and to, each a name, a list, or `*` for all; without `from`, a new issue."""

    model_config = ConfigDict(extra="forbid")

    source: Annotated[Name | list[Name] | None, Field(alias="from")] = None
    to: Name | list[Name]
    whose: Annotated[Literal["always", "author", "assignee", "author_assignee"], Field(alias="for")] = "always"


Transition = Annotated[_Transition, AfterValidator(lambda one: one.model_dump(by_alias=True))]
"""A transition of a manifest, as the mapping `{from:, to:, for:}`."""


class Transitions(Codec):
    """The whole set of transitions, each as `FROM → TO` with whom it is for; `(new)` is a new issue."""

    form = ANY

    def named_kinds(self) -> tuple[str, ...]:
        return ("issue_status",)

    def references(self, value: Any, context: Context) -> Any:
        named = [name for one in value or () for side in ("from", "to") for name in _each(one.get(side))]
        return [found for name in named if name != "*" for found in STATUS.references(name, context)]

    def canonical(self, value: Any, context: Context) -> Any:
        rows = (
            (source, to, one.get("for", "always"))
            for one in value or ()
            for source in _expanded(one.get("from"), context)
            for to in _expanded(one["to"], context)
        )
        # Redmine accepts a transition of a status to itself, which says nothing (5.0 to 7.0).
        return _listed(row for row in rows if row[0] != row[1])

    def decode(self, wire: Any, context: Context) -> Any:
        named = (
            (STATUS.decode(one["from"], context), STATUS.decode(one["to"], context), one["for"]) for one in wire or ()
        )
        return _listed(named)

    def written(self, value: Any, context: Context) -> Any:
        grouped: dict[tuple[Any, str], list[str]] = {}
        for one in value:
            grouped.setdefault((one["from"], one.get("for", "always")), []).append(one["to"])
        return [
            {
                **({"from": source} if source else {}),
                "to": to if to[1:] else to[0],
                **({"for": whose} if whose != "always" else {}),
            }
            for (source, whose), to in grouped.items()
        ]

    def encode(self, value: Any, context: Context) -> Any:
        return [{"from": one.get("from"), "to": one["to"], "for": one.get("for", "always")} for one in value]


def _brief(source: str | None, to: str | list[str], whose: str) -> dict[str, Any]:
    """A transition as people write it: without what is the default."""
    return {
        name: value for name, value in (("from", source), ("to", to), ("for", whose)) if value not in (None, "always")
    }


def _each(names: Any) -> Iterable[str]:
    return names if isinstance(names, list) else () if names is None else (names,)


def _expanded(names: Any, context: Context) -> list[str | None]:
    """Statuses; None is a new issue, `*` are all statuses."""
    if names is None:
        return [None]
    every = sorted(context.names.live("issue_status").ids)
    return [one for name in _each(names) for one in (every if name == "*" else [STATUS.canonical(name, context)])]


def _listed(rows: Iterable[tuple[Any, Any, Any]]) -> list[dict[str, Any]]:
    """Each transition once, sorted."""
    listed = sorted(set(rows), key=lambda row: (row[0] is not None, *map(str, row)))
    return [_said(source, to, whose) for source, to, whose in listed]


def _said(source: str | None, to: str, whose: str) -> dict[str, Any]:
    shown = {"from": source, "to": to}
    return shown if whose == "always" else {**shown, "for": whose}


class FieldRules(Codec):
    """Status → field → `readonly` or `required`; custom fields by name."""

    form = ANY

    def named_kinds(self) -> tuple[str, ...]:
        return ("issue_status",)

    lookups = ("custom_field",)

    def references(self, value: Any, context: Context) -> Any:
        named = {name for rules in (value or {}).values() for name in rules if name not in CORE}
        fields = [found for name in sorted(named) for found in definition_of("issue", name, context)]
        return [*fields, *(found for name in value or {} for found in STATUS.references(name, context))]

    def canonical(self, value: Any, context: Context) -> Any:
        return {status: dict(sorted(rules.items())) for status, rules in sorted((value or {}).items()) if rules}

    def decode(self, wire: Any, context: Context) -> Any:
        found: dict[str, dict[str, str]] = {}
        for one in wire or ():
            name = one.get("custom_field") or str(one["field"]).removesuffix("_id")
            found.setdefault(STATUS.decode(one["status"], context), {})[name] = one["rule"]
        return self.canonical(found, context)

    def encode(self, value: Any, context: Context) -> Any:
        return [
            {"status": status, **({"field": with_id(name)} if name in CORE else {"custom_field": name}), "rule": rule}
            for status, rules in value.items()
            for name, rule in rules.items()
        ]


class WorkflowSpec(Spec):
    """The workflow of a tracker for a role. What is declared of it is the whole set."""

    tracker: Annotated[
        Name, Field(description="Tracker.", examples=["Task"]), Api(codec=Named(("tracker",)), clear=REFUSE)
    ]
    role: Annotated[Name, Field(description="Role.", examples=["Developer"]), Api(codec=Named(("role",)), clear=REFUSE)]
    transitions: Annotated[
        list[Transition] | None,
        Field(
            description="The allowed changes of the status: `from` (a name, a list, `*` for all, omitted for a new "
            "issue), `to`, and `for` whom (always, author, assignee, author_assignee).",
            examples=[[{"to": "New"}, {"from": "New", "to": ["Done"]}]],
        ),
        Api(codec=Transitions(), clear=REFUSE),
    ] = None
    fields: Annotated[
        dict[Name, dict[Name, Literal["readonly", "required"]]] | None,
        Field(
            description="Status → field (or custom field) → `readonly` or `required`.",
            examples=[{"Done": {"due_date": "readonly"}}],
        ),
        Api(codec=FieldRules(), clear=REFUSE),
    ] = None


class _Catalog(Catalog):
    def program_key(self, address: Address) -> Mapping[str, Any]:
        tracker, _, role = address.key.partition(" / ")
        builtin = BUILTIN.get(role)
        return {"tracker": tracker, "role": None if builtin else role, "builtin": builtin}

    def key_of(self, shown: Mapping[str, Any]) -> str:
        role = next((name for name, word in BUILTIN.items() if word == shown.get("builtin")), shown["role"])
        return f"{shown['tracker']} / {role}"

    def identity(self, shown: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"role": self.key_of(shown).partition(" / ")[2]}

    def api_row(self, shown: Mapping[str, Any], names: Names) -> Row:
        return {"id": shown["id"]} if "id" in shown else {}


class _Exporting(Exporting):
    def exportable(self, row: Row) -> bool:
        return bool(row[CATALOG]["transitions"] or row[CATALOG]["fields"])


class Workflows(CatalogKind[WorkflowSpec]):
    """Every pair of a tracker and a role has one, perhaps without any rule."""

    name = "workflow"
    plural = "workflows"
    spec = WorkflowSpec
    identity = ("tracker", "role")
    capabilities = (ReadOnly("Administration → Workflow"), _Catalog(), CatalogRows(), _Exporting())
    rank = 8

    def item(self, op: str, address: Address, number: Id | None, values: Mapping[str, Any], context: Context) -> Item:
        # The pair exists as soon as its tracker and role do, with a number that follows from theirs.
        item = super().item("create", address, None, values, context)
        return replace(item, op="delete" if op == "delete" else "update")

    def key(self, spec: WorkflowSpec, project: str) -> str:
        return f"{spec.tracker} / {spec.role}"

    def key_of(self, row: Row, context: Context) -> str | None:
        return self.capability(Catalog).key_of(row[CATALOG])


KINDS = (Workflows(),)
