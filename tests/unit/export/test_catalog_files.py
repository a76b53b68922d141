"""What an export writes of settings, of lists with an order, and of what projects have of their own; it plans empty."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from canned import Canned, reached
from catalog import MemorySession
from engine import plan_of
from pydantic import SecretStr

from reconciler.export.file_tree import file_tree, items
from reconciler.export.inventory import Scope, take
from reconciler.redmine.client import Client, Connection


def files_of(program: MemorySession) -> Mapping[str, str]:
    """The texts of an export of everything; a remark on the catalog is an error of the test."""
    redmine, scope = program.redmine, Scope(catalog=True)

    async def main() -> Mapping[str, str]:
        async with Client(Connection(redmine.url, api_key=SecretStr(redmine.api_key))) as client:
            client.catalog = program
            tree = file_tree(items(await take(client, {}, scope), scope), {})
            assert [remark for remark in tree.remarks if remark[0].kind != "project"] == []
            return dict(tree.texts)

    with reached(redmine):
        return asyncio.run(main())


@pytest.fixture
def program() -> MemorySession:
    """A Redmine with settings and a mode of authentication."""
    made = MemorySession(Canned())
    made.add("setting", name="app_title", value="Redmine", format="text")
    made.add("setting", name="emails_header", value="", format="text")
    made.add("setting", name="login_required", value=True, format="boolean")
    made.add("setting", name="rest_api_enabled", value=True, format="boolean")
    made.add("setting", name="feeds_limit", value=15, format="integer")
    made.add("setting", name="enabled_scm", value=["Git"], format="set")
    made.add("setting", name="welcome_text", value="Hello\r\nthere", format="text")
    made.add("setting", name="time_entry_list_defaults", value={"column_names": ["hours"]}, format="mapping")
    made.add("auth_source", name="LDAP", host="ldap.example.net", attr_login="uid", tls=True)
    return made


def test_settings_are_one_mapping(program: MemorySession) -> None:
    """By name, with what must be allowed; the one that cannot be changed is left out."""
    text = files_of(program)["settings.yaml"]
    assert text.splitlines() == [
        "settings:",
        "  allow: [login_required]",
        "  app_title: Redmine",
        "  emails_header: ''",
        "  enabled_scm: [Git]",
        "  feeds_limit: 15",
        "  login_required: true",
        "  time_entry_list_defaults: {column_names: [hours]}",
        "  welcome_text: |-",
        "    Hello",
        "    there",
    ]
    assert not plan_of(program.redmine, text, catalog=program).changes


def test_lists_have_the_order_that_redmine_has(program: MemorySession) -> None:
    """So a server that is set up from them gets the same one."""
    names = [row["name"] for row in program.rows("issue_status")]
    program.rows("issue_status").reverse()
    text = files_of(program)["issue_statuses.yaml"]
    assert text.startswith("ordered: true\n")
    assert [line.partition("name: ")[2] for line in text.splitlines() if "name: " in line] == names[::-1]
    assert not plan_of(program.redmine, text, catalog=program).changes


def test_a_mode_of_authentication_has_no_password(program: MemorySession) -> None:
    """The program does not show it."""
    text = files_of(program)["auth_sources.yaml"]
    assert "password" not in text
    assert not plan_of(program.redmine, text, catalog=program).changes


def test_activities_of_a_project_are_inside_it(program: MemorySession) -> None:
    """Where a project has them different from the shared ones."""
    program.add("time_entry_activity", name="Cooking")
    program.redmine.add("projects", identifier="shop", name="Shop", enabled_modules=["time_tracking"])
    program.add("project_time_entry_activity", project="shop", name="Cooking", active=False)
    text = files_of(program)["projects/shop.yaml"]
    assert "    time_entry_activities:\n      - {name: Cooking, active: false}\n" in text
