"""How issues are created, and how their keys are stored."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from reconciler.kinds._queries import chunks, criterion
from reconciler.kinds.issues import made_keys
from reconciler.kinds.issues.identity import key_field, value_of
from reconciler.kinds.issues.read import all_of, projects_of
from reconciler.kinds.issues.spec import WATCHERS
from reconciler.model.address import Address, Row, Unresolved
from reconciler.model.capabilities import Creation, ManifestKey
from reconciler.model.kind import Kind, Listing, Need
from reconciler.model.name_index import Context, CustomField, Names
from reconciler.model.spec import Id


class IssueCreation(Creation):
    """Issues need not differ in anything: a POST that is sent twice makes two."""

    def sent_after(self, kind: Kind, values: Mapping[str, Any], context: Context) -> frozenset[str]:
        # Redmine drops the watchers of an author who may not add any (5.0 to 6.1); later it takes none who may not see
        # the issue (5.1 to 6.1).
        author = context.names.row(Address("user", str(values.get("author")))) or {}
        alone = {"watchers"} if values.get("author") and not author.get("admin") else set()
        return super().sent_after(kind, values, context) | alone

    def since(self, kind: Kind, before: Id, need: Need, names: Names) -> list[Listing]:
        # Not the lists of a plan: they show all issues of the projects.
        newer = criterion("issue_id", ">=", int(before) + 1)
        return [all_of(chunk, newer, ()) for chunk in chunks(projects_of(need, names))]


class StoredKey(ManifestKey):
    """The key is the value of the custom field `issue_key_field`; without one, it is only in the manifests."""

    def setting_problem(self, names: Names) -> tuple[str, str] | None:
        name, fields = names.settings.get("issue_key_field"), names.custom_fields.get("issue", {})
        if not name:
            return None
        if name not in fields:
            said = f'issue_key_field: there is no issue custom field "{name}"'
            return said, names.advice(name, fields, "custom_field")
        # "": only administrators are shown the format. Any other format could change what is stored as the key.
        if fields[name].format not in ("", "string", "text"):
            said = f'issue_key_field: the custom field "{name}" has the format {fields[name].format}'
            return said, "choose one with the format string or text"
        return None

    def only_declared(self, settings: Mapping[str, Any]) -> bool:
        return not settings.get("issue_key_field")

    def field(self, names: Names) -> CustomField | None:
        return key_field(names)

    def stored(self, row: Row, names: Names) -> str:
        field = key_field(names)
        return value_of(row, field) if field else ""

    def make_keys(self, names: Names, known: Mapping[int, str], longest: int | None = None) -> None:
        made_keys.make_keys(names, known, longest or made_keys.LENGTH)

    def to_declare(self, address: Address, row: Row, names: Names) -> Mapping[str, Any]:
        # A user who writes to an issue becomes its watcher, unless the watchers are sent too (5.0 to 6.1).
        body: dict[str, Any] = {"project": address.project, "key": address.own_name, "id": row["id"]}
        context = Context(names, address.project, address)
        # Watchers that were not read, or that a manifest cannot name: the key is written all the same.
        with suppress(Unresolved, KeyError):
            body["watchers"] = WATCHERS.written(WATCHERS.decode(row["watchers"], context), context)
        return body

    def definitions(self, settings: Mapping[str, Any], fields: Collection[str]) -> tuple[str, ...]:
        # The definitions of custom fields show their trackers: which values another tracker would destroy.
        return ("custom_field",) if settings.get("issue_key_field") or "tracker" in fields else ()

    def to_store(self, address: Address, row: Row | None, context: Context) -> Mapping[str, tuple[Any, Any]]:
        # The subject of an issue without a declared key is its name in the manifests, and is not stored.
        spec = context.names.spec(address) if context.names.settings.get("issue_key_field") else None
        field = key_field(context.names) if spec is None or spec.key else None
        marks: dict[str, tuple[Any, Any]] = {}
        home = row and context.key("project", row["project"]["id"])
        if home not in (None, address.project):
            marks["project"] = home, address.project
        before = value_of(row, field) if row and field else ""
        if field is not None and before != address.own_name:
            marks[f"custom_fields.{field.name}"] = before or None, address.own_name
        return marks
