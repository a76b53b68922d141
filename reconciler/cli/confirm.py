"""The question before an apply."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from reconciler.cli import output
from reconciler.cli.signals import SIGNALS
from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from reconciler.cli.options import State
    from reconciler.plan.operations import Plan

HINT = "review `reconciler plan`, then run the same command with --yes"
ACTIONS = {"delete": "Delete", "create": "Create", "update": "Change"}
"""What a plan does, in the order of a question: what cannot be undone comes first."""


def confirmed(plan: Plan, state: State, hint: str) -> bool:
    """Show the plan and ask for confirmation. Raises ReconcilerError when not interactive; `hint` says what to do."""
    from reconciler.render import text

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ReconcilerError(
            f"Confirmation needed for {_total(plan)} at {plan.url}, but there is no terminal; no changes were made: "
            f"{hint}."
        )
    color = output.colored(sys.stderr, state)
    # On stderr: stdout has only the report, so that it can be redirected.
    with ctrl_c_at_once():
        output.say(output.made("plan", lambda: text.plan(plan, color=color), state))
        output.say(question(plan, state.instance or os.environ.get("RECONCILER_INSTANCE"), color=color))
        return said_yes("Apply this? Type y to go on; anything else cancels.")


def question(plan: Plan, instance: str | None, *, color: bool = False) -> str:
    """Where a plan would be applied, and how many objects it deletes, creates and changes."""
    from reconciler.render.words import count

    where = {"Server": plan.url} | ({"Instance": instance} if instance else {})
    lines = [f"  {label:9} {output.safe(value)}" for label, value in where.items()]
    for action, label in ACTIONS.items():
        kinds = Counter(change.address.kind for change in plan.changes if change.action == action)
        if kinds:
            line = f"  {label:9} {', '.join(count(number, kind) for kind, number in kinds.items())}"
            lines.append(click.style(line, fg="red", bold=True) if color and action == "delete" else line)
    return "\n" + "\n".join(lines)


def said_yes(question: str) -> bool:
    """Whether a line of the terminal says yes."""
    # Not `click.confirm`: it would ask again after anything else, and take the end of input for an abort.
    click.echo(f"{question} [y/N] ", err=True, nl=False)
    with ctrl_c_at_once():
        _wait_for_a_line()
        return sys.stdin.readline().strip().casefold() in ("y", "yes")


def _wait_for_a_line() -> None:
    """Wait until the terminal has a line, or a signal's handler raises."""
    # A read alone would notice a signal only after the answer if it came in the moment before the read, or to another
    # thread: Python's handlers run between two of its instructions.
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    before = signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    ready = select.poll()
    for source in (sys.stdin, woken):
        ready.register(source, select.POLLIN)
    try:
        while sys.stdin.fileno() not in dict(ready.poll()):
            os.read(woken, 1)
    finally:
        signal.set_wakeup_fd(before)
        os.close(woken)
        os.close(wakes)


def _total(plan: Plan) -> str:
    deleted = plan.summary["delete"]
    return output.plural(len(plan.changes), "change") + (f" ({output.plural(deleted, 'deletion')})" if deleted else "")


@contextmanager
def ctrl_c_at_once() -> Iterator[None]:
    """Let Ctrl-C interrupt a read from the terminal: the event loop's handler cannot, as nothing awaits there."""
    before, task = {n: signal.signal(n, signal.default_int_handler) for n in SIGNALS}, asyncio.current_task()
    try:
        # Ctrl-C just before: the event loop has cancelled the task, which would notice after the answer only.
        if task is not None and task.cancelling():
            raise KeyboardInterrupt
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
