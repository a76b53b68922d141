"""Saved plans on the command line: reading one, and the configuration that it was made with.

`apply --plan` uses that configuration, too, so that its lease and its limits hold.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.cli import output
from reconciler.errors import ReconcilerError, RefusedError

if TYPE_CHECKING:
    from reconciler.cli.options import State


def read(file: Path) -> dict[str, Any]:
    """The data of a saved plan. Raises ReconcilerError, RefusedError."""
    from reconciler.plan import plan_file

    try:
        # `replace`: a file that is not UTF-8 is no plan, which `checked` says in a sentence.
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ReconcilerError(f"Cannot read the plan {file}: {error.strerror}.") from error
    return plan_file.checked(text, str(file))


def is_long(file: Path) -> bool:
    """Whether a plan takes more than a moment to read: no other thread runs while one call parses all of it."""
    try:
        return file.stat().st_size > LONG
    except OSError:
        return False


LONG = 5_000_000
"""Bytes of a plan of about 2,000 new issues."""


def recorded(state: State, used: str) -> dict[str, str]:
    """What a plan says of it; `used` is the file, whether there is one or not."""
    from reconciler.config import INSTANCE

    instance = state.instance or os.environ.get(INSTANCE) or ""
    found = {"config": used if Path(used).is_file() else "", "instance": instance}
    return {name: value for name, value in found.items() if value}


def adopt(state: State, saved: Mapping[str, Any]) -> None:
    """Let a run have the configuration and the instance of its plan, unless options or the environment name others.

    Raises RefusedError if that configuration is not there, as its limits and its lease would not hold.
    """
    from reconciler.config import INSTANCE

    made = saved.get("made_with") or {}
    if (file := made.get("config")) and state.config is None:
        if not Path(file).is_file():
            raise RefusedError(
                output.safe(f"The plan was made with {file}, which is not there: its limits and its lease would not ")
                + "hold. Apply it from the folder that it was made in, or name a configuration with --config FILE."
            )
        state.config = file
    if not (state.instance or os.environ.get(INSTANCE)):
        state.instance = made.get("instance")
