"""Groups of commands: without a command they show their help, and a misspelt one gets a hint."""

from __future__ import annotations

from collections.abc import Mapping

import click

MEANT: Mapping[str, str] = {
    "add": "reconciler new KIND",
    "delete": "`state: absent` in a manifest, or reconciler apply --prune",
    "destroy": "`state: absent` in a manifest, or reconciler apply --prune",
    "describe": "reconciler explain",
    "diff": "reconciler plan",
    "docs": "reconciler explain",
    "drift": "reconciler plan --detailed-exitcode",
    "dump": "reconciler export",
    "format": "reconciler fmt",
    "help": "reconciler --help",
    "import": "reconciler export --target KIND/KEY",
    "init": "reconciler new KIND, or reconciler export",
    "lint": "reconciler validate",
    "ping": "reconciler check",
    "preview": "reconciler plan",
    "sync": "reconciler apply",
    "unlock": "reconciler lease break",
    "force-unlock": "reconciler lease break",
    "version": "reconciler --version",
}
"""What the commands of similar programs are here."""


class Group(click.Group):
    """A group of commands."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Without any argument, `--help`: to look around is no mistake."""
        return super().parse_args(ctx, args or ["--help"])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args[0] not in known and not args[0].startswith("-"):
            ctx.fail(f'No such command "{args[0]}"{_hint(args[0], known, top=ctx.parent is None)}')
        return super().resolve_command(ctx, args)


def _hint(word: str, known: list[str], *, top: bool) -> str:
    if top and word in MEANT:
        return f": use {MEANT[word]}."
    from difflib import get_close_matches

    near = get_close_matches(word, known, n=1)
    return f': did you mean "{near[0]}"?' if near else f". Commands: {', '.join(known)}."
