"""A complete apply: run the operations and verify them, then run the postponed ones and verify those."""

from __future__ import annotations

import asyncio

from reconciler.apply import doubles
from reconciler.apply.access import say_what_is_left, take_back
from reconciler.apply.account import confirm
from reconciler.apply.blame import item_error
from reconciler.apply.executor import Applier
from reconciler.apply.report import Report
from reconciler.apply.verify import verify
from reconciler.errors import ListenerFailed, ServerError


async def carry_out(applier: Applier) -> Report:
    """Apply and verify. There is always a report, even after a cancellation or if the server becomes unreachable.

    Raises as `confirm`, before anything is written; ListenerFailed, which has the report.
    """
    await confirm(applier.client, applier.names, applier.plan)
    try:
        await _run_and_verify(applier)
    except asyncio.CancelledError:
        _interrupted(applier)
        _unverified(applier, "written, but the run was interrupted before it was read back")
    except ServerError as error:
        _unverified(applier, f"written, but reading it back failed: {error}")
    try:
        await take_back(applier)
    except asyncio.CancelledError:
        _interrupted(applier)
    say_what_is_left(applier)
    if applier.unheard is not None:
        raise ListenerFailed(applier.report()) from applier.unheard
    return applier.report()


def _interrupted(applier: Applier) -> None:
    """End a cancellation: the caller gets a report that says `interrupted`."""
    applier.stop()
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


async def _run_and_verify(applier: Applier) -> None:
    await applier.run()
    if applier.stopping:
        await take_back(applier)
    await verify(applier)
    await doubles.refute(applier)
    if applier.postponed and not applier.stopping:
        # Nothing inside a closed project can be corrected, so everything else is verified before.
        await applier.run(finish=True)
        await verify(applier)


def _unverified(applier: Applier, message: str) -> None:
    for state in applier.progress.values():
        # Deletions have nothing to read back.
        if state.outcome == "done" and state.written and state.change.action != "delete":
            state.outcome = "unknown"
            state.errors.append(item_error(state.change, message))
