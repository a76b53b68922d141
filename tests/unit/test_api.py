"""The public API of the package, as another program uses it."""

from __future__ import annotations

import ast
import asyncio
import dataclasses
import json
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from canned import Canned
from fake import Fake
from paths import ROOT
from stub import Stub

import reconciler
from reconciler.errors import RefusedError
from reconciler.masking import Secrets

SHOP = "projects: [{identifier: shop, name: Shop}]"


@pytest.fixture
def fake() -> Fake:
    """What answers."""
    return Fake()


@pytest.fixture
def manifests(fake: Fake, tmp_path: Path) -> Iterator[reconciler.Manifests]:
    """Manifests for a server that has nothing yet."""
    (tmp_path / "a.yaml").write_text(SHOP)
    with Stub(fake.answer) as server:
        environ = {"REDMINE_URL": server.url, "REDMINE_API_KEY": "key", "REDMINE_RETRIES": "0"}
        yield reconciler.load(tmp_path, environ=environ)


def test_load_plan_apply(manifests: reconciler.Manifests, fake: Fake) -> None:
    """The three steps of the package's docstring; afterwards there is nothing left to do."""
    plan = manifests.plan()
    assert plan.summary == {"create": 1, "update": 0, "delete": 0, "unchanged": 0}
    report = manifests.apply(plan)
    assert (report.summary["done"], fake.projects["shop"]["name"]) == (1, "Shop")
    assert manifests.plan().changes == ()


def test_inside_an_event_loop(manifests: reconciler.Manifests) -> None:
    """The async variants do the same; `listener` hears of each change."""
    heard: list[tuple[str, str]] = []

    async def both() -> reconciler.Report:
        plan = await manifests.plan_async(targets=["project/*"])
        return await manifests.apply_async(plan, lambda address, outcome: heard.append((str(address), outcome)))

    assert asyncio.run(both()).summary["done"] == 1
    assert heard == [("project shop", "done")]


def test_another_plan_than_the_agreed_one_is_refused(manifests: reconciler.Manifests, fake: Fake) -> None:
    """What changed between plan and apply is not overwritten."""
    fake.projects["shop"] = {"id": 1, "status": 1, "identifier": "shop", "name": "Old"}
    plan = manifests.plan()
    fake.projects["shop"]["name"] = "Foreign"
    with pytest.raises(RefusedError, match="changed since the plan was made"):
        manifests.apply(plan)
    assert fake.projects["shop"]["name"] == "Foreign"


def test_the_digest_of_a_plan_is_enough(manifests: reconciler.Manifests, fake: Fake) -> None:
    """A plan that was reviewed in another process is agreed to by its digest."""
    with pytest.raises(RefusedError, match="changed since the plan was made"):
        manifests.apply("sha256:0")
    assert fake.projects == {}
    assert manifests.apply(manifests.plan().digest).summary["done"] == 1


def test_the_plan_of_a_part_can_be_applied(canned: Canned) -> None:
    """`apply` takes the targets of the plan, and changes nothing else."""
    Path("a.yaml").write_text("projects: [{identifier: shop, name: New, versions: [{name: '1'}, {name: '2'}]}]")
    manifests = reconciler.load()
    plan = manifests.plan(targets=["version/shop/1"], excludes=["version/shop/2"])
    manifests.apply(plan, targets=["version/shop/1"], excludes=["version/shop/2"])
    assert [row["name"] for row in canned.rows("versions")] == ["1"]
    assert canned.row("projects", "shop")["name"] == "shop"


def test_deletions_are_limited(canned: Canned) -> None:
    """`apply` deletes no more than the limits allow, whatever was agreed to; `max_deletes` replaces them."""
    names = [f"v{n}" for n in range(11)]
    for name in names:
        canned.add("versions", project="shop", name=name)
    Path("a.yaml").write_text(f"versions: [{', '.join(f'{{project: shop, name: {n}, state: absent}}' for n in names)}]")
    manifests = reconciler.load()
    with pytest.raises(RefusedError, match="more than the limit of 10"):
        manifests.apply(manifests.plan())
    assert len(canned.rows("versions")) == 11
    assert manifests.apply(max_deletes=11).summary["done"] == 11


def test_a_text_is_one_pattern(canned: Canned) -> None:
    """Not each of its letters: for targets, excludes and what is sent again, as for the projects of an export."""
    manifest = "projects: [{identifier: a, name: A}, {identifier: b, name: B}]\n"
    manifest += "users: [{login: amy, firstname: A, lastname: L, mail: a@example.net, password: secret-12}]"
    Path("a.yaml").write_text(manifest)
    loaded = reconciler.load()
    assert [change.address.key for change in loaded.plan(targets="project/b").changes] == ["b"]
    assert [change.address.key for change in loaded.plan(excludes=iter(["project/*"])).changes] == ["amy"]
    assert loaded.apply(targets="user/*").summary["done"] == 1
    (again,) = loaded.plan(targets="user/amy", resend="user/amy.password").changes
    assert [field.path for field in again.all_fields] == ["password"]


@pytest.mark.parametrize("limit", [{"max_deletes": -1}, {"lease_timeout": -0.5}])
def test_a_negative_limit(limit: dict[str, Any], canned: Canned) -> None:
    """It is refused before the server is asked."""
    Path("a.yaml").write_text(SHOP)
    ((name, value),) = limit.items()
    with pytest.raises(reconciler.ReconcilerError, match=rf"^{name} is {value}: it must be 0 or more\.$"):
        reconciler.load().apply(**limit)
    assert canned.seen == []


def test_arguments_come_before_the_environment(fake: Fake, tmp_path: Path) -> None:
    """`url` and `api_key` override what is in the environment and in the file."""
    (tmp_path / "a.yaml").write_text(SHOP)
    (tmp_path / "reconciler.yaml").write_text("url: http://127.0.0.1:2\napi_key: file-key\n")
    with Stub(fake.answer) as server:
        environ = {"REDMINE_URL": "http://127.0.0.1:1", "REDMINE_API_KEY": "other-key"}
        manifests = reconciler.load(tmp_path, environ=environ, url=server.url, api_key="right-key")
        assert manifests.plan().url == server.url
    assert manifests.config.connection().headers()["X-Redmine-API-Key"] == "right-key"
    assert "right-key" not in manifests.config.secrets.masked("the right-key is")


def test_several_servers_at_the_same_time(tmp_path: Path) -> None:
    """Nothing is shared between `Manifests`: two plans and applies in one event loop keep to their own servers."""
    (tmp_path / "a.yaml").write_text(SHOP)
    fakes = [Fake(), Fake()]
    fakes[0].projects["shop"] = {"id": 1, "status": 1, "identifier": "shop", "name": "Old"}

    async def both(urls: list[str]) -> list[reconciler.Report]:
        fleet = [reconciler.load(tmp_path, environ={}, url=url, api_key="key-of-it") for url in urls]
        return await asyncio.gather(*(manifests.apply_async() for manifests in fleet))

    with Stub(fakes[0].answer) as one, Stub(fakes[1].answer) as other:
        reports = asyncio.run(both([one.url, other.url]))
    assert [report.results[0].change.action for report in reports] == ["update", "create"]
    assert [each.projects["shop"]["name"] for each in fakes] == ["Shop", "Shop"]


def test_inside_an_event_loop_the_sync_functions_say_what_to_call(manifests: reconciler.Manifests) -> None:
    """In a notebook, `plan()` is an error that names `plan_async`, and leaves no coroutine behind."""

    async def within() -> None:
        for call, name in ((manifests.plan, "plan"), (manifests.apply, "apply")):
            with pytest.raises(reconciler.ReconcilerError, match=f"await `{name}_async`"):
                call()
        with pytest.raises(reconciler.ReconcilerError, match="await `export_to_async`"):
            reconciler.export_to("out")

    asyncio.run(within())


def test_nothing_is_printed(manifests: reconciler.Manifests, capfd: pytest.CaptureFixture[str]) -> None:
    """A library leaves stdout and stderr to the program."""
    manifests.apply(manifests.plan())
    assert capfd.readouterr() == ("", "")


def test_only_the_command_line_exits() -> None:
    """No module but those of the command line can end the process, unless it is a program of its own."""
    package = Path(reconciler.__file__).parent
    ending = re.compile(r"sys\.exit|os\._exit|raise SystemExit|\bexit\(\d*\)")
    modules = [path for path in package.rglob("*.py") if path.parent.name != "cli" and path.name != "__main__.py"]
    texts = {path: path.read_text() for path in modules}
    assert [p for p, text in texts.items() if ending.search(text) and '__name__ == "__main__"' not in text] == []


def test_results_are_data(manifests: reconciler.Manifests) -> None:
    """A plan, a report and problems become what `--format json` prints, which the schemas describe."""
    plan = manifests.plan()
    shown = [reconciler.to_data(x) for x in (plan, manifests.apply(plan), manifests.problems)]
    for data, name in zip(shown, ("plan", "results", "problems"), strict=True):
        jsonschema.validate(data, json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text()))


def test_a_secret_that_the_server_repeats_is_masked(canned: Canned, tmp_path: Path) -> None:
    """Like the commands, in a plan, a report and problems; none of them shows or stores the secrets that it masks."""
    key = "canary-key-0123456789"
    canned.row("projects", "shop")["description"] = f"the key is {key}"
    (tmp_path / "a.yaml").write_text("projects: [{identifier: shop, name: Shop, description: new}]")
    manifests = reconciler.load(tmp_path, url=canned.url, api_key=key, environ={})
    plan = manifests.plan()
    report = manifests.apply(plan)
    for result in (plan, report):
        assert "the key is •••" in str(reconciler.to_data(result))
        assert key not in str(reconciler.to_data(result))
        assert key not in repr(dataclasses.replace(getattr(result, "plan", result), changes=()))
    assert key.encode() not in pickle.dumps(dataclasses.replace(plan, changes=()))
    assert dataclasses.replace(plan, secrets=Secrets()) == plan


def test_a_secret_in_a_problem_is_masked(canned: Canned, tmp_path: Path) -> None:
    """Also in the problems that only the server shows, and in what they are of."""
    key = "canary-key-0123456789"
    text = f"projects: [{{identifier: shop, name: Shop, versions: [{{name: {key}, custom_fields: {{X: 1}}}}]}}]"
    (tmp_path / "a.yaml").write_text(text)
    manifests = reconciler.load(tmp_path, url=canned.url, api_key=key, environ={})
    with pytest.raises(reconciler.ManifestError) as caught:
        manifests.plan()
    assert "•••" in str(caught.value)
    assert key not in str(caught.value) + str(reconciler.to_data(caught.value.problems))


def test_invalid_manifests(tmp_path: Path) -> None:
    """`validate` returns the problems, `plan` raises them."""
    (tmp_path / "a.yaml").write_text("projects: [{identifier: shop, nmae: x}]")
    (problem,) = reconciler.validate(tmp_path)
    assert 'unknown field "nmae"' in problem.message
    with pytest.raises(reconciler.ManifestError) as caught:
        reconciler.load(tmp_path).plan()
    assert caught.value.problems == (problem,)


def test_all_is_the_public_api() -> None:
    """`__all__`, `dir` and what type checkers see are the same names, each described in the module's docstring."""
    names = set(reconciler.__all__)
    typed = {
        alias.asname
        for node in ast.walk(ast.parse(Path(reconciler.__file__).read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("reconciler.")
        for alias in node.names
    }
    described = re.findall(r"^    (\w+) {2,}\S", reconciler.__doc__ or "", re.M)
    assert len(names) == len(reconciler.__all__)
    assert names == typed == set(described) == set(dir(reconciler)) - {"__version__"}


def test_every_public_name_is_there_and_imported_on_use() -> None:
    """`import reconciler` alone costs nothing."""
    assert all(getattr(reconciler, name) for name in reconciler.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        reconciler.nothing  # noqa: B018
    code = "import reconciler, sys; print(sorted({'httpx', 'pydantic', 'yaml'} & sys.modules.keys()))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "[]\n"
