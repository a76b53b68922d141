"""A saved plan knows who inherits roles no more, as the plan did."""

from __future__ import annotations

import asyncio

from canned import Canned, reached
from engine import PLACE, offline
from pydantic import SecretStr

from reconciler.model.address import Address
from reconciler.plan import plan_file
from reconciler.plan.planner import make
from reconciler.redmine.client import Client, Connection
from reconciler.render.json import plan_json
from reconciler.state.live import read

MEMBERS = """
memberships:
  - {project: shop, group: Staff, state: absent}
  - {project: shop, user: eve, state: absent}
"""


def test_the_members_of_a_group(tmp_path: object) -> None:
    """The membership of a group goes before that of its user, who then has only direct roles to delete (5.0 refuses to
    take the last ones in any other way)."""
    redmine = Canned()
    redmine.add("projects", identifier="shop")
    eve = redmine.add("users", login="eve")
    redmine.add("groups", name="Staff", users=[eve])
    redmine.add("memberships", project="shop", group="Staff", roles=["Reporter"])
    redmine.add("memberships", project="shop", user=eve, roles=["Developer", "Reporter"])
    redmine.rows("memberships")[1]["roles"][1]["inherited"] = True
    with reached(redmine):
        roles = asyncio.run(roles_to_delete(redmine))
    assert roles == ["Developer"]


async def roles_to_delete(redmine: Canned) -> list[str]:
    """The roles of the user's membership as they are known when the saved plan is applied."""
    async with Client(Connection(redmine.url, api_key=SecretStr(redmine.api_key))) as client:
        wanted = offline(MEMBERS)
        state = await read(client, wanted)
        plan = make(wanted, state, redmine.url)
        saved = plan_file.load(plan_file.save(plan, state.names, plan_json(plan)), "saved.plan", {}, PLACE)
        now = await read(client, saved.desired)
        plan_file.check(saved.plan, now)
        row = now.names.row(Address("membership", "shop/user:eve"))
        assert row is not None
        return [role["name"] for role in row["roles"]]
