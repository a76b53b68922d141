"""What `check` found, as text and JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from reconciler.errors import Location, MissingName, Problem
from reconciler.render.json import FORMAT_VERSION, problem_json
from reconciler.render.words import summary

if TYPE_CHECKING:
    from reconciler.plan.operations import Change, Plan
    from reconciler.plan.rights import Lacking

OTHERS = (
    "It may not list users, groups and custom fields: their names are learnt from what it may read. It does not see "
    "archived projects, and may not see all private ones."
)
MANY = 10
"""Memberships that are shown."""


class Checked(Struct):
    """What is known so far. Without `memberships`, the account is an administrator's."""

    url: str = ""
    tested: str = ""
    waited: float = 0
    login: str = ""
    memberships: Sequence[Mapping[str, Any]] | None = None
    unreadable: Sequence[str] = ()
    problems: Sequence[Problem] = ()
    plan: Plan | None = None
    lacking: Sequence[Lacking] = ()
    ended: str = ""
    """Why the check ended early."""
    declared: bool = field(default=False)
    """Whether there are manifests."""

    @property
    def status(self) -> str:
        """`ok`, `incomplete` if the manifests need something that is not there, `failed` if that cannot be told."""
        if self.ended:
            return "failed"
        return "incomplete" if self.problems or self.lacking else "ok"


def account(found: Checked) -> str:
    """Sentences on the server and the account."""
    kind = "an administrator" if found.memberships is None else "not an administrator"
    rights = "" if found.memberships is None else f"\n{_roles(found.memberships)}\n{OTHERS}"
    supported = f"{found.url} is a supported Redmine.\nTested with Redmine {found.tested}."
    return "\n".join([f"{supported}\nThe account is {found.login}, {kind}.{rights}", *found.unreadable])


def _roles(memberships: Sequence[Mapping[str, Any]]) -> str:
    """The sentence on the account's roles."""
    some = [f"{', '.join(r['name'] for r in m['roles'])} in {m['project']['name']}" for m in memberships]
    more = f"; and {len(some) - MANY} more" if len(some) > MANY else ""
    return f"Its roles: {'; '.join(some[:MANY])}{more}." if some else "It is not a member of any project."


def conclusion(found: Checked) -> str:
    """Sentences on the manifests that have no problems."""
    return f"All references resolve.\n{summary(found.plan)}" if found.plan and not found.problems else ""


def once(problems: Iterable[Problem]) -> list[Problem]:
    """The problems, with each missing name once: at its first place, with all others."""
    same: defaultdict[MissingName | Problem, list[Problem]] = defaultdict(list)
    for problem in sorted(problems, key=lambda p: (p.location, p.message)):
        same[problem.missing or problem].append(problem)
    return [_with(first, others) if others else first for first, *others in same.values()]


def _with(first: Problem, others: Iterable[Problem]) -> Problem:
    said = first.missing.said if first.missing else first.message
    also = dict.fromkeys([*first.also, *(problem.location for problem in others)])
    # The field and the object of the first place say nothing of the others.
    return replace(first, message=said, subject="", also=tuple(also))


def needs(found: Checked) -> list[Problem]:
    """Each missing permission as a problem, at all places that need it."""
    return sorted(map(_need, found.lacking), key=lambda problem: (problem.location, problem.message))


def _need(lacking: Lacking) -> Problem:
    where = f' in project "{lacking.project}"' if lacking.project else ""
    choice = " or ".join(lacking.permissions)
    what = "the account is not an administrator" if choice == "admin" else f"the account lacks the permission {choice}"
    number = len(lacking.changes)
    message = f"{what}{where}: {number} planned {'change needs' if number == 1 else 'changes need'} it"
    places = _places(lacking.changes)
    hint = "use an administrator's API key" if choice == "admin" else "add it to a role that the account has there"
    hint = hint if where else hint.removesuffix(" there")
    return Problem(places[0] if places else Location(""), message, "", hint, tuple(places[1:]))


def _places(changes: Iterable[Change]) -> list[Location]:
    return sorted({change.source for change in changes if change.source.file})


# -- JSON ------------------------------------------------------------------------------------------------------


def data(found: Checked) -> dict[str, Any]:
    """For programs; `schemas/check.schema.json`."""
    names = once(problem for problem in found.problems if problem.missing)
    return {
        "format_version": FORMAT_VERSION,
        "url": found.url,
        "status": found.status,
        "waited": round(found.waited, 1),
        "account": {"login": found.login, "admin": found.memberships is None} if found.login else None,
        **({"memberships": list(_memberships(found.memberships))} if found.memberships is not None else {}),
        **({"unreadable": list(found.unreadable)} if found.unreadable else {}),
        "missing": [_missing(problem, problem.missing) for problem in names if problem.missing],
        "permissions": [_permission(lacking) for lacking in found.lacking],
        "problems": [problem_json(problem) for problem in found.problems if not problem.missing],
        **({"summary": found.plan.summary} if found.plan and not found.problems else {}),
        **({"ended": found.ended} if found.ended else {}),
    }


def _memberships(memberships: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in memberships:
        yield {"project": row["project"]["name"], "roles": [role["name"] for role in row["roles"]]}


def _missing(problem: Problem, missing: MissingName) -> dict[str, Any]:
    places = [_place(place) for place in (problem.location, *problem.also)]
    named = {"kind": missing.kind, "name": missing.name, "message": missing.said, "hint": problem.hint}
    return {**named, "places": places}


def _permission(lacking: Lacking) -> dict[str, Any]:
    return {
        "project": lacking.project,
        "permission": " or ".join(lacking.permissions),
        "for": [str(change.address) for change in lacking.changes],
        "places": [_place(place) for place in _places(lacking.changes)],
    }


def _place(place: Location) -> dict[str, Any]:
    return {"file": place.file, "line": place.line, "column": place.column}
