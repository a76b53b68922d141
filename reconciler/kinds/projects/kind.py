"""Projects: `GET/POST /projects`, `PUT/DELETE /projects/:p`, `PUT /projects/:p/{close,reopen,archive,unarchive}` (5.0).

Lists show active projects unless asked, closed ones with `status=1|5`, archived ones never: their own page is 403 even
for administrators, which is how they are found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from reconciler.kinds import _families, _shared_versions
from reconciler.kinds.projects import tree
from reconciler.kinds.projects.spec import DEFINED, HIDDEN, LEAVING, MODULES, STATUS, ProjectSpec
from reconciler.manifest.loader import suggest
from reconciler.model.address import Address, Row
from reconciler.model.capabilities import Deletion, Dependencies, FixedKey, PartialRows, Rows, Sharing, SideEffects
from reconciler.model.catalog import wire
from reconciler.model.collections import faults
from reconciler.model.containers import Archive, Modules, ProjectIncludes, Tree
from reconciler.model.export_hooks import Exporting
from reconciler.model.forms import NAMED, SEGMENT, WHOLE, Each
from reconciler.model.from_below import Placed
from reconciler.model.kind import Kind, Listing, Need, Object, Request
from reconciler.model.name_index import Context, Names
from reconciler.model.participation import UNASSIGNED, Participants
from reconciler.model.pruning import Pruning
from reconciler.model.requests import includes
from reconciler.model.rights import ADMIN, Choice, Rights
from reconciler.model.spec import PARTIAL, Id, Spec
from reconciler.model.turns import Turns
from reconciler.natural import natural

SHUT = ("archived", "closed")
"""What applies to all projects below as well."""


class _Rows(PartialRows):
    """Without the module issue_tracking Redmine hides what belongs to it."""

    def shows(self, kind: Kind, row: Row, name: str, values: Mapping[str, Any]) -> bool:
        # Declared together with the module they are compared even if they are hidden now (test_trap_25).
        if name in HIDDEN and "issue_tracking" not in (values.get("enabled_modules") or ()):
            return any(m["name"] == "issue_tracking" for m in row.get("enabled_modules", ()))
        return super().shows(kind, row, name, values)


BY_FIELD = {"enabled_modules": ("select_project_modules",), "status": ("close_project",)}
"""Fields that need a permission of their own."""


class _Rights(Rights):
    """Only administrators archive and unarchive."""

    def needed(self, action: str, changed: Mapping[str, tuple[Any, Any]]) -> Iterator[Choice]:
        for choice in super().needed(action, changed):
            archive = choice == BY_FIELD["status"] and "archived" in changed["status"]
            yield (ADMIN,) if archive else choice


class _Dependencies(Dependencies):
    """Parents come first."""

    def depends_on(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Iterable[str], context: Context
    ) -> Iterable[tuple[str, Address]]:
        # Redmine puts no project below a closed one (422).
        if values.get("parent") and (row is None or "parent" in changed):
            yield "", Address("project", values["parent"])


class _SideEffects(SideEffects):
    """A project that moves takes versions from issues, even if a later move gives them back."""

    def side_effects_on(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Collection[str], context: Context
    ) -> Iterable[Address]:
        return _shared_versions.having_any(context.names) if row is not None and "parent" in changed else ()


class _Turns(Turns):
    """A project that begins to inherit members comes before the members."""

    def ahead(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Iterable[str], context: Context
    ) -> Iterable[Address]:
        begins = row is None or not {"parent", "inherit_members"}.isdisjoint(changed)
        if values and begins and _families.inherits(address.key, context.names):
            yield from (_families.family(address.key, context.names), _families.ALL)


class _Deletion(Deletion):
    """Subprojects are deleted too; from 5.1 on a job deletes the project some time after the answer."""

    def takes_along(self, address: Address, row: Row, names: Names) -> Sequence[Placed]:
        return tree.planned_right_below(address.key, names)

    def live_below(self, address: Address, row: Row, names: Names) -> Sequence[Placed]:
        return tree.live_right_below(address.key, names)

    def until_gone(self, address: Address) -> Listing | None:
        # Until the job has run, its page is there with the status 10 (from 5.1 on).
        none: Mapping[int, None] = {404: None, 403: None}
        return Listing(f"/projects/{address.key}", "project", single=True, none=none, expected=none.keys())

    def being_deleted(self, row: Row) -> str:
        return _leaving(row)


class _Sharing(Sharing):
    """Nothing new can use a project that is being deleted."""

    def unusable_reason(self, address: Address, project: str, names: Names) -> str:
        row = names.row(address)
        why = _leaving(row) if row else ""
        return f'project "{address.key}": {why}' if why else ""


class _Export(Exporting):
    """What the server's settings would fill in is always exported."""

    def why_unreadable(self, row: Row) -> str:
        archived = STATUS.get(row["status"]) == "archived"
        return "it is archived, so the API does not show its contents; unarchive it first" if archived else ""

    def non_defaults(self, kind: Kind, values: Mapping[str, Any], row: Row, context: Context) -> dict[str, Any]:
        # Otherwise the server's settings decide which modules and trackers a new project gets.
        full = {name: values[name] for name in ("trackers", "enabled_modules") if name in values}
        return {**super().non_defaults(kind, values, row, context), **full}


class _Pruning(Pruning):
    """Projects are listed only: none is ever pruned."""

    def link(self, kind: Kind, address: Address, number: Id) -> str:
        return f"/projects/{address.key}"


class _Archive(Archive):
    """Archived projects are in no list, and their own pages are 403 (5.0 to 7.0)."""

    def is_archived(self, row: Row) -> bool:
        return STATUS.get(row.get("status", 1)) == self.archived


DEFAULT_MODULES = "Administration → Settings → Projects"
"""Where an administrator chooses the modules of new projects; no list shows it (5.0 to 7.0)."""


class _Modules(Modules):
    """Without its module, Redmine hides what is inside a project."""

    def enabled(self, row: Row | None, spec: Spec | None) -> Collection[str] | None:
        declared: list[str] | None = getattr(spec, "enabled_modules", None)
        if declared is not None or row is None or "enabled_modules" not in row:
            return declared
        return [module["name"] for module in row["enabled_modules"]]

    def hint(self, module: str) -> str:
        return f"add {module} to enabled_modules"

    def undeclared(self, modules: Collection[str]) -> str:
        said = f"enabled_modules is not declared, and what is declared inside needs {', '.join(modules)}"
        return f"{said}: whether a new project has that is a setting of the server ({DEFAULT_MODULES})"

    def lacking(self, module: str, container: str) -> str:
        said = f'requires the module {module}, which the server has not enabled in the new project "{container}"'
        return f"{said} ({DEFAULT_MODULES}); declare its enabled_modules, with {module}"


class Projects(Kind[ProjectSpec]):
    """Archived projects show nothing, closed ones take no writes."""

    name = "project"
    plural = "projects"
    spec = ProjectSpec
    identity = ("identifier",)
    required = ("name",)
    rank = 30
    capabilities = (
        FixedKey(),
        _Rights(("add_project",), ("edit_project",), ("delete_project",), BY_FIELD),
        Rows({"identifier": SEGMENT, "status": WHOLE, "time_entry_activities": Each(of=NAMED).optional}),
        # Their tree is one nested set, which every write locks.
        # Closing is passed on to all projects below, and reopening opens the whole closed subtree (5.0 to 6.1).
        Tree(one_write_at_a_time=True, cascades=frozenset({"closed"})),
        _Pruning(),
        _Archive("status", archived="archived", active="active"),
        _Modules(),
        _Rows(),
        _Deletion("everything else inside it is deleted too, including archived subprojects"),
        _Sharing(),
        _Dependencies(),
        _SideEffects(on=frozenset({"issue"})),
        _Turns(),
        Participants({"default_assigned_to": UNASSIGNED}),
        _Export(defaults=(("status", "active"), ("inherit_members", False))),
    )

    def live(self, row: Row, name: str, context: Context) -> Any:
        value = super().live(row, name, context)
        if name != "issue_custom_fields":
            return value
        wanted = getattr(context.names.spec(Address("project", row["identifier"])), name, None) or ()
        known = {DEFINED.find(field, context).name for field in wanted}
        return [field for field in value if _is_own(field, context.names, wanted=field in known)]

    def conflicts(self, row: Row | None, values: Mapping[str, Any], context: Context) -> Iterable[tuple[str, str, str]]:
        names, status = context.names, values.get("status")
        # A project below a closed one can be reopened by itself; one below an archived one stays archived.
        shutting = {"active": SHUT, "closed": ("archived",)}.get(str(status), ())
        if shutting and (key := tree.nearest_above(context.project, shutting, _shut(names), names)):
            shut = _shut(names)[key]
            message = f'the parent project "{key}" is declared {shut}, which applies to all projects below it'
            yield "status", message, f"declare this project {shut} as well"

    def losses(self, row: Row, values: Mapping[str, Any], changed: Collection[str], context: Context) -> Iterable[str]:
        yield from super().losses(row, values, changed, context)
        names, status = context.names, values.get("status")
        if "status" in changed and status in SHUT:
            along = [k for k in _left_open(names).get(row["identifier"], ()) if _live(k, names) != status]
            if along:
                action = "closes" if status == "closed" else "archives"
                yield f"also {action} its subprojects {', '.join(sorted(along, key=natural))}"

    def check(self, declared: Object[ProjectSpec], settings: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        spec = declared.spec
        if spec.identifier.isdigit() or spec.identifier == "new":
            yield "identifier", f'Redmine refuses "{spec.identifier}": it must not be "new" or only digits'
        for index, module in enumerate(spec.enabled_modules or ()):
            # Redmine stores any name, and a plugin's module looks like a misspelled one: only near misses are wrong.
            if module not in MODULES and (hint := suggest(module, MODULES)):
                yield f"enabled_modules.{index}", f'unknown module "{module}": {hint}'
        if spec.renamed_from:
            yield "renamed_from", "the identifier of a project cannot be changed"
        for index, message in _not_collections(spec.authoritative or (), settings):
            yield f"authoritative.{index}", message

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        # Not `status=*`, which lists no project at all (5.0 to 6.1; test_trap_26).
        yield [Listing("/projects", "projects", (("status", "1|5"), self._shown(need)))]
        if need.everything:
            return
        # Runs after the first tier was read, so just what the list did not show is asked for.
        known = names.live(self.name).ids
        missing = sorted(need.keys.get(self.name, frozenset()) - known.keys())
        # What cannot be an identifier is no project, and would make another path.
        pages = (self._page(key, need.fields.get(self.name, frozenset())) for key in missing if SEGMENT.fits(key))
        # The list, which does not have it, agrees with a 404.
        yield [replace(page, expected=(404,)) for page in pages]

    def _includes(self, fields: Iterable[str]) -> tuple[tuple[str, str], ...]:
        # The modules show what Redmine hides (trackers, versions, categories), the trackers what issues there can be.
        return includes(self.fields, {*fields, "enabled_modules", "trackers"})

    def _shown(self, need: Need) -> tuple[str, str]:
        """The `include=` for the needed fields, and for names in what is inside projects (`ProjectIncludes`)."""
        from reconciler.kinds import kinds  # not above: that package imports this module

        ((name, own),) = self._includes(need.fields.get(self.name, ()))
        return name, ",".join(
            [own, *sorted({kinds()[k].capability(ProjectIncludes).include for k in need.keys} - {""})]
        )

    def _page(self, key: str, fields: frozenset[str], number: Id | None = None) -> Listing:
        # 403: archived, or private and not for this account; an administrator is only refused the former.
        none = {404: None, 403: {"id": number or key, "identifier": key, "status": 9, PARTIAL: True}}
        return Listing(f"/projects/{key}", "project", self._includes(fields), paged=False, single=True, none=none)

    def lookup(self, address: Address, names: Names, values: Mapping[str, Any]) -> list[Listing]:
        return [self._page(address.key, frozenset(), names.id(address))]

    def details(self, row: Row, fields: frozenset[str]) -> Listing | None:
        # Before 5.1 lists leave `homepage` out.
        wanted = [f for f in fields if self.fields[f].detail or (f == "homepage" and f not in row)]
        return self._page(row["identifier"], fields) if wanted and row["status"] != 9 else None

    def create(self, address: Address, values: Mapping[str, Any], context: Context) -> Request:
        # The answer shows what the server has enabled by default: what needs another module is not even sent.
        return replace(super().create(address, values, context), params=self._includes(()))

    def update(self, address: Address, number: Id, values: Mapping[str, Any], context: Context) -> list[Request]:
        path = f"/projects/{address.key}"
        # By identifier: of a project that was archived when it was read, no number is known.
        requests = [Request("PUT", path, r.body) for r in super().update(address, number, values, context)]
        if "status" in values:
            row = context.names.row(address) or {}
            before, after = STATUS.get(row.get("status", 1), ""), values["status"]
            # A closed project takes no changes (403), an archived one is not even closed.
            opens = [Request("PUT", f"{path}/unarchive")] if (before, after) == ("archived", "closed") else []
            turn = Request("PUT", f"{path}/{action(before, after)}")
            requests = [turn, *requests] if after == "active" else [*opens, *requests, turn]
        return requests

    def delete(self, address: Address, number: Id, context: Context) -> Request:
        return Request("DELETE", f"/projects/{address.key}")


def _not_collections(listed: Sequence[str], settings: Mapping[str, Any]) -> Iterable[tuple[int, str]]:
    """(index, sentence) for each name that is no collection of a project."""
    from reconciler.kinds import declarable  # not above: that package imports this module

    return faults(listed, declarable(), settings, inside=True) if listed else ()


def _leaving(row: Row) -> str:
    return LEAVING if STATUS.get(row["status"]) == "scheduled for deletion" else ""


def _is_own(field: str, names: Names, *, wanted: bool) -> bool:
    """Whether a project has an issue custom field by itself, as its row will be when the definition is as declared.

    From 6.0 on, the fields of all projects are shown too, with nothing that distinguishes them.
    """
    definition = names.custom_fields.get("issue", {}).get(field)
    for_all = None if definition is None else definition.for_all
    if for_all is False:
        # One that is for all projects now goes from those that are not given it.
        row = names.row(Address("custom_field", f"issue/{field}")) or {}
        return not wire(row, "is_for_all")
    return wanted or not (for_all or field in _everywhere(names))


def _everywhere(names: Names) -> frozenset[str]:
    """The issue custom fields that every project shows: they may be those of all projects."""
    if "issue_custom_fields" not in names.memo:
        rows = names.live("project").rows.values()
        shown = [row["issue_custom_fields"] for row in rows if "issue_custom_fields" in row]
        sets = [frozenset(field["name"] for field in fields) for fields in shown]
        names.memo["issue_custom_fields"] = frozenset[str].intersection(*sets) if sets else frozenset()
    return frozenset(names.memo["issue_custom_fields"])


def _left_open(names: Names) -> Mapping[str, Sequence[str]]:
    """For each project that is declared shut: those below it that are not archived and are declared with no status."""
    if "left open" not in names.memo:
        rest = [k for k in names.live("project").ids if not _declared(k, names) and _live(k, names) != "archived"]
        names.memo["left open"] = tree.by_marked_above(rest, SHUT, _shut(names), names)
    known: Mapping[str, Sequence[str]] = names.memo["left open"]
    return known


def _declared(key: str, names: Names) -> str | None:
    """The status that a project is declared to have."""
    return getattr(names.spec(Address("project", key)), "status", None)


def _shut(names: Names) -> Mapping[str, str]:
    """The projects that are declared archived, or closed and are not closed yet, with that."""
    if "shut projects" not in names.memo:
        declared = ((key, getattr(spec, "status", None)) for key, spec in names.declared("project").items())
        shut = ((key, status) for key, status in declared if status in SHUT)
        names.memo["shut projects"] = {k: s for k, s in shut if s == "archived" or _live(k, names) != s}
    known: Mapping[str, str] = names.memo["shut projects"]
    return known


def _live(key: str, names: Names) -> str:
    """The status that a live project has."""
    return STATUS.get((names.row(Address("project", key)) or {}).get("status", 1), "")


def action(before: str, after: str) -> str:
    """The action that leads from one status of a project to another."""
    if after == "active":
        return "unarchive" if before == "archived" else "reopen"
    return {"closed": "close", "archived": "archive"}[after]
