"""`reconciler show`: a saved plan, without a server."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli import output
from reconciler.cli.documents import Document
from reconciler.cli.options import State, common, formats, full
from reconciler.cli.progress import if_long
from reconciler.cli.reports import Reports, Target, reports
from reconciler.errors import Exit


@click.command()
@formats("text", "json", "markdown", "html", "github")
@full
@reports
@common
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.pass_obj
def show(state: State, form: str, reports: tuple[Target, ...], file: Path) -> int:
    """Show a saved plan, as `plan` has shown it, in any format.

    Contacts no server, and needs neither the manifests nor their variables. Only `apply` tells whether it can still be
    applied.

    FILE is what `plan --out FILE` has saved.
    """
    from reconciler.cli import saved_plan, steps
    from reconciler.plan import plan_file

    with Reports(reports, state) as written:
        with if_long(state, "Reading the plan", long=saved_plan.is_long(file)), steps.not_collected():
            plan = plan_file.shown(saved_plan.read(file), str(file))
        written.document = Document(plan=plan)
        output.result(output.plan(plan, state), state)
    return Exit.DONE
