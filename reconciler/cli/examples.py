"""Examples of each command: for `--help`, the man page and docs/commands.md. A test parses each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import click


class Example(NamedTuple):
    """A command line, and what it is for."""

    line: str
    purpose: str


def _all(*pairs: tuple[str, str]) -> tuple[Example, ...]:
    return tuple(Example(line, purpose) for line, purpose in pairs)


EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "": _all(
        ("reconciler export -o redmine/", "Write manifests of what a Redmine has already"),
        ("reconciler new project web-shop -o redmine/web-shop.yaml", "Or start with one of your own"),
        ("reconciler validate redmine/", "Check the manifests, without a server"),
        ("reconciler plan redmine/", "Show what apply would change"),
        ("reconciler apply redmine/", "Change it, after a question"),
    ),
    "validate": _all(
        ("reconciler validate", "Check the manifests in the current folder"),
        ("reconciler validate redmine/ people/users.yaml", "Check folders and files together"),
        ("reconciler validate --format github redmine/", "In GitHub Actions: mark each problem at its line"),
        ("reconciler new user amy | reconciler validate -", "Check standard input"),
    ),
    "plan": _all(
        ("reconciler plan", "Show what apply would change, for the manifests in the current folder"),
        ("reconciler plan redmine/ --out redmine.plan", "Save the plan, to apply just that after a review"),
        ("reconciler plan --detailed-exitcode redmine/", "Detect drift: the exit code is 2 if there are changes"),
        ("reconciler plan --target 'version/web-shop/*' redmine/", "Only the versions of one project"),
        ("reconciler plan --format markdown redmine/ > comment.md", "For a comment on a pull request"),
        ("reconciler plan --unmanaged redmine/", "List also what no manifest declares"),
    ),
    "apply": _all(
        ("reconciler apply", "Show the plan for the current folder, ask, and change it"),
        ("reconciler apply --yes redmine/", "Without a question, such as in a pipeline"),
        ("reconciler apply --plan redmine.plan", "Apply a saved plan; refused if something has changed since"),
        ("reconciler apply --target issue/web-shop/login redmine/", "Only one object, and what it needs"),
        ("reconciler apply --prune --max-deletes 5 redmine/", "Delete also what is undeclared, up to five objects"),
        ("reconciler apply --resend user/jsmith.password redmine/", "Set a password again"),
        ("reconciler apply --yes --report report.xml redmine/", "Leave a JUnit report for the CI server"),
    ),
    "show": _all(
        ("reconciler show redmine.plan", "Show a saved plan again"),
        ("reconciler show --format html redmine.plan > plan.html", "As a page, for a reviewer"),
        ("reconciler show --format json redmine.plan | jq .summary", "For a program that decides whether to apply it"),
    ),
    "export": _all(
        ("reconciler export -o redmine/", "Write everything that manifests can express"),
        ("reconciler export --project web-shop --with-subprojects -o redmine/", "Only some projects"),
        ("reconciler export --kind user --kind group -o people/", "Only some kinds"),
        ("reconciler export --target 'issue/web-shop/#123' >> redmine/web-shop.yaml", "Import one issue"),
        ("reconciler export --target 'version/web-shop/*' -o redmine/versions.yaml", "Import into a new file"),
        ("reconciler export --sanitize -o testdata/", "For tests: without names and mail addresses"),
    ),
    "check": _all(
        ("reconciler check", "Is the server there, whose key is this, do all names exist?"),
        ("reconciler check --url https://redmine.example.net", "Try a server before there are manifests"),
        ("reconciler check --wait 120", "Wait up to two minutes for a server that is still starting"),
    ),
    "config show": _all(
        ("reconciler config show", "Which settings apply, and where each comes from"),
        ("reconciler config show --instance staging", "The same for one instance"),
    ),
    "lease show": _all(("reconciler lease show", "Is an apply running, and whose?")),
    "lease break": _all(("reconciler lease break", "Let the next apply run, although the last one did not end well")),
    "catalog script": _all(
        ("reconciler catalog script redmine/ -o catalog.rb", "For an administrator: bin/rails runner catalog.rb"),
    ),
    "graph": _all(
        ("reconciler graph redmine/ | dot -Tsvg > graph.svg", "Draw the dependencies with Graphviz"),
        ("reconciler graph --format mermaid redmine/", "For a Markdown page"),
    ),
    "explain": _all(
        ("reconciler explain", "List the kinds"),
        ("reconciler explain issue", "List the fields of a kind"),
        ("reconciler explain issue.custom_fields", "Describe a field, with an example"),
    ),
    "new": _all(
        ("reconciler new version web-shop/1.0", "Print a manifest of a version"),
        ("reconciler new user amy -o users/amy.yaml", "Write it to a new file"),
        ("reconciler new issue web-shop/login >> web-shop.yaml", "Append it to a manifest without issues"),
    ),
    "fmt": _all(
        ("reconciler fmt redmine/", "Lay out all manifests of a folder"),
        ("reconciler fmt --check redmine/", "In a pipeline: fail if somebody forgot it"),
        ("reconciler fmt --diff redmine/users.yaml", "Show what would change"),
        ("reconciler export --target user/amy | reconciler fmt -", "Lay out standard input"),
    ),
    "completion": _all(
        ('eval "$(reconciler completion bash)"', "Bash: in ~/.bashrc"),
        ('eval "$(reconciler completion zsh)"', "Zsh: in ~/.zshrc, after compinit"),
        ("reconciler completion fish > ~/.config/fish/completions/reconciler.fish", "Fish: once"),
    ),
    "schema": _all(
        ("reconciler schema > manifest.schema.json", "The JSON Schema of manifests, for an editor"),
        ("reconciler schema plan", "The JSON Schema of `plan --format json`"),
        ("reconciler schema --out schemas/", "Write all schemas"),
    ),
    "sandbox start": _all(
        (
            'eval "$(reconciler sandbox start)"; export REDMINE_URL REDMINE_API_KEY',
            "Start one and use it here",
        ),
        ("reconciler sandbox start --redmine 5.0 --name old --port 3050", "Another version, beside it"),
        (
            "reconciler sandbox start --database postgresql --workers 2",
            "Like most real servers: PostgreSQL, and several requests at a time",
        ),
    ),
    "sandbox stop": _all(
        ("reconciler sandbox stop", "Stop it, and keep its data"),
        ("reconciler sandbox stop --all --destroy", "Remove everything, also the downloaded packages"),
    ),
    "sandbox status": _all(("reconciler sandbox status", "List the running ones, with their addresses")),
    "sandbox reset": _all(("reconciler sandbox reset --name old", "Undo everything since it was started first")),
}
"""Examples by the words after `reconciler`."""


def attach(command: click.Command, words: str) -> None:
    """Add the examples to the help of a command, and of its subcommands; a group has the first one of each of these."""
    if shown := EXAMPLES.get(words) or [found[0] for key, found in EXAMPLES.items() if key.startswith(f"{words} ")]:
        # \b: click leaves the lines of such a paragraph as they are.
        parts = [f"\b\n  # {example.purpose}\n  {example.line}" for example in shown]
        command.epilog = "\n\n".join(["Examples:", *parts])
    if isinstance(command, click.Group) and words:
        for name, inner in command.commands.items():
            attach(inner, f"{words} {name}")
