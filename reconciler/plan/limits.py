"""The limits on deletions in one `apply`, which `--max-deletes` overrides."""

from __future__ import annotations

from reconciler.errors import RefusedError
from reconciler.kinds import kinds
from reconciler.plan.operations import Collection, Plan
from reconciler.settings import Limits

SMALL = 10
"""Objects in a collection below which the share that is pruned does not matter: the count bounds it."""


def check_plan(plan: Plan, limits: Limits, allowed: int | None) -> None:
    """Raise RefusedError if a plan removes more than the limits, or `allowed` if that is given."""
    # Users that are locked as undeclared count too: locking everybody is no smaller accident.
    locked = sum(c.undeclared and c.action != "delete" for c in plan.changes)
    removed = plan.summary["delete"] + locked
    check(
        removed, plan.unchanged + len(plan.changes), limits, allowed, verb="deletes or locks" if locked else "deletes"
    )
    over = next((one for one in plan.collections if _is_over(one, limits.prune_ratio)), None)
    if over is not None and allowed is None:
        where = f" of {over.project}" if over.project else ""
        what = f"{over.pruned} of the {over.live} {kinds()[over.kind].plural.replace('_', ' ')}{where}"
        share = f"more than {limits.prune_ratio:.0%} (limits.prune_ratio)"
        raise RefusedError(_refusal(f"The plan prunes {what}, {share}", removed))


def _is_over(one: Collection, ratio: float) -> bool:
    return one.live >= SMALL and one.pruned > ratio * one.live


def check(deletes: int, objects: int, limits: Limits, allowed: int | None, verb: str = "deletes") -> None:
    """Raise RefusedError if `deletes` of `objects` exceeds the limits, or `allowed` if that is given."""
    # A number on the command line was chosen for this plan, so it replaces all limits of the configuration.
    if allowed is not None:
        why = f"more than --max-deletes {allowed}" if deletes > allowed else ""
    elif deletes > limits.deletes:
        why = f"more than the limit of {limits.deletes} (limits.deletes)"
    else:
        ratio = limits.delete_ratio
        over = ratio is not None and deletes > ratio * objects
        why = f"more than {ratio:.0%} of the {objects} declared objects (limits.delete_ratio)" if over else ""
    if why:
        raise RefusedError(_refusal(f"The plan {verb} {deletes} object{'' if deletes == 1 else 's'}, {why}", deletes))


def _refusal(sentence: str, number: int) -> str:
    return f"{sentence}. No changes were made. Review the plan, then allow it with --max-deletes {number}."
