"""Files in custom fields: uploaded, compared by name and content, replaced when they change."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from proxy import Fault, Proxy

import reconciler
from reconciler import pipeline
from reconciler.apply.executor import Applier
from reconciler.apply.run import carry_out
from reconciler.redmine.client import Client
from reconciler.sandbox import Running

pytestmark = pytest.mark.custom_fields("Issue attachment")

MANIFEST = """\
projects:
  - identifier: shop
    name: Shop
    trackers: [Bug]
    issues:
      - subject: signed
        custom_fields: {{Issue attachment: {value}}}
"""


@pytest.fixture
def folder(world: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for manifests and files, and a fresh server in the environment."""
    monkeypatch.setenv("REDMINE_URL", world.url)
    monkeypatch.setenv("REDMINE_API_KEY", world.api_key)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def declare(folder: Path, value: str) -> reconciler.Manifests:
    """The manifest with a value for the field."""
    (folder / "redmine.yaml").write_text(MANIFEST.format(value=value))
    return reconciler.load("redmine.yaml")


def paths(manifests: reconciler.Manifests) -> list[str]:
    """The fields that would change."""
    return [field.path for change in manifests.plan().changes for field in change.all_fields]


def settle(manifests: reconciler.Manifests) -> None:
    """Apply; all must be done, and nothing left."""
    report = manifests.apply()
    assert [r for r in report.results if r.outcome != "done"] == []
    assert paths(manifests) == []


def test_a_file_is_uploaded_replaced_when_it_changes_and_cleared(folder: Path) -> None:
    """The same content under the same name is left alone; other content replaces it; null clears it."""
    contract = folder / "it's a contract.txt"
    contract.write_text("first")
    manifests = declare(folder, '{file: "it\'s a contract.txt"}')
    settle(manifests)
    contract.write_text("other")
    assert paths(manifests) == ["custom_fields.Issue attachment"]
    settle(manifests)
    settle(declare(folder, "null"))


def test_a_file_that_changes_after_the_plan_is_not_sent(folder: Path) -> None:
    """What is uploaded is what the plan was made of, or nothing: the item fails and says so."""
    contract = folder / "contract.txt"
    settle(declare(folder, "null"))
    contract.write_text("first")
    manifests = declare(folder, "{file: contract.txt}")

    async def changed() -> list[str]:
        async with Client(manifests.config.connection()) as client:
            planned = await pipeline.plan(client, manifests)
            contract.write_text("other")
            report = await carry_out(Applier(client, planned.names, planned.plan))
            return [e.message for r in report.results for e in r.errors]

    assert asyncio.run(changed()) == ["contract.txt has changed since the plan was made"]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("contract.txt", "expected a file"),
        ("{file: gone.txt}", "there is no file gone.txt"),
        ("{file: ../outside.txt}", "is outside the manifests' folder"),
        ("{path: contract.txt}", "expected a file"),
    ],
)
def test_what_is_no_file_is_a_problem_before_anything_is_written(folder: Path, value: str, sentence: str) -> None:
    """A plain text would make Redmine destroy the file that the field has: it is never sent."""
    with pytest.raises(reconciler.ManifestError, match=sentence):
        declare(folder, value).plan()


def test_a_file_that_did_not_stick_is_uploaded_once_more(folder: Path, world: Running) -> None:
    """A change that the server answered with 204 and dropped is written again with its file, not with a path."""
    declare(folder, "null").apply()
    (folder / "contract.txt").write_text("first")
    dropped = Fault(forward=False, status=204)
    with Proxy(world.url, lambda e: dropped if e.method == "PUT" and len(proxy.writes) == 2 else None) as proxy:
        environ = {"REDMINE_URL": proxy.url, "REDMINE_API_KEY": world.api_key}
        declare(folder, "{file: contract.txt}")
        report = reconciler.load("redmine.yaml", environ=environ).apply()
    assert report.summary["done"] == 1
    assert [e.method for e in proxy.writes] == ["POST", "PUT", "POST", "PUT"]
    assert paths(declare(folder, "{file: contract.txt}")) == []
