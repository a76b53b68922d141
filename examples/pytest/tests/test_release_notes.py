"""Tests of a program that works with a Redmine, on a real one."""

from release_notes import release_notes


def test_closed_issues_are_listed(redmine_world):
    world = redmine_world("manifests/")
    notes = release_notes(world.url, world.api_key, world.id("version web-shop/1.0"))
    assert notes == f"- Customers can pay by card (#{world.id('issue web-shop/card-payments')})"


def test_an_issue_that_is_closed_appears(redmine_world):
    world = redmine_world("manifests/")
    closed = next(s["id"] for s in world.get("/issue_statuses")["issue_statuses"] if s["name"] == "Closed")
    login = world.id("issue web-shop/login")
    world.client.put(f"/issues/{login}.json", json={"issue": {"status_id": closed}}).raise_for_status()
    assert f"- Login fails (#{login})" in release_notes(world.url, world.api_key, world.id("version web-shop/1.0"))
