"""An export of single objects: just these, with names for all else; planning them shows no changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from canned import Canned, reached
from click.testing import CliRunner, Result
from exports import Exports
from odd import KEY_FIELD, MANIFEST, shop
from single import configured, pick

from reconciler.cli import main
from reconciler.errors import ReconcilerError
from reconciler.export.targets import kinds_of, projects_of

EVERY = {
    "user/amy": "users",
    "group/Team": "groups",
    "project/shop": "projects",
    "project/top": "projects",
    "membership/shop/user:amy": "memberships",
    "membership/shop/group:Team": "memberships",
    "version/shop/1.0": "versions",
    "issue_category/shop/UI": "issue_categories",
    "wiki_page/shop/Wiki": "wiki_pages",
    "wiki_page/shop/Help": "wiki_pages",
    "news/shop/Open": "news",
    "issue/shop/#1": "issues",
    "issue/shop/#2": "issues",
    "issue/shop/#3": "issues",
    "time_entry/shop/*": "time_entries",
}


@pytest.mark.parametrize("key_field", ["", KEY_FIELD], ids=["plain", "keyed"])
@pytest.mark.parametrize("target", EVERY)
def test_planning_a_single_object_shows_no_changes(target: str, key_field: str, tmp_path: Path) -> None:
    """The manifest has one object, and the server is as it says."""
    exports = Exports(shop(), key_field)
    picked = pick(exports, target, file=tmp_path / "one.yaml")
    ((name, (_,)),) = yaml.safe_load(picked.text).items()
    assert name == EVERY[target]
    assert len(picked.addresses) == 1
    assert picked.left_out == ()
    plan = exports.plan(tmp_path)
    assert (plan.changes, plan.summary["unchanged"]) == ((), 1)


@pytest.mark.parametrize("target", [t for t in EVERY if t.split("/")[0] not in ("project", "time_entry")])
def test_a_single_object_fits_into_manifests(target: str, tmp_path: Path) -> None:
    """Beside manifests of all else, which refer to it, a plan shows no changes: parents are named as these name them."""
    exports, text = Exports(shop(), KEY_FIELD), MANIFEST
    one = pick(exports, target, file=tmp_path / "one.yaml")
    (tmp_path / "rest.yaml").write_text(
        yaml.safe_dump(without(yaml.safe_load(text), str(one.addresses[0].kind), target))
    )
    plan = exports.plan(tmp_path)
    assert [str(change.address) for change in plan.changes] == []
    assert plan.summary["unchanged"] == 15


def without(manifest: dict[str, list[dict[str, object]]], kind: str, target: str) -> dict[str, object]:
    """The manifest without one object."""
    place = {"user": ("users", "login"), "group": ("groups", "name"), "membership": ("members", "user")}
    nested = {"issue_category": "issue_categories", "wiki_page": "wiki_pages", "news": "news"}
    name, field = place.get(
        kind, (nested.get(kind, f"{kind}s"), {"wiki_page": "title", "news": "title"}.get(kind, "name"))
    )
    own = target.rpartition("/")[2].rpartition(":")[2]
    own = {"#1": "login", "#2": "logout", "#3": "form"}.get(own, own)
    field = "key" if kind == "issue" else field
    field = "group" if target.startswith("membership/shop/group:") else field
    for holder in (manifest, manifest["projects"][0]):
        listed = holder.get(name)
        if isinstance(listed, list):
            holder[name] = [item for item in listed if str(item.get(field)) != own]
    return dict(manifest)


def test_others_are_named_by_what_the_server_knows(tmp_path: Path) -> None:
    """Without a key field, an issue that is not exported with it is referred to by its id."""
    text = pick(Exports(shop()), "issue/shop/#3", file=tmp_path / "one.yaml").text
    assert "parent: '#1'" in text
    together = pick(Exports(shop()), "issue/shop/#[13]", file=tmp_path / "two.yaml").text
    assert "parent: login" in together
    assert "relations: [{blocks: '#2'}]" in together
    keyed = pick(Exports(shop(), KEY_FIELD), "issue/shop/form", file=tmp_path / "three.yaml").text
    assert "parent: login" in keyed


def test_one_of_several_that_look_the_same_has_its_id(tmp_path: Path) -> None:
    """Where the subject alone could mean another issue, or the title other news, the id says which one it is."""
    redmine = shop()
    redmine.add("issues", project="shop", subject="Form")
    redmine.add("news", project="shop", title="Open", description="Again")
    exports = Exports(redmine)
    for target, line in {"issue/shop/#4": "id: 4", "news/shop/#2": "id: 2", "news/shop/#1": "id: 1"}.items():
        file = tmp_path / f"{target.replace('/', '-')}.yaml"
        assert f"    {line}\n" in pick(exports, target, file=file).text
    assert exports.plan(tmp_path).changes == ()
    assert "id:" not in pick(exports, "issue/shop/#1", file=tmp_path / "other.yaml").text


def test_only_what_is_needed_is_read(tmp_path: Path) -> None:
    """The lists of one project and one kind, those that its references need, and the pages of the chosen objects."""
    redmine = shop()
    pick(Exports(redmine), "issue/shop/#1", file=tmp_path / "one.yaml")
    pages = [path for _, path in redmine.seen if path.startswith("/issues/")]
    assert [page.partition("?")[0] for page in pages] == ["/issues/1.json"]
    redmine.seen.clear()
    pick(Exports(redmine), "version/shop/1.0", file=tmp_path / "two.yaml")
    assert [path for _, path in redmine.seen if path.startswith(("/issues", "/news", "/projects/top"))] == []


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("issue/shop/nope", "matches no live object"),
        ("version/shop/1.1", '(did you mean "version/shop/1.0"?)'),
        ("issue/shp/login", 'There is no project "shp" (did you mean "shop"?).'),
        ("isue/shop/login", '--target "isue/shop/login" names no kind (did you mean "issue"?).'),
        ("issue", "a target is KIND/KEY, such as version/web-shop/1.0 or 'issue/web-shop/#123'"),
        ("tracker/Bug", "set catalog_command"),
    ],
)
def test_a_target_that_means_nothing(target: str, said: str, tmp_path: Path) -> None:
    """It is an error, with what was probably meant."""
    with pytest.raises(ReconcilerError) as error:
        pick(Exports(shop()), target, file=tmp_path / "one.yaml")
    assert said in str(error.value)


def test_what_targets_need() -> None:
    """Kinds and projects follow from the patterns; one pattern for any project means all of them."""
    assert kinds_of(["version/shop/*", "user/amy"]) == {"version", "user"}
    assert projects_of(["version/shop/*", "user/amy"]) == {"shop"}
    assert projects_of(["version/shop/*", "issue/*/login"]) == frozenset()
    assert projects_of(["project/top", "news/shop/*"]) == {"shop", "top"}


# -- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture
def canned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Canned:
    """A server with an object of each kind, and a file at an issue; the current folder leads to it."""
    server = shop()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDMINE_URL", server.url)
    monkeypatch.setenv("REDMINE_API_KEY", server.api_key)
    configured(Exports(server), tmp_path)
    return server


def export(server: Canned, *args: str) -> Result:
    """`reconciler export` with arguments."""
    with reached(server):
        return CliRunner().invoke(main, ["export", *args])


def test_on_stdout_it_can_be_appended(canned: Canned) -> None:
    """stdout has a document of its own, so that `>>` extends any manifest; nothing else is there."""
    first = export(canned, "--target", "version/shop/1.0")
    second = export(canned, "--target", "version/top/*", "--target", "news/shop/Open")
    assert (first.exit_code, second.exit_code) == (0, 1)
    assert first.stdout.startswith("---\nversions:\n  - project: shop\n    name: '1.0'\n")
    third = export(canned, "--target", "news/shop/Open")
    Path("shop.yaml").write_text(first.stdout + third.stdout)
    with reached(canned):
        assert "2 unchanged" in CliRunner().invoke(main, ["plan", "shop.yaml"]).stdout


def test_a_file_is_written_once(canned: Canned) -> None:
    """`-o FILE` makes a new file, and touches no other one."""
    Path("there.yaml").write_text("users: []\n")
    assert export(canned, "--target", "user/amy", "-o", "amy.yaml").stdout == "Exported to amy.yaml: 1 user.\n"
    for name, said in {
        "there.yaml": "there.yaml exists; it was not changed. Name another file, or append to it: >> there.yaml",
        ".": ". is a folder: name a file in it, such as imported.yaml.",
        "amy.txt": "amy.txt would not be read as a manifest: name it amy.yaml.",
    }.items():
        refused = export(canned, "--target", "user/amy", "-o", name)
        assert (refused.exit_code, refused.stderr.splitlines()[-1]) == (1, f"Error: {said}")
    assert sorted(path.name for path in Path().iterdir()) == ["amy.yaml", "reconciler.yaml", "there.yaml"]
    assert Path("there.yaml").read_text() == "users: []\n"


@pytest.mark.parametrize("option", [("--project", "shop"), ("--kind", "user"), ("--sanitize",), ("--write-keys",)])
def test_targets_stand_alone(option: tuple[str, ...], canned: Canned) -> None:
    """Options of a whole export have no meaning for single objects."""
    result = export(canned, "--target", "user/amy", *option)
    assert (result.exit_code, canned.seen) == (1, [])
    assert "--target can only be combined with -o." in result.stderr


def test_an_export_needs_a_place(canned: Canned) -> None:
    """Without targets there are many files, so a folder has to be named."""
    result = export(canned)
    assert (result.exit_code, canned.seen) == (1, [])
    assert "Missing option '-o'" in result.stderr
