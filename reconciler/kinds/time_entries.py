"""Time entries: `GET /time_entries`, `POST /projects/:p/time_entries`, `PUT/DELETE /time_entries/:id`.

Redmine gives a time entry no natural key: it is its project, issue, user, day, activity and comments. Lists are bounded
by the days that are declared. A project can have activities of its own, under the same names and with other ids.
"""

import math
from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import Annotated, Any

from pydantic import Field, PositiveInt, StringConstraints

from reconciler.kinds._keyless import Keyless, KeylessReadBack
from reconciler.kinds._members import is_account, may_be_admin
from reconciler.kinds._permissions import lacks_as_member
from reconciler.kinds._project_activities import own, own_id, switched_on
from reconciler.kinds._queries import chunks, criterion
from reconciler.kinds._server_settings import setting
from reconciler.kinds.issues.hiding import IssueHiding
from reconciler.model.address import Address, Reference, Row, Unresolved, split_key
from reconciler.model.capabilities import Creation, Dependencies, FixedKey, Rows
from reconciler.model.codecs import Codec, Ref, digest, exact
from reconciler.model.containers import ProjectIncludes
from reconciler.model.custom_fields import CustomFields
from reconciler.model.doubts import Doubts
from reconciler.model.export_hooks import Exporting
from reconciler.model.forms import DAY, NAMED, NUMBER, REF, TEXT
from reconciler.model.kind import Inside, Kind, Listing, Need, Object
from reconciler.model.name_index import Context, Names
from reconciler.model.participation import Part, Participants
from reconciler.model.pruning import Contents, Pruning
from reconciler.model.rights import Rights
from reconciler.model.spec import LOCAL, REFUSE, Api, Date, Id, IssueName, Name, ProjectItem
from reconciler.model.visibility import Hidden, Hiding, Sight

ISSUE = Ref(("issue",), word="key")
ISSUES = IssueHiding()
USER = Ref(("user",))
CHUNK = 50
"""Ids of one sort in one request: Redmine 5.0 to 7.0 keep the filter in a 4 KB cookie and answer 500 beyond."""
# They cannot be sorted by id (5.0 to 6.1).
NEWEST = Listing("/time_entries", "time_entries", (("sort", "created_on:desc"),))
"""The time entries of all projects, the newest first."""
SHORT = 60
"""Characters of comments in a key."""


class Hours(Codec):
    """A duration in hours. Redmine 5.0 shows hundredths of what it keeps, 6.0 and later those of its whole minutes."""

    form = NUMBER

    def is_exact(self, value: Any) -> bool:
        return exact(value)

    def equal(self, desired: Any, live: Any) -> bool:
        if desired is None or live is None:
            return desired is live
        minutes = (m for m in (math.floor(desired * 60), math.ceil(desired * 60)) if abs(m - desired * 60) < 0.5 + 1e-6)
        return any(abs(shown - live) < 0.005 + 1e-6 for shown in (desired, *(m / 60 for m in minutes)))


HOURS = Hours()
PER_DAY = 999
"""The default of the setting `timelog_max_hours_per_day` (5.0 to 6.1)."""


EDIT = ("edit_time_entries", "edit_own_time_entries")


class Activity(Codec):
    """An activity, by name: the id is that of the project's own one where it has one (5.0 to 7.0)."""

    lookups = ("time_entry_activity",)
    holds = True
    form = NAMED

    def references(self, value: Any, context: Context) -> Iterable[Reference]:
        # Others are there, or `canonical` says what is wrong with the name.
        names, kind = context.names, "time_entry_activity"
        declared = value in names.declared(kind) or value in names.absent(kind)
        return (Reference((kind,), "", str(value)),) if declared else ()

    def canonical(self, value: Any, context: Context) -> Any:
        if value in usable(context) or context.names.id(Address("time_entry_activity", str(value))) is not None:
            return value
        where = f'in project "{context.project}"' if context.names.row(context.container) else "on the server"
        said, lacks = f'there is no activity "{value}" {where}', ("activity", str(value))
        raise Unresolved(said, advice(value, context), lacks)

    def decode(self, wire: Any, context: Context) -> Any:
        return wire["name"] if wire else None

    def encode(self, value: Any, context: Context) -> Any:
        number = usable(context).get(value) or own_id(value, context)
        if number is None:
            raise Unresolved(inactive(value, context), advice(value, context))
        return number


def inactive(name: str, context: Context) -> str:
    """The sentence for an activity that the project does not have, or no longer has."""
    return f'activity "{name}" is not active in project "{context.project}"'


def advice(name: str, context: Context) -> str:
    """The hint for an activity that cannot be used."""
    return context.names.advice(name, usable(context), "time_entry_activity")


def usable(context: Context) -> Mapping[str, Id]:
    """The activities that new time entries of the project can have, by name: the project's, if they are known."""
    row = context.names.row(context.container) or {}
    shared = context.names.live("time_entry_activity").rows.values()
    active = [r for r in shared if r.get("active", True)]
    return {r["name"]: r["id"] for r in row.get("time_entry_activities", active)}


class TimeEntrySpec(ProjectItem):
    """A time entry. Its identity is the project, issue, user, day, activity and comments together."""

    id: Annotated[
        PositiveInt | None,
        Field(
            description="The id of the entry, if several are equal, or to change a field of its identity.",
            examples=[123],
        ),
        LOCAL,
    ] = None
    issue: Annotated[
        IssueName | None,
        Field(
            description="Key of an issue of the project. Default: none; the time is logged on the project.",
            examples=["login"],
        ),
        Api(codec=ISSUE, write="issue_id", clear=""),
    ] = None
    user: Annotated[
        Name,
        Field(
            description="Login of the user who spent the time: a member of the project, or the API key's account.",
            examples=["jsmith"],
        ),
        Api(codec=USER, write="user_id", clear=REFUSE),
    ]
    spent_on: Annotated[
        Date,
        Field(description="The day, YYYY-MM-DD.", examples=["2026-11-02"]),
        Api(clear=REFUSE, date=True, label="Date"),
    ]
    activity: Annotated[
        Name,
        Field(description="Name of an activity that is active in the project.", examples=["Development"]),
        Api(codec=Activity(), write="activity_id", clear=REFUSE),
    ]
    comments: Annotated[
        str | None,
        StringConstraints(max_length=1024),
        Field(description="At most 1024 characters.", examples=["Found the cause"]),
        Api(clear="", label="Comment"),
    ] = None
    hours: Annotated[
        float | None,
        Field(description="Hours, to the minute (1.5 is one and a half hours).", ge=0, examples=[1.5]),
        Api(codec=HOURS, clear=REFUSE),
    ] = None
    custom_fields: Annotated[
        dict[str, Any] | None,
        Field(description="Custom fields by name.", examples=[{"Billable": True}]),
        Api(codec=CustomFields("time_entry"), clear=REFUSE),
    ] = None


class _ReadBack(KeylessReadBack):
    """Found again by the lists of the days and users of the keys."""

    def again(self, kind: Kind, ids: frozenset[Id], need: Need, names: Names) -> Iterable[list[Listing]]:
        yield _lists(need.keys.get(kind.name, frozenset()), names)


class _Pruning(Pruning):
    """People see time entries in forms only."""

    def link(self, kind: Kind, address: Address, number: Id) -> str:
        return f"/time_entries/{number}/edit"


class _Contents(Contents):
    """One list for many projects."""

    def lists(self, kind: Kind, projects: Mapping[str, Id]) -> Iterable[Listing]:
        return (_list(chunk, ()) for chunk in _chunked(projects.values()))


class _Export(Exporting):
    """Users who may no longer log time, and activities that are no longer active, are left out."""

    def refused(self, kind: Kind, values: Mapping[str, Any], row: Row, context: Context) -> Iterable[tuple[str, str]]:
        if values.get("activity") and values["activity"] not in usable(context):
            yield "activity", f"{inactive(values['activity'], context)}, so a new entry cannot use it"
        user = values.get("user")
        if user and user != context.names.account and lacks_as_member(user, "log_time", context):
            yield "user", f"{user} may no longer log time in the project"


class _Limits(Doubts):
    """Hours that depend on settings."""

    def about(
        self, kind: Kind, row: Row | None, values: Mapping[str, Any], context: Context
    ) -> Iterable[tuple[str, str]]:
        hours = values.get("hours")
        if hours is None or (row is not None and HOURS.equal(hours, row["hours"])):
            return
        most = setting("timelog_max_hours_per_day", context.names)
        if hours == 0 and setting("timelog_accept_0_hours", context.names) is not True:
            yield "hours", "a setting of Redmine, which the API does not show, decides whether it takes 0 hours"
        elif hours > (PER_DAY if most is None else float(most)):
            said = f"by default Redmine takes at most {PER_DAY}" if most is None else f"Redmine takes at most {most:g}"
            yield "hours", f"{said} hours of a user on one day"


class _Dependencies(Dependencies):
    """An activity is switched on in the project before time is logged on it."""

    def depends_on(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Iterable[str], context: Context
    ) -> Iterable[tuple[str, Address]]:
        activity = values.get("activity")
        if activity is not None and "activity" in changed and activity not in usable(context):
            yield "activity", own(activity, context)


class _People(Participants):
    """Time is logged for active members, or for the own account (5.0 to 6.1)."""

    def exempt(self, name: str, person: Address, row: Row | None, values: Mapping[str, Any], context: Context) -> bool:
        return is_account(person, context.names)

    def doubtful(self, name: str, person: Address, row: Row | None, context: Context) -> bool:
        # The account that logged the time can always get it back, and no list shows which one that is.
        # A member who is an administrator needs no permission on 5.0.
        return row is not None or may_be_admin(person, context.names)


class _Hiding(Hiding):
    """A role can see no time entries, or those of the account only (`time_entries_visibility`, 5.0 to 7.0)."""

    def may_hide(self, declared: Object[TimeEntrySpec], sight: Sight, names: Names) -> Hidden | None:
        project, own = declared.address.container, declared.spec.user.casefold() == str(sight.me["login"]).casefold()
        roles = sight.grants(project, names, "view_time_entries")
        if roles is None:
            return Hidden(f'this account is no member of project "{project.key}", where time entries may be hidden')
        if not roles:
            return Hidden(f'this account may not see the time entries of project "{project.key}"', certain=True)
        if not own and not any(role.get("time_entries_visibility") == "all" for role in roles):
            return Hidden(f'time entries of others in project "{project.key}" are hidden from this account')
        # Time that is logged on an issue is shown to those who see the issue.
        issue = _issue(declared.spec.issue, declared.address) if declared.spec.issue else ""
        lost = issue and names.id(Address("issue", f"{project.key}/{issue}")) is None
        return ISSUES.hides(project, sight, names) if lost else None


class TimeEntries(Keyless[TimeEntrySpec]):
    """With an `id`, everything but the project can change; without one, another day or user is another entry."""

    name = "time_entry"
    plural = "time_entries"
    spec = TimeEntrySpec
    inside = Inside(module="time_tracking", follows=("membership",), reads_after=("issue",), lists_by=("user",))
    identity = ("spent_on", "user", "activity", "issue", "comments")
    required = ("hours",)
    rank = 80
    read_back = _ReadBack
    capabilities = (
        FixedKey(),
        _Dependencies(),
        Rights(("log_time",), EDIT, EDIT),
        Rows({"user": REF, "activity": NAMED, "spent_on": DAY, "hours": NUMBER, "comments": TEXT.present}),
        Creation(unique=False, newest=NEWEST),
        ProjectIncludes("time_entry_activities"),
        _Contents("logged hour", "logged hours", sums="hours"),
        _Pruning(),
        _Limits(),
        _People({"user": Part("log_time")}),
        _Export(own_files=True),
        _Hiding(),
    )

    # -- identity ----------------------------------------------------------------------------------------------

    def key(self, spec: TimeEntrySpec, project: str) -> str:
        issue = ISSUE.reference(spec.issue, project).name if spec.issue else ""
        named = _key(project, spec.spent_on, spec.user, spec.activity, issue, spec.comments or "")
        return f"{named} #{spec.id}" if spec.id else named

    def key_of(self, row: Row, context: Context) -> str | None:
        project = self.home(row, context)
        user = context.key("user", row["user"]["id"]) or f"#{row['user']['id']}"
        number = (row.get("issue") or {}).get("id")
        issue = split_key(context.key("issue", number) or f"/#{number}")[1] if number else ""
        activity, comments = row["activity"]["name"], row.get("comments") or ""
        return None if project is None else _key(project, row["spent_on"], user, activity, issue, comments)

    def nature(self, row: Row, context: Context) -> Hashable:
        issue = (row.get("issue") or {}).get("id")
        named = row["spent_on"], row["activity"]["name"], row.get("comments") or ""
        return self.home(row, context), row["user"]["id"], issue, *named

    def wanted(self, address: Address, values: Mapping[str, Any], context: Context) -> Hashable:
        user = context.names.id(USER.address(values["user"], context))
        name, issue = values.get("issue"), None
        if name:
            issue = context.names.id(Address("issue", f"{address.project}/{_issue(name, address)}"))
        if user is None or (name and issue is None):
            return None
        named = values["spent_on"], values["activity"], values.get("comments") or ""
        return address.project, user, issue, *named

    def check(self, declared: Object[TimeEntrySpec], settings: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        spec, project = declared.spec, declared.address.project
        if spec.renamed_from:
            yield "renamed_from", "a time entry has no name; set `id` to change its other fields"
        if spec.issue and ISSUE.reference(spec.issue, project).project != project:
            yield "issue", "the issue is in another project: declare the entry in that project"

    def conflicts(self, row: Row | None, values: Mapping[str, Any], context: Context) -> Iterable[tuple[str, str, str]]:
        activity = values.get("activity")
        live = None if row is None else self.live(row, "activity", context)
        known = activity is None or activity == live or activity in usable(context)
        if activity is not None and not known and not switched_on(activity, context):
            yield "activity", inactive(activity, context), advice(activity, context)

    def losses(self, row: Row, values: Mapping[str, Any], changed: Collection[str], context: Context) -> Iterable[str]:
        return () if values else (f"{row['hours']:g} logged {'hour' if row['hours'] == 1 else 'hours'}",)

    # -- read --------------------------------------------------------------------------------------------------

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        ids, keys = need.ids.get(self.name, frozenset()), need.keys.get(self.name, frozenset())
        pages = [self._page(number) for number in sorted(ids, key=int)]
        if need.has_all(self.name):
            yield pages + [_list(chunk, ()) for chunk in _chunks(need.projects(self.name), names)]
            return
        yield pages if len(ids) >= len(keys) else pages + _lists(keys, names)

    def lookup(self, address: Address, names: Names, values: Mapping[str, Any]) -> list[Listing]:
        return _lists(frozenset({address.key}), names)

    def _page(self, number: Id) -> Listing:
        return Listing(f"/time_entries/{number}", "time_entry", paged=False, single=True, none={404: None})


def _lists(keys: frozenset[str], names: Names) -> list[Listing]:
    """The entries of the keys' projects and users, from the first to the last of their days."""
    parts = [split_key(key)[1].split(" ", 2) for key in keys]
    days = sorted(day for day, *_ in parts)
    users = sorted({n for _, u, *_ in parts if (n := names.id(Address("user", u))) is not None})
    if not users:
        return []
    among = criterion("user_id", "=", *users) if len(users) <= CHUNK else ()
    bounds = (*criterion("spent_on", "><", days[0], days[-1]), *among)
    return [_list(chunk, bounds) for chunk in _chunks({split_key(key)[0] for key in keys}, names)]


def _chunks(projects: Iterable[str], names: Names) -> list[list[int]]:
    known = names.live("project").ids
    return _chunked(known.get(project) for project in set(projects))


def _chunked(numbers: Iterable[Id | None]) -> list[list[int]]:
    # The id of an archived project is not known, and its entries cannot be read.
    return list(chunks(sorted(number for number in numbers if isinstance(number, int)), CHUNK))


def _list(projects: list[int], bounds: tuple[tuple[str, str], ...]) -> Listing:
    # As a filter (`f[]`), project_id means just these projects; as a parameter it takes in their subprojects.
    params = (*criterion("project_id", "=", *projects), *bounds, ("sort", "id"))
    return Listing("/time_entries", "time_entries", params)


def _key(project: str, day: str, user: str, activity: str, issue: str, comments: str) -> str:
    on, said = f" ({issue})" if issue else "", f": {_short(comments)}" if comments else ""
    return f"{project}/{day} {user} {activity}{on}{said}"


def _short(text: str) -> str:
    """A text as one short line; different texts give different lines."""
    if text.isprintable() and len(text) <= SHORT:
        return text
    line = "".join(c if c.isprintable() else " " for c in text[: SHORT - 10])
    return f"{line}… {digest(text.encode())[:8]}"


def _issue(name: Any, address: Address) -> str:
    return ISSUE.reference(name, address.project).name


KINDS = (TimeEntries(),)
