"""A saved plan: what is read is what was written, with secrets evaluated again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from engine import offline
from plans import PERSON, SHOP, Present, inside, issue, live_of, project, user, version

from reconciler.errors import ConfigError, Location, ReconcilerError, RefusedError
from reconciler.model.spec import Secret
from reconciler.plan.operations import Plan
from reconciler.plan.plan_file import Saved, load, save
from reconciler.plan.planner import make

PLACE = Location("reconciler.yaml", 1, 1)
ENV = {"PASSWORD": "canary"}
EVERYTHING = inside(
    "status: closed",
    'default_version: "1.0"',
    "description: new",
    "members: [{user: amy, roles: [Manager]}]",
    'versions: [{name: "1.0"}, {name: "0.9", state: absent}, {name: "0.8"}]',
    "issues:",
    '  - {subject: a, fixed_version: "0.8", status: Closed, estimated_hours: 1.5, relations: [{blocks: c}]}',
    "  - {subject: b, parent: a, is_private: true, assigned_to: {user: amy}}",
    "  - {subject: c}",
)
LIVE = (
    project(1, "shop", status=5),
    user(5, "amy"),
    version(5, "shop", "0.9"),
    version(6, "shop", "0.8", status="locked"),
    issue(9, "shop", "a"),
)


def planned(text: str, *present: Present) -> tuple[Plan, str]:
    """A plan, and the file that it is saved in."""
    wanted = offline(text, env=ENV)
    live = live_of(wanted, present)
    made = make(wanted, live, "http://redmine.test")
    return made, save(made, live.names)


def read(text: str, variables: dict[str, str] = ENV) -> Saved:
    """The plan in a file."""
    return load(text, "it.plan", variables, PLACE)


def test_what_is_read_is_what_was_written() -> None:
    """Operations with their types and edges, milestones, places, ids and fingerprints come back as they were."""
    made, text = planned(EVERYTHING, *LIVE)
    assert len({type(o) for o in made.operations}) >= 6
    assert made.milestones
    loaded = read(text).plan
    assert loaded == made
    assert [f.location for c in loaded.changes for f in c.all_fields] == [
        f.location for c in made.changes for f in c.all_fields
    ]
    assert loaded.digest == made.digest


def test_what_is_only_read_back_comes_along() -> None:
    """Objects on which others have side effects are in the file, with their fields."""
    parent, child = issue(9, "shop", "a"), issue(10, "shop", "b", parent={"id": 9})
    text = inside("issues: [{subject: a, status: New}, {subject: b, parent: null}]")
    made, saved = planned(text, SHOP, parent, child)
    assert [str(c.address) for c in made.affected] == ["issue shop/a"]
    assert read(saved).plan.affected == made.affected


def test_a_secret_is_evaluated_again() -> None:
    """The file has the name of the variable; the value is that of the time when it is applied."""
    made, saved = planned("users: [{login: amy, password: '${PASSWORD}', " + PERSON + "}]")
    assert "canary" not in saved
    (change,) = read(saved, {"PASSWORD": "another"}).plan.changes
    assert [f.after for f in change.fields if f.path == "password"] == [Secret("another", "${PASSWORD}")]
    assert read(saved).plan == made


def test_a_secret_without_its_variable() -> None:
    """A plan whose secret cannot be evaluated says which field of which object needs it."""
    _, saved = planned("users: [{login: amy, password: '${PASSWORD}', " + PERSON + "}]")
    with pytest.raises(ConfigError, match=r"needs \$\{PASSWORD\} for password of user amy"):
        read(saved, {})


def test_a_secret_in_the_manifest_itself_is_not_saved() -> None:
    """It would be in the file."""
    with pytest.raises(RefusedError, match="it would contain password of user amy in plain text"):
        planned("users: [{login: amy, password: plain, " + PERSON + "}]")


def test_an_edge_that_was_changed_by_hand() -> None:
    """The seal covers the edges, too."""
    _, saved = planned(EVERYTHING, *LIVE)
    data = json.loads(saved)
    operations = [o for change in data["plan"]["changes"] for o in change["operations"]]
    next(o for o in operations if o["after"])["after"] = []
    with pytest.raises(RefusedError, match="was modified after it was saved"):
        read(json.dumps(data))


def test_a_file_of_another_shape() -> None:
    """What has the format's number and not its shape is refused as one of another version."""
    from reconciler.plan import plan_file

    _, saved = planned(EVERYTHING, *LIVE)
    data = {key: value for key, value in json.loads(saved).items() if key != "seal"}
    data["plan"]["changes"][0]["operations"][0]["type"] = "explode"
    with pytest.raises(RefusedError, match="was saved by another version"):
        read(json.dumps({**data, "seal": plan_file._seal(data)}))


def test_a_file_of_another_public_format() -> None:
    """A plan whose public part is of another major version is refused, although its seal is right."""
    from reconciler.plan import plan_file

    _, saved = planned(EVERYTHING, *LIVE)
    data = {key: value for key, value in json.loads(saved).items() if key != "seal"} | {"format_version": "9.0"}
    with pytest.raises(RefusedError, match="was saved by another version"):
        read(json.dumps({**data, "seal": plan_file._seal(data)}))


def test_a_file_of_brackets(tmp_path: Path) -> None:
    """Nesting without end is no saved plan: neither read nor overwritten."""
    from reconciler.plan import plan_file

    with pytest.raises(ReconcilerError, match="is not a saved plan"):
        read("[" * 200_000)
    (tmp_path / "plan").write_text("[" * 200_000)
    with pytest.raises(ReconcilerError, match="is not a saved plan, so it was not overwritten"):
        plan_file.write(tmp_path / "plan", "{}")
