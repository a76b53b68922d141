"""Answers that are not as Redmine's: one value missing, null or of another type never invents a change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from canned import Canned
from engine import offline
from limited import Limited
from odd import KEY_FIELD, MANIFEST, Mutation, Odd, mutations, shop
from pydantic import SecretStr

from reconciler.errors import ManifestError, OddResponse, ReconcilerError
from reconciler.export.inventory import Scope, take
from reconciler.plan.operations import Plan
from reconciler.plan.planner import make
from reconciler.redmine.client import Client, Connection
from reconciler.state.live import read

STEP = 29
"""Of the thousands of mutations, every so manieth is tried: a prime, so that each sort of value meets each sort of
mutation."""


def plan_of(server: Odd) -> Plan:
    """The plan for the whole manifest."""
    wanted = offline(MANIFEST, key_field=KEY_FIELD)

    async def run() -> Plan:
        connection = Connection(server.url, api_key=SecretStr(server.api_key), retries=0)
        async with Client(connection, transport=server.transport) as client:
            return make(wanted, await read(client, wanted), server.url)

    return asyncio.run(run())


def spoiled(part: str, action: Callable[[Any], None]) -> Plan:
    """The plan when the body of the answers whose target begins like this is changed."""
    server = Odd(shop())
    plan_of(server)
    (target,) = (t for t in server.answers if t.startswith(part))
    return plan_of(Odd(server.server, Mutation(target, (), "spoil", action)))


def test_nothing_to_do() -> None:
    """The manifest and the server are equal, so each change in these tests would be an invented one."""
    plan = plan_of(Odd(shop()))
    assert not plan.changes and not plan.warnings


@pytest.mark.slow
def test_mutations_invent_nothing() -> None:
    """Whatever one value becomes, the plan creates and deletes nothing, or there is an error of the tool's own."""
    server = Odd(shop())
    plan_of(server)
    for mutation in [*mutations(server.answers)][::STEP]:
        if _plausible(mutation):
            continue
        try:
            plan = plan_of(Odd(server.server, mutation))
        except ReconcilerError as error:
            assert str(error), mutation
        else:
            assert {change.action for change in plan.changes} <= {"update"}, mutation
            assert len({change.address for change in plan.changes}) <= 1, mutation


def for_others() -> Limited:
    """The same server with the key of amy, who is its manager."""
    redmine = shop()
    redmine.set(redmine.row("projects", "shop"), "projects", issue_custom_fields=[KEY_FIELD, "Size"])
    return Limited.view(redmine)


def test_nothing_to_do_for_others() -> None:
    """The manifest and the server are equal for an account that is no administrator's as well."""
    plan = plan_of(Odd(for_others()))
    assert not plan.changes and not plan.warnings


@pytest.mark.slow
def test_mutations_invent_nothing_for_others() -> None:
    """Nor do they for an account that learns names from what it sees."""
    server = Odd(for_others())
    plan_of(server)
    for mutation in [*mutations(server.answers)][::STEP]:
        # Another value in the key field is another key: only one list shows it, as the field cannot be filtered by.
        if _plausible(mutation) or mutation.path[-1] == "value":
            continue
        try:
            plan = plan_of(Odd(server.server, mutation))
        except ReconcilerError as error:
            assert str(error), mutation
        else:
            assert {change.action for change in plan.changes} <= {"update"}, mutation
            assert len({change.address for change in plan.changes}) <= 1, mutation


def _plausible(mutation: Mutation) -> bool:
    """Whether such an answer can be right: an empty list, and time spent on no issue or without comments."""
    empty = mutation.what == "[] for" and len(mutation.path) == 1
    return empty or (
        mutation.what in ("drop", "None for", "'x' for") and mutation.path[2:] in (("issue",), ("comments",))
    )


@pytest.mark.slow
def test_exports_never_crash() -> None:
    """An export of any such answers succeeds, or fails with an error of the tool's own."""

    async def run(server: Odd) -> None:
        connection = Connection(server.url, api_key=SecretStr(server.api_key), retries=0)
        async with Client(connection, transport=server.transport) as client:
            await take(client, {"issue_key_field": KEY_FIELD, "place": "reconciler.yaml"}, Scope())

    first = Odd(shop())
    asyncio.run(run(first))
    for mutation in [*mutations(first.answers)][:: 2 * STEP]:
        try:
            asyncio.run(run(Odd(first.server, mutation)))
        except ReconcilerError as error:
            assert str(error), mutation


def nameless(root: str, name: str) -> Callable[[Any], None]:
    """Takes the name of the first row."""

    def change(body: Any) -> None:
        body[root][0][name] = None

    return change


@pytest.mark.parametrize(
    ("part", "root", "name", "address"),
    [
        ("/projects/shop/versions", "versions", "name", "version shop/1.0"),
        ("/projects/shop/issue_categories", "issue_categories", "project", "issue_category shop/UI"),
        ("/projects/shop/news", "news", "title", "news shop/Open"),
        ("/projects/shop/memberships", "memberships", "roles", "membership shop/user:amy"),
        ("/time_entries", "time_entries", "hours", "time_entry shop/2026-11-02 amy Design (login): Done"),
    ],
)
def test_a_row_that_cannot_be_read(part: str, root: str, name: str, address: str) -> None:
    """A declared object that may be a row without a name is a problem that names the request and the field."""
    with pytest.raises(ManifestError) as caught:
        spoiled(part, nameless(root, name))
    said = [p for p in caught.value.problems if p.subject == address]
    assert said, caught.value.problems
    assert f"{root}[0].{name} is null (GET {part.removesuffix('.json')})" in said[0].message


def test_a_row_that_another_list_shows() -> None:
    """What one list spoils and another one shows as it should be is found, without a word."""
    plan = spoiled("/issues.json", nameless("issues", "subject"))
    assert not plan.changes and not plan.warnings


def test_a_row_of_nobody() -> None:
    """A row that cannot be read and that is no declared object is left out with a warning."""

    def add(body: Any) -> None:
        body["groups"].append({"id": 99, "name": ""})

    plan = spoiled("/groups.json", add)
    assert not plan.changes
    assert [str(w.address) for w in plan.warnings] == ["group #99"]
    assert "groups[3].name is an empty text, not a name in the response to GET /groups" in plan.warnings[0].message


def test_a_custom_field_of_nothing() -> None:
    """A custom field that the server does not say the type of is left out, and a field of that name says so."""

    def drop(body: Any) -> None:
        del body["custom_fields"][1]["customized_type"]

    with pytest.raises(ManifestError, match=r"custom_fields\[1\]\.customized_type is missing"):
        spoiled("/custom_fields", drop)


def test_a_doubled_row() -> None:
    """A row that a list has twice is one object."""

    def double(body: Any) -> None:
        body["versions"].append(dict(body["versions"][0]))

    assert not spoiled("/projects/shop/versions", double).changes


def test_an_odd_page() -> None:
    """An object's own page that is not as Redmine's is an error that names the request and the field."""

    def change(body: Any) -> None:
        body["issue"]["journals"][0]["notes"] = {}

    with pytest.raises(OddResponse, match=r"GET /issues/1 .* issue\.journals\[0\]\.notes is an empty object"):
        spoiled("/issues/1.json", change)


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_that_happens_once_is_no_absence(status: int) -> None:
    """Each answer that is 403 or 404 once, where that would mean that nothing is there: asked again, nothing changes."""
    server = Odd(shop())
    plan_of(server)
    for target in server.answers:
        refused = Refusing(server.server, target, status)
        try:
            plan = plan_of(refused)
        except ReconcilerError:
            continue
        assert plan.changes == (), target


class Refusing(Odd):
    """A server that refuses one request, the first time."""

    def __init__(self, server: Canned, target: str, status: int) -> None:
        super().__init__(server)
        self.refused = {target: status}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        status = self.refused.pop(request.url.raw_path.decode(), None)
        return httpx.Response(status) if status else super().__call__(request)
