"""Settings of Redmine, which the API does not show; one mapping in a manifest."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from reconciler.kinds._catalog import CatalogKind
from reconciler.model.address import Address, Row, Unresolved
from reconciler.model.capabilities import Dependencies, FixedKey, ReadOnly
from reconciler.model.catalog import CATALOG, Catalog, CatalogRows
from reconciler.model.codecs import Codec, ordered, unix_lines
from reconciler.model.custom_fields import FALSE, TRUE
from reconciler.model.export_hooks import Exporting
from reconciler.model.forms import ANY
from reconciler.model.kind import Kind, Object
from reconciler.model.mapped import Mapped
from reconciler.model.name_index import Context, Names, near_miss
from reconciler.model.spec import REFUSE, Api, Name, Spec

ALLOW = "allow"
SECRET = ("mail_handler_api_key", "sys_api_key")
PLUGIN = "plugin_"
API = "rest_api_enabled"
GUARDED: Mapping[str, str] = {
    "login_required": "whether anybody can see anything without an account",
    "self_registration": "whether strangers can create accounts",
    "host_name": "where links in mails lead, such as those to reset a password",
    "protocol": "where links in mails lead, such as those to reset a password",
    "twofa": "0 removes the second factor of all users, and 2 or 3 asks for one before anything else",
}
"""Settings with which a mistake lets strangers in, or keeps everybody out."""
REFERS: Mapping[str, str] = {
    "default_projects_tracker_ids": "tracker",
    "new_project_user_role_id": "role",
    "commit_logtime_activity_id": "time_entry_activity",
    "default_issue_query": "query",
    "default_project_query": "query",
}
"""Settings whose values are names of other objects."""
RULES: Mapping[str, str] = {"status": "issue_status", "if_tracker": "tracker"}
"""Parts of `commit_update_keywords` that are names of other objects."""


def _is_item(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, Mapping) and all(isinstance(one, str) for one in value.values())
    )


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_item, value))


def _value(value: Any) -> Any:
    parts = value.values() if isinstance(value, Mapping) else ()
    # Not only texts: an export has Redmine's own values.
    plain = value is None or isinstance(value, str | int)
    if not (plain or _is_list(value) or (parts and all(map(_is_list, parts)))):
        raise ValueError("expected true, false, a number, a text, a list, or a mapping of lists")
    return value


TEXT = {"type": "string"}
LIST = {"type": "array", "items": {"anyOf": [TEXT, {"type": "object", "additionalProperties": TEXT}]}}
SCHEMA = {"anyOf": [TEXT, LIST, {"type": "object", "additionalProperties": LIST}, {"type": "null"}]}
Value = Annotated[Any, BeforeValidator(_value), WithJsonSchema(SCHEMA)]


class Setting(Codec):
    """A value in the form that the setting has: the program shows which."""

    form = ANY

    def canonical(self, value: Any, context: Context) -> Any:
        shown = (context.names.row(context.own) or {}).get(CATALOG, {}) if context.own else {}
        if context.own and "format" not in shown:
            return self._unknown(value, context.own.key, context.names)
        return value if not context.own else FORMS[shown["format"]](value)

    def decode(self, wire: Any, context: Context) -> Any:
        return unix_lines(wire) if isinstance(wire, str) else wire

    def _unknown(self, value: Any, name: str, names: Names) -> Any:
        """Without the program, nothing is known of any setting; else this Redmine has none of that name."""
        known = [row["name"] for row in _shown(names)]
        if not known:
            return value
        hint = near_miss(name, known) or "its names are those of Redmine's config/settings.yml"
        raise Unresolved(f'this Redmine has no setting "{name}"', hint)


def _shown(names: Names) -> Iterable[Mapping[str, Any]]:
    rows = (row.get(CATALOG, {}) for row in names.live("setting").rows.values())
    return [row for row in rows if "format" in row]


def _boolean(value: Any) -> bool:
    word = str(value).lower()
    if word not in TRUE | FALSE:
        raise Unresolved("expected true or false")
    return word in TRUE


def _integer(value: Any) -> int | None:
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError) as error:
        raise Unresolved("expected a whole number") from error


def _text(value: Any) -> str:
    if isinstance(value, list | Mapping):
        raise Unresolved("expected a text")
    return unix_lines("" if value is None else str(value))


def _list(value: Any) -> list[Any]:
    if isinstance(value, str | Mapping):
        raise Unresolved("expected a list")
    return [dict(one) if isinstance(one, Mapping) else one for one in value or ()]


def _set(value: Any) -> list[Any]:
    return ordered(_list(value))


def _mapping(value: Any) -> dict[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise Unresolved("expected a mapping of lists")
    return {name: _list(some) for name, some in (value or {}).items()}


FORMS = {"boolean": _boolean, "integer": _integer, "text": _text, "list": _list, "set": _set, "mapping": _mapping}
"""What a value is made of, by the format that the program tells."""


class SettingSpec(Spec):
    """A setting. A manifest has one mapping of them, by Redmine's own names; one that it omits stays as it is."""

    name: Annotated[Name, Field(description="Redmine's name of it.", examples=["app_title"]), Api(clear=REFUSE)]
    value: Annotated[
        Value,
        Field(
            description="true or false, a number, a text or a list; trackers, roles, activities and queries by name. "
            "null: empty.",
            examples=["Our Redmine"],
        ),
        Api(codec=Setting(), clear=""),
    ] = None
    allow: Annotated[
        bool | None,
        Field(
            description=f"Whether `allow` of the mapping lists it: needed for {', '.join(GUARDED)}.", examples=[True]
        ),
        Api(local=True),
    ] = None


class _Mapped(Mapped):
    def is_secret(self, key: str) -> bool:
        return key in SECRET or key.startswith(PLUGIN)


class _After(Dependencies):
    """What a value names comes first."""

    def depends_on(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Iterable[str], context: Context
    ) -> Iterable[tuple[str, Address]]:
        value, kind = values.get("value"), REFERS.get(address.key)
        if kind is not None:
            yield from (("value", Address(kind, name)) for name in _names(value))
        for rule in value if isinstance(value, list) else ():
            for part in RULES if isinstance(rule, Mapping) else ():
                yield from (("value", Address(RULES[part], name)) for name in _names(rule.get(part)))


def _names(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else [value] if value else []


class _Exporting(Exporting):
    """Neither what is always refused, nor what another server would have to allow again by itself."""

    def exportable(self, row: Row) -> bool:
        return bool(row[CATALOG]["name"] != API)

    def non_defaults(self, kind: Kind, values: Mapping[str, Any], row: Row, context: Context) -> dict[str, Any]:
        guarded = {ALLOW: True} if row[CATALOG]["name"] in GUARDED else {}
        return {**{name: value for name, value in values.items() if name in kind.identity}, **values, **guarded}


class _Catalog(Catalog):
    def api_row(self, shown: Mapping[str, Any], names: Names) -> Row:
        return {name: shown[name] for name in ("id", "name") if name in shown}


class Settings(CatalogKind[SettingSpec]):
    """Every Redmine has all settings of its version, so they are only changed."""

    name = "setting"
    plural = "settings"
    spec = SettingSpec
    identity = ("name",)
    rank = 9
    capabilities = (
        ReadOnly("Administration → Settings"),
        _Catalog(),
        CatalogRows(),
        _Mapped("value", ALLOW),
        FixedKey(),
        _After(),
        _Exporting(),
    )

    def check(self, declared: Object[SettingSpec], settings: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        spec = declared.spec
        if spec.name.startswith(PLUGIN):
            yield "name", "settings of plugins are not managed: only the plugin knows what is valid"
        if spec.name in SECRET:
            yield "name", "keys are not managed: Redmine generates them, and they belong in no manifest"
        if spec.name == API and str(spec.value).lower() not in TRUE:
            yield "value", "without the REST API, nothing could be planned or applied again"
        if spec.name in GUARDED and not spec.allow:
            yield "name", f"it says {GUARDED[spec.name]}; to set it nevertheless, add `{ALLOW}: [{spec.name}]` here"

    def key_of(self, row: Row, context: Context) -> str | None:
        return str(row["name"])

    def live(self, row: Row, name: str, context: Context) -> Any:
        value = super().live(row, name, context)
        return ordered(value) if row.get(CATALOG, {}).get("format") == "set" and name == "value" else value


KINDS = (Settings(),)
