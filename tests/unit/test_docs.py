"""The docs say what is so: links lead somewhere, commands and options exist, and each code block is run or validated.

yaml     a manifest or a configuration that is valid; or a file of another program, which is YAML
sh       each `reconciler …` is parsed by the command line
console  the same; and all of them are run on a real Redmine, by `server/test_transcripts.py`
python   run, page by page, against a Redmine in memory; tests are part of a file in examples/, whose tests run
json     valid by one of the schemas
ini      parsed; toml, too
(none)   trees, drawings and what another program prints
"""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path

import jsonschema
import pytest
import yaml
from canned import Canned
from click.testing import CliRunner, Result
from paths import ROOT
from snippets import BLOCKS, PAGES, Block, blocks, check, commands, kind_of, of, variables, write

import reconciler
from reconciler import config
from reconciler.cli import main
from reconciler.reference import config_schema

HEADING = re.compile(r"^#+ (.+)$", re.M)
CODE_BLOCK = re.compile(r"^ *```.*?^ *```", re.M | re.S)
OF_ITS_OWN = {ROOT / "docs" / "adding-a-kind.md"}
"""Pages whose YAML and Python are tested otherwise: this one is carried out by `kinds/test_adding_a_kind.py`."""
LANGUAGES = {"", "console", "hcl", "ini", "json", "mermaid", "python", "sh", "toml", "yaml"}


def anchors(page: Path) -> set[str]:
    """The fragments that GitHub gives a page's headings."""
    titles = HEADING.findall(CODE_BLOCK.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file of the project, and a heading in it."""
    for target, fragment in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text()):
        linked = page.parent / target if target else page
        assert linked.exists(), target
        assert not fragment or fragment in anchors(linked), f"{target}#{fragment}"


def test_every_page_is_in_the_navigation() -> None:
    """mkdocs.yml has each page of docs/ once, so that nobody writes one that readers of the site do not find."""
    named = re.findall(r"^ +- .*: ([\w/.-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M)
    assert len(named) == len(set(named))
    assert {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")} <= set(named)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_and_options_exist(page: Path) -> None:
    """Every `reconciler COMMAND --option` in the docs is one that the program knows."""
    lines = re.findall(r"reconciler ((?:[a-z]+)(?: [^\n`#|>)]*)?)", page.read_text())
    for line in lines:
        words = line.split()
        command = words[:2] if words[0] in GROUPS and len(words) > 1 else words[:1]
        shown = help_of(*command)
        known = shown.exit_code == 0 or f"reconciler {line}" in NOT_COMMANDS
        assert known, line
        for option in re.findall(r"--[a-z][a-z-]*", line):
            assert option in shown.stdout, line


@cache
def help_of(*command: str) -> Result:
    """What a command prints as its help."""
    return CliRunner().invoke(main, [*command, "--help"])


GROUPS = {"config", "lease", "sandbox"}
"""Commands with commands of their own."""

NOT_COMMANDS = {"reconciler promises"}


# -- code blocks -----------------------------------------------------------------------------------------------


def test_every_block_has_a_language_that_is_checked() -> None:
    """There is no block of which no test knows what it must be, and none is missed because of how its fence is written."""
    assert {block.language for block in BLOCKS} <= LANGUAGES
    fences = sum(len(re.findall(r"^ *```", page.read_text(), re.M)) for page in PAGES)
    assert fences == 2 * len(BLOCKS)


@pytest.mark.parametrize("block", [b for b in of("yaml") if b.page not in OF_ITS_OWN], ids=str)
def test_yaml_is_valid(block: Block, tmp_path: Path) -> None:
    """A block of YAML is a valid manifest, a valid configuration, or a file of another program."""
    kind = kind_of(block)
    assert kind, f"{block} is neither a manifest nor a configuration"
    if kind == "manifest":
        (tmp_path / "a.yaml").write_text(block.text)
        assert reconciler.validate(tmp_path, environ=variables(block.text)) == ()
    elif kind == "overlay":
        said = json.loads(json.dumps(yaml.safe_load(block.text), default=str))
        jsonschema.validate(said, config_schema.overlay_schema())
    elif kind == "settings":
        (tmp_path / "reconciler.yaml").write_text(block.text)
        for instance in [None, *config.load([tmp_path], {}).instances]:
            config.load([tmp_path], variables(block.text), instance=instance)
    else:
        list(yaml.safe_load_all(block.text))


@pytest.mark.parametrize("block", of("sh", "console"), ids=str)
def test_commands_are_parsed(block: Block) -> None:
    """Each command in a block has options and values that the command line takes, and as many arguments as it takes."""
    for words in commands(block):
        check(words)


def test_commands_of_a_block_are_found(tmp_path: Path) -> None:
    """A command is found behind a variable, in a substitution, in a loop and before a redirection, and its faults are."""
    text = 'A=b reconciler plan x > y  # z\neval "$(reconciler sandbox start)"\nif reconciler check; then reconciler lease show; fi\n'
    found = list(commands(Block(tmp_path, 1, "sh", text)))
    assert found == [["plan", "x"], ["sandbox", "start"], ["check"], ["lease", "show"]]
    for wrong in (["plan", "--nothing"], ["plan", "--format", "yaml"], ["plam"], ["lease", "show", "x"], ["sandbox"]):
        with pytest.raises(Exception, match=r".+"):
            check(wrong)


def test_json_is_valid() -> None:
    """Each block of JSON is what one of the schemas describes."""
    schemas = [json.loads(path.read_text()) for path in sorted((ROOT / "schemas").glob("*.json"))]
    for block in of("json"):
        data = json.loads(block.text)
        assert any(jsonschema.Draft202012Validator(schema).is_valid(data) for schema in schemas), block


def test_settings_of_other_programs_are_parsed() -> None:
    """Each block of INI or TOML is that."""
    for block in of("ini"):
        configparser.ConfigParser().read_string(block.text, str(block))
    for block in of("toml"):
        assert tomllib.loads(block.text), block


def python_pages() -> Iterator[Path]:
    """The pages with Python that is run."""
    for page in PAGES:
        if page not in OF_ITS_OWN and any(b.language == "python" and not is_test(b) for b in blocks(page)):
            yield page


def is_test(block: Block) -> bool:
    """Whether a block is (part of) a module of tests."""
    return "def test_" in block.text or "pytest" in block.text


@pytest.mark.parametrize("page", list(python_pages()), ids=lambda p: str(p.relative_to(ROOT)))
def test_python_runs(page: Path, canned: Canned, tmp_path: Path) -> None:
    """The Python of a page runs from the first block to the last, and prints what its comments say."""
    del canned.tables["projects"][:]
    names: dict[str, object] = {"__name__": "docs"}
    for block in blocks(page):
        if block.file:
            write(block, tmp_path)
        elif block.language == "python" and not is_test(block):
            with redirect_stdout(StringIO()) as printed:
                exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), names)
            for said in re.findall(r"print\(.*\)     # (.*)", block.text):
                assert said in printed.getvalue(), block


def test_tests_in_the_docs_are_those_that_run() -> None:
    """Tests that a page shows are part of a file of an example, whose tests run."""
    texts = [path.read_text() for path in (ROOT / "examples").rglob("*.py")]
    for block in of("python"):
        if is_test(block) and block.page not in OF_ITS_OWN:
            assert any(block.text.strip() in text for text in texts), block
