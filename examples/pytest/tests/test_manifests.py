"""Tests of the manifests themselves."""

import pytest


def test_one_apply_is_enough(redmine_world):
    world = redmine_world("manifests/")
    assert world.plan("manifests/").changes == ()


def test_developers_see_the_project_and_others_do_not(redmine_world):
    world = redmine_world("manifests/", text="users: [{login: bob, firstname: B, lastname: B, mail: b@example.net}]")
    assert world.as_user("amy").get("/projects/web-shop.json").status_code == 200
    assert world.as_user("bob").get("/projects/web-shop.json").status_code == 403


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_a_world_of_its_own(redmine_world, version):
    world = redmine_world(text=f"projects: [{{identifier: shop, name: Shop, versions: [{{name: '{version}'}}]}}]")
    versions = world.get("/projects/shop/versions")["versions"]
    assert [each["name"] for each in versions] == [version]
