"""`reconciler schema`: the JSON Schemas of manifests and of the JSON output."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli import output
from reconciler.cli.options import State, common
from reconciler.errors import Exit, ReconcilerError

NAMES = ("manifest", "plan", "results", "problems", "export", "config", "overlay", "settings", "check", "lease")
"""Those of `reference.json_schema.SCHEMAS`, which is not imported for `--help`."""


@click.command()
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Write all schemas to DIR instead.")
@common
@click.argument("name", type=click.Choice(NAMES), default=NAMES[0])
@click.pass_obj
def schema(state: State, out: Path | None, name: str) -> int:
    """Print a JSON Schema: of what is written (for editors), or of the output of --format json.

    Of files: manifest, overlay, config (reconciler.yaml). Of output: plan, results (apply), problems, export, check,
    settings (config show), lease.
    """
    from reconciler.reference import json_schema as schemas

    if out is None:
        output.result(schemas.dumps(schemas.SCHEMAS[name]()).rstrip(), state)
        return Exit.DONE
    try:
        written = schemas.write(out)
    except OSError as error:
        raise ReconcilerError(f"Cannot write the schemas to {out}: {error.strerror}.") from error
    output.result("\n".join(map(str, written)), state)
    return Exit.DONE
