"""Versions: `GET/POST /projects/:p/versions`, `PUT/DELETE /versions/:id`. Reading needs the module issue_tracking."""

from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, StringConstraints

from reconciler.kinds import _shared_versions
from reconciler.kinds._queries import EVERY, criterion
from reconciler.model.address import Address, Reference, Row, split_key
from reconciler.model.capabilities import Deletion, Rows, Sharing, SideEffects
from reconciler.model.codecs import Text
from reconciler.model.custom_fields import CustomFields
from reconciler.model.export_hooks import Exporting
from reconciler.model.forms import one_of
from reconciler.model.kind import Inside, Kind, Listing
from reconciler.model.name_index import Context, Names
from reconciler.model.pruning import Pruning, Usage
from reconciler.model.rights import all_need
from reconciler.model.spec import REFUSE, Api, Date, Deferred, Gate, Id, Name, ProjectItem

SHARING = Literal["none", "descendants", "hierarchy", "tree", "system"]
WIDTH = get_args(SHARING)
"""From the narrowest to the widest."""


class VersionSpec(ProjectItem):
    """A version of a project. Its identity is the project and the name, which is compared exactly."""

    name: Annotated[
        Name,
        StringConstraints(max_length=60),
        Field(description="At most 60 characters, compared exactly, including spaces and case.", examples=["1.0"]),
        Api(clear=REFUSE),
    ]
    status: Annotated[
        Literal["open", "locked", "closed"] | None,
        Field(
            description="Locked or closed after changes to issues that target it. Default: open.", examples=["locked"]
        ),
        Api(
            # Issues can only be given an open version (422 otherwise, 5.0 to 6.1): they come before the lock.
            clear=REFUSE,
            deferred=Deferred("referrers", when=lambda value, context: value != "open"),
            # A custom field can name versions too, and may take open ones only.
            gate=Gate("open", frozenset({"locked", "closed"}), via=frozenset({"fixed_version", "custom_fields"})),
        ),
    ] = None
    sharing: Annotated[
        # Redmine answers 201 to a sharing that it does not know, and stores `none` (5.0 to 6.1; test_trap_07).
        SHARING | None,
        Field(description="Which other projects can use it. Default: none.", examples=["descendants"]),
        Api(clear=REFUSE),
    ] = None
    due_date: Annotated[
        Date | None, Field(description="YYYY-MM-DD.", examples=["2026-12-01"]), Api(clear="", date=True)
    ] = None
    description: Annotated[
        str | None,
        StringConstraints(max_length=255),
        Field(description="At most 255 characters.", examples=["First public release"]),
        Api(codec=Text(), main_text=True),
    ] = None
    wiki_page_title: Annotated[
        str | None,
        StringConstraints(max_length=255),
        Field(description="Title of the version's wiki page; at most 255 characters.", examples=["Release_1.0"]),
        Api(),
    ] = None
    custom_fields: Annotated[
        dict[str, Any] | None,
        Field(description="Custom fields by name.", examples=[{"Code name": "Heron"}]),
        Api(codec=CustomFields("version"), clear=REFUSE),
    ] = None


class _Sharing(Sharing):
    """A version can be shared with other projects, as its field `sharing` says."""

    def visible_elsewhere(self, reference: Reference, names: Names) -> Iterable[Address]:
        """Versions of other projects that are shared with the reference's project: live, then declared."""
        # The server's own answer, right even where projects between are hidden from the account.
        for number, projects in names.live("version").seen_from.items():
            key = names.live("version").keys.get(number, "")
            if reference.project in projects and split_key(key)[1] == reference.name:
                yield Address("version", key)
        for key, spec in names.declared("version").items():
            project, name = split_key(key)
            if name == reference.name and shared(spec.sharing or "none", project, reference.project, names):
                yield Address("version", key)

    def unusable_reason(self, address: Address, project: str, names: Names) -> str:
        sharing = _sharing(address, names)
        if not project or shared(sharing, address.project, project, names):
            return ""
        return f'{address} is not shared with project "{project}" (sharing: {sharing})'


class _SideEffects(SideEffects):
    """Issues of projects that it is not shared with lose it, even if a project moves later and it is shared again."""

    def side_effects_on(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Collection[str], context: Context
    ) -> Iterable[Address]:
        return _shared_versions.having(address.key, context.names) if "sharing" in changed else ()


class _Pruning(Pruning):
    """Redmine deletes no version that issues have, of whatever project."""

    def usage(self, number: Id, project: str) -> Usage | None:
        filters = (*criterion("fixed_version_id", "=", number), *EVERY, ("limit", "1"))
        return Usage(Listing("/issues", "issues", filters, paged=False), "fixed_version", refuses=True)


class Versions(Kind[VersionSpec]):
    """A project's list also shows versions shared with it: each row's own project is what counts."""

    name = "version"
    plural = "versions"
    spec = VersionSpec
    inside = Inside(module="issue_tracking", follows=("membership",))
    identity = ("name",)
    rank = 50
    capabilities = (
        all_need("manage_versions"),
        Rows({"sharing": one_of(*WIDTH)}),
        Deletion(why_refused="issues, custom fields or attachments still refer to it"),
        _Sharing(),
        _SideEffects(on=frozenset({"issue"})),
        _Pruning(),
        Exporting(defaults=(("status", "open"), ("sharing", "none"))),
    )

    def losses(self, row: Row, values: Mapping[str, Any], changed: Collection[str], context: Context) -> Iterable[str]:
        # Redmine clears their target version without an error (5.0 to 6.1).
        if "sharing" in changed and WIDTH.index(values["sharing"]) < WIDTH.index(row["sharing"]):
            yield "issues in projects that it is no longer shared with lose their target version"


def _sharing(address: Address, names: Names) -> str:
    """A version's sharing after the planned work: declared, else live."""
    spec = names.declared("version").get(address.key)
    declared = spec.sharing if spec is not None else None
    return str(declared or (names.row(address) or {}).get("sharing") or "none")


def shared(sharing: str, owner: str, user: str, names: Names) -> bool:
    """Whether a version of project `owner` with this sharing can be used in project `user`."""
    up, down = names.ancestors(user), names.ancestors(owner)
    return {
        "system": True,
        "descendants": owner in up,
        "hierarchy": owner in up or user in down,
        # The last of the ancestors is the root; a project without any is one itself.
        "tree": ([owner, *down])[-1] == ([user, *up])[-1],
    }.get(sharing, False)


KINDS = (Versions(),)
