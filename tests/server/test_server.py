"""What the tool says of servers and accounts that it cannot work with: a sentence, before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from promises import Api, Tool, outcomes, permit, person, raw_shop, setting, tool
from proxy import Fault, Proxy

from reconciler.errors import (
    AuthenticationFailed,
    NotRedmine,
    ReconcilerError,
    RestApiDisabled,
    ServerError,
    Unreachable,
)
from reconciler.sandbox import Running

ISSUES = {"projects": [{"identifier": "shop", "issues": [{"subject": "it", "description": "text"}]}]}
AMY = person()


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    with Api(world) as api:
        yield api


def said(tool: Tool, error: type[ReconcilerError], data: dict[str, Any] = ISSUES) -> str:
    """What stops a plan: the error's text, which ends as a sentence does."""
    with pytest.raises(error) as caught:
        tool.plan(data)
    text = str(caught.value)
    assert text.endswith("."), text
    return text


def amy(api: Api, *roles: int) -> str:
    """The key of a new user who is no administrator, with these roles in the project."""
    user = api.make("/users", **AMY)["id"]
    if roles:
        api.make("/projects/shop/memberships", user_id=user, role_ids=list(roles))
    return str(api.get(f"/users/{user}")["api_key"])


# -- no Redmine ------------------------------------------------------------------------------------------------


def test_a_server_that_does_not_answer(world: Running) -> None:
    """A server that takes longer than the time-out is said to be silent, with the seconds and the setting's name."""
    with Proxy(world.url, lambda exchange: Fault(delay=3)) as proxy:
        text = said(Tool(proxy.url, world.api_key, timeout=0.3, retries=0), Unreachable)
    assert "there was no response within 0.3 seconds (`timeout`)" in text


def test_a_path_without_a_redmine(world: Running) -> None:
    """A Redmine that is not at this path is said to be missing there."""
    url = f"{world.url}/redmine"
    assert said(Tool(url, world.api_key), NotRedmine).startswith(f"No Redmine at {url}")


# -- accounts --------------------------------------------------------------------------------------------------


def test_a_wrong_key(world: Running) -> None:
    """A key that is nobody's is not accepted, and the sentence says where the right one is."""
    text = said(Tool(world.url, "0" * 40), AuthenticationFailed)
    assert text == (
        f"The Redmine at {world.url} does not accept the API key. A user's API key is shown at {world.url}/my/account."
    )


def test_a_locked_users_key(world: Running, api: Api) -> None:
    """The key of a user who was locked is refused like a wrong one."""
    raw_shop(api)
    key = amy(api)
    user = api.get("/users?name=amy")[0]["id"]
    api.change(f"/users/{user}", status=3)
    assert "does not accept the API key" in said(Tool(world.url, key), AuthenticationFailed)


def test_the_rest_api_is_disabled(world: Running) -> None:
    """With REST switched off, the sentence says who can switch it on, and where."""
    setting(world, "rest_api_enabled", "0")
    text = said(tool(world), RestApiDisabled)
    assert text.startswith(f"The REST API of the Redmine at {world.url} is disabled.")
    assert "Administration, Settings, API" in text


def test_a_redmine_that_asks_everybody_to_log_in(world: Running, api: Api) -> None:
    """Where nobody is let in without a login, a right key works as ever, and a wrong one is said to be wrong."""
    raw_shop(api)
    setting(world, "login_required", "1")
    assert outcomes(tool(world).settle(ISSUES)) == {"issue shop/it": "done"}
    assert "does not accept the API key" in said(Tool(world.url, "0" * 40), AuthenticationFailed)


def test_rest_disabled_where_a_login_is_asked_for(world: Running) -> None:
    """With both, the REST web service is what is named."""
    setting(world, "login_required", "1")
    setting(world, "rest_api_enabled", "0")
    assert "is disabled" in said(tool(world), RestApiDisabled)


# -- others than administrators --------------------------------------------------------------------------------


def test_a_manager_can_keep_issues_versions_and_categories(world: Running, api: Api) -> None:
    """With the rights of a manager, what names no user works without an administrator's key: it is made, verified, and
    nothing is left to do."""
    raw_shop(api)
    own = Tool(world.url, amy(api, 3))
    inside = {
        "versions": [{"name": "1.0", "due_date": "2030-01-01", "sharing": "descendants"}],
        "issue_categories": [{"name": "Backend"}],
        "issues": [
            {"subject": "it", "tracker": "Bug", "fixed_version": "1.0", "category": "Backend"},
            {"subject": "below", "parent": "it", "status": "In Progress", "description": "text", "priority": "High"},
        ],
    }
    own.settle({"projects": [{"identifier": "shop", "description": "by a manager", **inside}]})
    assert api.issue("below")["author"]["name"] == "amy Test"


@pytest.mark.custom_fields("Issue list", "Issue string")
def test_a_manager_can_set_custom_fields_that_have_a_value_shown(world: Running, api: Api) -> None:
    """Without the right to list custom fields, their names are learnt from the objects that have them."""
    raw_shop(api)
    api.make("/projects/shop/issues", subject="it")
    own = Tool(world.url, amy(api, 3))
    issue = {"subject": "it", "custom_fields": {"Issue string": "text", "Issue list": "red"}}
    own.settle({"projects": [{"identifier": "shop", "issues": [issue]}]})


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("users", {"users": [{**AMY, "login": "bob", "mail": "bob@example.net"}]}),
        ("users", {"projects": [{"identifier": "shop", "members": [{"user": "bob", "roles": ["Manager"]}]}]}),
        ("groups", {"projects": [{"identifier": "shop", "members": [{"group": "all", "roles": ["Manager"]}]}]}),
    ],
    ids=["users", "a member", "a group"],
)
def test_what_only_an_administrator_may_read(world: Running, api: Api, kind: str, data: dict[str, Any]) -> None:
    """Users and groups are not for others to list: the problem says which, and whose key is needed."""
    raw_shop(api)
    (problem,) = Tool(world.url, amy(api, 3)).problems(data)
    assert f"this account may not list {kind}" in problem
    assert "use an administrator's API key" in problem


def test_what_the_account_may_not_write(world: Running, api: Api) -> None:
    """An object that the account may not write fails with Redmine's status, and others are done."""
    raw_shop(api)
    api.make("/projects/shop/issues", subject="it")
    key = amy(api, 5)
    permit(world, "view_issues", "edit_issues")
    inside = {"versions": [{"name": "1.0"}], "issues": [{"subject": "it", "description": "text"}]}
    report = Tool(world.url, key).apply({"projects": [{"identifier": "shop", **inside}]})
    assert outcomes(report) == {"version shop/1.0": "failed", "issue shop/it": "done"}
    (failed,) = [result for result in report.results if result.outcome == "failed"]
    assert "403, the account lacks the permission" in failed.errors[0].message


# -- a server that goes away -----------------------------------------------------------------------------------


def test_a_server_that_fails_while_it_is_read(world: Running) -> None:
    """A list that keeps failing ends the plan with the request and the status; nothing is taken for absent."""
    with Proxy(world.url, lambda e: Fault(status=500) if e.path.startswith("/projects") else None) as proxy:
        text = said(Tool(proxy.url, world.api_key, retries=0), ServerError)
    assert "GET /projects" in text
    assert "500" in text


def test_a_server_that_goes_away_in_the_middle(world: Running, api: Api) -> None:
    """When the server is gone after some writes, there is a report all the same: what was done but could not be read
    back is unknown, nothing counts as done that was not seen; the next apply completes it."""
    issues = [{"subject": f"issue {number}"} for number in range(6)]
    data = {
        "projects": [{"identifier": "shop", "name": "Shop", "enabled_modules": ["issue_tracking"], "issues": issues}]
    }
    gone: list[bool] = []

    def fault(exchange: Any) -> Fault | None:
        gone.extend([True] if exchange.write == 4 else [])
        return Fault(forward=False, reset=True) if gone else None

    with Proxy(world.url, fault) as proxy:
        report = Tool(proxy.url, world.api_key, retries=0, concurrency=1).apply(data)
    assert "done" not in outcomes(report).values()
    assert len(report.results) == 7
    assert "unknown" in outcomes(report).values()
    assert tool(world).settle(data).summary["done"] == 4
    assert len(api.get("/issues")) == 6
