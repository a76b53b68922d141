"""What was measured, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from goals import Verdict
from results import Part, Scenario
from rich.table import Table
from words import NAMES, in_order, spread, times, title, took, used

COLUMNS = ("requests", "time", "least – most", "CPU", "memory", "/ reconciler")


def of_part(part: Part) -> Table:
    """A block of lines for each scenario, one for each contender."""
    table = Table(title=f"{part.server} ({part.measured})", title_justify="left", show_edge=False)
    table.add_column("")
    for name in COLUMNS:
        table.add_column(name, justify="right")
    for scenario in part.scenarios:
        _add(table, scenario)
    return table


def _add(table: Table, scenario: Scenario) -> None:
    table.add_section()
    table.add_row(f"[bold]{title(scenario)}[/bold]")
    for series in in_order(scenario):
        at = f", {series.concurrency} at a time" if series.concurrency else ""
        requests = f"{series.requests:,}" if series.requests else ""
        figures = (took(series), spread(series), used(series), "" if series.scale != 1 else f"{series.memory:,.0f} MB")
        table.add_row(f"  {NAMES[series.contender]}{at}", requests, *figures, times(scenario, series.contender))


def of_goals(verdicts: Sequence[Verdict]) -> Table:
    """One line for each goal and server."""
    table = Table(title="Goals", title_justify="left", show_edge=False)
    for name in ("", "server", "goal", "measured", ""):
        table.add_column(name, justify="right" if name in ("goal", "measured") else "left")
    for verdict in verdicts:
        said = "[green]met[/green]" if verdict.met else "[bold red]MISSED[/bold red]"
        table.add_row(verdict.goal.words.replace("`", ""), verdict.part.server, verdict.goal.bound, verdict.shown, said)
    return table
