"""`reconciler new`: a manifest to start with."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli import output
from reconciler.cli.options import State, common
from reconciler.errors import Exit, ReconcilerError


@click.command()
@click.option("-o", "--output", "out", type=click.Path(path_type=Path), metavar="FILE", help="Write it to a new FILE.")
@common
@click.argument("kind")
@click.argument("key", default="", metavar="[KEY]")
@click.pass_obj
def new(state: State, out: Path | None, kind: str, key: str) -> int:
    """Print a manifest to start with: the required fields filled in, every other one as a comment with an example.

    KIND is one of those that `reconciler explain` lists. KEY is what identifies the object, such as jsmith for a user;
    for what is inside a project, PROJECT/NAME.
    """
    from reconciler.reference.starter import starter

    text = starter(kind, key)
    if out is None:
        output.result(text.rstrip("\n"), state)
        return Exit.DONE
    try:
        # "x": a manifest that is there is never overwritten.
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ReconcilerError(
            f"{out} exists; it was not changed. Name another file, or append to it: >> {out}"
        ) from error
    except OSError as error:
        raise ReconcilerError(f"Cannot write {out}: {error.strerror}.") from error
    output.say(f"Written: {out}. Check it: reconciler validate {out}")
    return Exit.DONE
