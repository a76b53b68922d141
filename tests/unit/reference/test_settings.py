"""The reference and the schemas of the configuration: complete, and of one mind with what is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from paths import ROOT

import reconciler
from reconciler import config
from reconciler.cli import main
from reconciler.errors import ConfigError
from reconciler.reference.config_schema import config_schema, overlay_schema
from reconciler.reference.settings_page import EXAMPLES, GROUPS, page
from reconciler.settings import VARIABLES, Limits, Settings

CONFIG = Draft202012Validator(config_schema())
OVERLAY = Draft202012Validator(overlay_schema())
EVERY_VARIABLE = dict.fromkeys(re.findall(r"\$\{(\w+)", "".join(EXAMPLES.values())), "12")


class Tagged(yaml.SafeLoader):
    """Reads `!command [a, b]` as the list, as an editor does."""


for tag in ("!command", "!keyring"):
    Tagged.add_constructor(tag, lambda loader, node: loader.construct_sequence(node))  # type: ignore[no-untyped-call]


def plain(text: str) -> Any:
    """What an editor takes YAML for."""
    return yaml.load(text, Tagged)


def test_every_setting_is_described_once() -> None:
    """Each field of the model is in one group of the page, with an example, its variable, and a heading to link to."""
    listed = [name for names in GROUPS.values() for name in names]
    assert sorted(listed) == sorted(Settings.model_fields) == sorted(EXAMPLES)
    text = page()
    for name in Settings.model_fields:
        assert text.count(f"\n### {name}\n") == 1
    for variable in (*VARIABLES.values(), "RECONCILER_INSTANCE"):
        assert f"`{variable}`" in text
    for name in Limits.model_fields:
        assert f"| `{name}` |" in text


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_valid(name: str, tmp_path: Path) -> None:
    """What the page shows is accepted, at the top level and in an instance, and it sets what it is shown for."""
    assert EXAMPLES[name].startswith(f"{name}:")
    inner = "\n".join(f"    {line}" for line in EXAMPLES[name].splitlines())
    for text, instance in ((EXAMPLES[name], None), (f"instances:\n  a:\n{inner}\n", "a")):
        (tmp_path / "reconciler.yaml").write_text(text)
        found = config.load([tmp_path], EVERY_VARIABLE, instance=instance)
        assert any(layer.has(name) and layer.node.where().line for layer in found.layers) or name == "vars"
        assert not list(CONFIG.iter_errors(plain(text)))


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("ulr: https://a.test", False),
        ("instances: {a: {ulr: https://a.test}}", False),
        ("instances: {a: {instances: {}}}", False),
        ("instances: [a]", False),
        ("timeout: soon", False),
        ("timeout: '${SOON}'", True),
        ("retries: -1", False),
        ("limits: {delete: 1}", False),
        ("lease: {page: x}", False),
        ("overlays: a.yaml", False),
        ("api_key: !command [pass, show]", True),
        ("api_key: {a: b}", False),
        ("headers: {X: !keyring [a, b], Y: '${Z}'}", True),
        ("prune_users: keep", False),
        ("vars: {A: 1, B: true}", True),
        *((f"timeout: {number}", True) for number in ("'30'", "1e2", "'0.5'")),
        *((f"timeout: {number}", False) for number in (".inf", "-1", "0", "'-1'", "'x'")),
        ("concurrency: '1.5'", False),
        ("user_ids: {amy: '3', bob: null}", True),
        ("limits: {deletes: null, delete_ratio: null}", True),
        ("lease: {project: a, page: null, ttl: null}", True),
        ("lease: {project: null}", False),
        ("vars: null", True),
        ("vars: {A: null}", True),
        ("headers: {A: null}", True),
        ("instances: {a: null}", False),
        ("instances: {a: {url: 'https://a.test', vars: {A: x}, manifests: [a], overlays: [b]}}", True),
    ],
)
def test_the_schema_says_what_the_program_says(text: str, valid: bool, tmp_path: Path) -> None:
    """An editor marks what would be refused, and nothing else."""
    (tmp_path / "reconciler.yaml").write_text(text)
    assert bool(CONFIG.is_valid(plain(text))) is valid
    if valid:
        config.load([tmp_path], {"SOON": "1", "Z": "z"})
    else:
        with pytest.raises(ConfigError):
            config.load([tmp_path], {})


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("projects: [{identifier: a, $unset: [homepage], versions: [{name: '1', $overlay: remove}]}]", True),
        ("issues: [{project: a, key: k, status: New}]", True),
        ("issues: [{project: a, key: k, statsu: New}]", False),
        ("projects: [{identifier: a, $overlay: delete}]", False),
        ("projects: [{identifier: a, $unset: name}]", False),
    ],
)
def test_the_schema_of_an_overlay(text: str, valid: bool) -> None:
    """No field is required, and there is `$overlay` and `$unset`."""
    assert bool(OVERLAY.is_valid(plain(text))) is valid


# -- docs/instances.md -----------------------------------------------------------------------------------------


def blocks(language: str) -> list[str]:
    """The code blocks of the page in a language."""
    text = (ROOT / "docs" / "instances.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def named(text: str) -> str:
    """The file that the first line of a snippet names."""
    return re.match(r"# (\S+)", text)[1]  # type: ignore[index]


def written(folder: Path) -> None:
    """Write the files that the page shows."""
    for text in blocks("yaml"):
        path = folder / named(text)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        schema = CONFIG if path.name == "reconciler.yaml" else OVERLAY if "overlays" in path.parts else None
        assert schema is None or not list(schema.iter_errors(plain(text)))


def test_the_snippets_of_the_page_are_one_valid_repository(tmp_path: Path) -> None:
    """The files that the page shows are valid together, for each instance that it shows."""
    written(tmp_path)
    environ = {"STAGING_KEY": "a", "PRODUCTION_KEY": "b"}
    for instance in ("staging", "production"):
        found = reconciler.load(file=tmp_path / "reconciler.yaml", instance=instance, environ=environ)
        assert found.problems == ()
        assert found.desired.objects
        found.config.connection()


def test_the_transcripts_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands print what the page says, in the repository that it shows."""
    written(tmp_path)
    monkeypatch.chdir(tmp_path)
    for variable in (*VARIABLES.values(), "RECONCILER_INSTANCE"):
        monkeypatch.delenv(variable, raising=False)
    for text in blocks("console"):
        command, _, expected = text.partition("\n")
        result = CliRunner().invoke(main, command.removeprefix("$ reconciler ").split(), env={"STAGING_KEY": "a"})
        assert result.stderr + result.stdout == expected
