"""`reconciler export --target`: single live objects as one manifest, on stdout or in a new file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import event_loop
from reconciler.cli import output
from reconciler.cli.options import State
from reconciler.cli.progress import progress
from reconciler.errors import Exit, ReconcilerError

if TYPE_CHECKING:
    from reconciler.cli.progress import Progress
    from reconciler.export.inventory import Scope
    from reconciler.export.single import Picked


def run(state: State, targets: tuple[str, ...], file: Path | None) -> int:
    """Write the manifest of the targets; remarks on what it lacks go to stderr. Raises ReconcilerError."""
    from reconciler.export import single

    if state.format == "json" and file is None:
        raise click.UsageError("--format json needs -o FILE: without it, stdout has the manifest.")
    scope = single.scope_of(targets)
    # Before anything is read.
    path = single.checked(file) if file else None
    with progress(state) as shown:
        picked = event_loop.run(_pick(state, scope, path, shown))
    if path is None:
        # A document of its own, which can be appended to any manifest.
        output.result(f"---\n{picked.text.rstrip()}", state)
    else:
        _write(path, picked.text)
    _say(picked, path, state)
    return Exit.DONE


async def _pick(state: State, scope: Scope, file: Path | None, shown: Progress) -> Picked:
    from reconciler.cli import steps
    from reconciler.export import single

    config = state.configuration()
    async with steps.client(state, config, shown) as client:
        return await single.pick(client, config, scope, file, shown.counted)


def _write(path: Path, text: str) -> None:
    try:
        # "x": what somebody else has written meanwhile is not overwritten.
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ReconcilerError(f"{path} cannot be written: {error.strerror}.") from error


def _say(picked: Picked, path: Path | None, state: State) -> None:
    """What was exported and left out: on stdout for a file, else on stderr, beside the manifest."""
    from reconciler.export.run import Exported
    from reconciler.render.json import export_json
    from reconciler.render.words import count

    counts = Counter(address.kind for address in picked.addresses)
    if path is not None and state.format == "json":
        written = 1 + len(picked.files)
        done = Exported(picked.url, path, counts, written, picked.left_out, 0, picked.requests)
        output.result(output.as_json(export_json(done)), state)
        return
    lines = [f"  {output.safe(str(address))}: {output.safe(remark)}" for address, remark in picked.left_out]
    if path is not None:
        objects = ", ".join(count(number, kind) for kind, number in counts.items())
        files = f" ({output.plural(1 + len(picked.files), 'file')})" if picked.files else ""
        output.result(f"Exported to {output.safe(str(path))}: {objects}{files}.", state)
    if lines:
        output.say("\n".join(["Left out; each has a comment in the manifest:", *lines]))
