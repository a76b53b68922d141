"""The members of projects, and what their roles permit: read only for people whom a plan newly names there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress

from reconciler.errors import Denied, Missing
from reconciler.kinds import kinds
from reconciler.kinds._members import is_admin, possible_roles
from reconciler.model.address import CONTAINER, Address, Row, Unresolved
from reconciler.model.containers import Archive
from reconciler.model.kind import Object
from reconciler.model.name_index import Context, Names
from reconciler.model.participation import Part, Participants
from reconciler.model.requests import Listing, Need
from reconciler.model.row_form import form_of
from reconciler.redmine.client import Client
from reconciler.state.desired import Desired
from reconciler.state.fetch import fetch
from reconciler.state.together import together

KIND = "membership"


async def read_members(client: Client, desired: Desired, need: Need, names: Names) -> None:
    """Read into `names` who the members are where people are newly named, and the roles that these may have.

    An account that may not read them learns nothing here, which is no error: Redmine decides then.
    """
    there = defaultdict[str, list[Row]](list)
    for key, row in _rows(names):
        there[Address(KIND, key).project].append(row)
    for project in need.projects(KIND):
        # Read already, as memberships are declared there; what other accounts do not see looks like none.
        if project in there or is_admin(names):
            names.members[project] = there[project]
    named = [(found, part, one) for found in desired.objects.values() for part, one in newcomers(found, names)]
    shown = {found.project for found, _, _ in named if _is_shown(found.project, names)}
    await together(_members(client, project, names) for project in sorted(shown - names.members.keys()))
    roles = {
        role for found, part, one in named if part.right for role in possible_roles(one, found.project, names) or ()
    }
    await together(_role(client, role, names) for role in sorted(roles))


def _is_shown(project: str, names: Names) -> bool:
    row = names.row(Address(CONTAINER, project))
    return row is not None and not kinds()[CONTAINER].capability(Archive).is_archived(row)


def _rows(names: Names) -> Iterable[tuple[str, Row]]:
    live = names.live(KIND)
    return ((key, live.rows[number]) for number, key in live.keys.items())


def newcomers(found: Object, names: Names) -> Iterator[tuple[Part, Address]]:
    """The people whom a declared object newly names, and as what."""
    fields = found.fields
    if fields.keys().isdisjoint(found.kind.capability(Participants).parts):
        return
    row = names.row(found.address)
    context = Context(names, found.project, found.address)
    for name, part in found.kind.capability(Participants).parts.items():
        value = fields.get(name)
        if value is None or found.spec.state == "absent":
            continue
        api = found.kind.fields[name]
        if row is not None and (api.create_only or name in found.spec.create_only):
            continue
        # What does not resolve is a problem of the plan; a detail that could not be read is not compared.
        with suppress(Unresolved, KeyError):
            people = found.kind.capability(Participants)
            known = people.newly_named(found.kind, name, api.codec.canonical(value, context), row, context)
            # As in the manifest: only the author counts, who is a plain login.
            yield from ((part, one) for one in known if not people.exempt(name, one, row, fields, context))


async def _members(client: Client, project: str, names: Names) -> None:
    listing = Listing(f"/projects/{project}/memberships", "memberships")
    with suppress(Denied, Missing):
        left_out: list[Row] = []
        rows = await fetch(client, listing, form_of(kinds()[KIND]), lambda _listing, row, _why: left_out.append(row))
        # With a row that cannot be read, who is no member is not certain.
        if not left_out:
            names.members[project] = rows


async def _role(client: Client, number: int, names: Names) -> None:
    live = names.live("role")
    if "permissions" in live.rows.get(number, {}):
        return
    page = Listing(f"/roles/{number}", "role", single=True, none={403: None, 404: None})
    for row in await fetch(client, page, form_of(kinds()["role"])):
        names.add("role", row["name"], row)
