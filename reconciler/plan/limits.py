"""The limit on deletions in one `apply`, which `--max-deletes` overrides."""

from __future__ import annotations

from reconciler.errors import RefusedError
from reconciler.settings import Limits


def check(deletes: int, objects: int, limits: Limits, allowed: int | None) -> None:
    """Raise RefusedError if `deletes` of `objects` exceeds the limits, or `allowed` if that is given."""
    # A number on the command line was chosen for this plan, so it replaces both limits of the configuration.
    if allowed is not None:
        why = f"more than --max-deletes {allowed}" if deletes > allowed else ""
    elif deletes > limits.deletes:
        why = f"more than the limit of {limits.deletes} (limits.deletes)"
    else:
        ratio = limits.delete_ratio
        over = ratio is not None and deletes > ratio * objects
        why = f"more than {ratio:.0%} of the {objects} declared objects (limits.delete_ratio)" if over else ""
    if why:
        raise RefusedError(
            f"The plan deletes {deletes} objects, {why}. No changes were made. Review the plan, then allow it with "
            f"--max-deletes {deletes}."
        )
