"""Keys of issues that nothing in Redmine holds: an export remembers them in its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from exports import Exports
from promises import KEY, Api, fields, raw_issue, raw_shop, raw_user

from reconciler.export.state_files import KEYS
from reconciler.sandbox import Running


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    with Api(world) as api:
        raw_shop(api)
        yield api


def keys(folder: Path) -> dict[str, str]:
    """Descriptions (else subjects) of the exported issues → their keys."""
    issues = yaml.safe_load((folder / "projects" / "shop" / "issues.yaml").read_text())["issues"]
    return {issue.get("description") or issue["subject"]: issue["key"] for issue in issues}


def test_an_issue_keeps_its_key_whatever_becomes_of_it(world: Running, api: Api, tmp_path: Path) -> None:
    """Another description, another subject, a new issue of the same subject: keys stay, and so does what names them."""
    folder, exports = tmp_path / "export", Exports(world)
    first = raw_issue(api, "Double", description="first")
    second = raw_issue(api, "Double", description="second")
    raw_issue(api, "Below", parent_issue_id=second)
    exports.write(folder)
    assert keys(folder) == {"first": "double", "second": "double-2", "Below": "below"}
    api.change(f"/issues/{first}", description="zzz")
    api.change(f"/issues/{second}", subject="Single")
    raw_issue(api, "Double", description="a third")
    exports.write(folder)
    assert keys(folder) == {"zzz": "double", "second": "double-2", "a third": "double-3", "Below": "below"}
    text = (folder / "projects" / "shop" / "issues.yaml").read_text()
    assert "parent: double-2" in text
    assert fields(exports.plan(folder)) == {}


def test_what_is_remembered_is_of_one_server(world: Running, api: Api, tmp_path: Path) -> None:
    """Numbers mean nothing on another server; what is no such file is not used either."""
    folder, exports = tmp_path / "export", Exports(world)
    number = raw_issue(api, "Double")
    exports.write(folder)
    remembered = json.loads((folder / KEYS).read_text())
    made = api.get(f"/issues/{number}")["created_on"]
    assert remembered == {"url": world.url, "keys": {"shop/double": f"{number} {made}"}}
    for content in ({"url": "http://elsewhere", "keys": {"shop/other": number}}, {"keys": 3}, []):
        (folder / KEYS).write_text(json.dumps(content))
        exports.write(folder)
        assert keys(folder) == {"Double": "double"}


def test_what_is_remembered_gives_no_key_twice(world: Running, api: Api, tmp_path: Path) -> None:
    """A key that somebody else has, or of another project, is not given again."""
    folder, exports = tmp_path / "export", Exports(world)
    one, two = raw_issue(api, "One"), raw_issue(api, "Two")
    exports.write(folder)
    (folder / KEYS).write_text(json.dumps({"url": world.url, "keys": {"other/mine": one, "shop/one": two}}))
    exports.write(folder)
    assert keys(folder) == {"Two": "one", "One": "one-2"}


def test_stored_and_sanitized_keys_are_not_remembered(world: Running, api: Api, tmp_path: Path) -> None:
    """A key field holds the keys; and stand-ins must not be traced to numbers."""
    raw_issue(api, "One")
    Exports(world, KEY).write(tmp_path / "stored")
    Exports(world).write(tmp_path / "sanitized", sanitize=True)
    assert not (tmp_path / "stored" / KEYS).exists()
    assert not (tmp_path / "sanitized" / KEYS).exists()


def test_twins_that_only_their_pages_tell_apart(world: Running, api: Api, tmp_path: Path) -> None:
    """Keys of issues that lists show alike follow their numbers, remembered ones too: a plan pairs them in this order."""
    folder, exports, zoe = tmp_path / "export", Exports(world), raw_user(api, "zoe")
    first = raw_issue(api, "Test", description="b", watcher_user_ids=[zoe])
    raw_issue(api, "Test", description="a")
    exports.write(folder)
    assert fields(exports.plan(folder)) == {}
    api.change(f"/issues/{first}", description="a")
    exports.write(folder)
    assert fields(exports.plan(folder)) == {}


def test_twins_below_different_issues(world: Running, api: Api, tmp_path: Path) -> None:
    """Subtasks are often called the same: they are told apart by what they are below, by who wrote them and by files."""
    folder, exports = tmp_path / "export", Exports(world)
    api.make("/projects/shop/memberships", user_id=raw_user(api, "amy"), role_ids=[3])
    for subject in ("Zebra", "Ape"):
        above = raw_issue(api, subject)
        raw_issue(api, "Review", parent_issue_id=above)
    headers = {"X-Redmine-Switch-User": "amy"}
    for more in ({}, {"headers": headers}):
        api.send("POST", "/projects/shop/issues", {"issue": {"subject": "Same"}}, **more)
    exports.write(folder)
    issues = yaml.safe_load((folder / "projects" / "shop" / "issues.yaml").read_text())["issues"]
    assert {i["key"]: i.get("parent") for i in issues if "parent" in i} == {"review": "ape", "review-2": "zebra"}
    assert {i["key"]: i["author"] for i in issues if i["subject"] == "Same"} == {"same": "admin", "same-2": "amy"}
    assert fields(exports.plan(folder)) == {}
