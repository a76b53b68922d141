"""A write of the catalog whose answer is lost: what is there afterwards decides, and it is never sent twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from canned import Canned
from catalog import MemorySession
from engine import apply_to

from reconciler.apply.report import Report
from reconciler.catalog.session import Item, Outcome, Rows
from reconciler.errors import AnswerLost, CatalogError

LOST = AnswerLost("catalog_command did not answer within 300 seconds", timed_out=True)
MADE = "issue_statuses: [{name: Mine}]\ntrackers: [{name: Own, default_status: Mine}]"


class Deaf(MemorySession):
    """A program that is killed before it writes anything; `mute` if it does not read any more, either."""

    mute = False
    sent = 0

    async def write(self, items: Sequence[Item], *, check: bool = False) -> tuple[list[Outcome], Rows]:
        """Nothing becomes of the items."""
        self.sent += 1
        raise LOST

    async def read(self, kinds: Iterable[str], projects: Iterable[str] | None = None) -> Rows:
        """What is there, if it is not mute."""
        if self.mute and self.sent:
            raise CatalogError("catalog_command cannot be run.")
        return await super().read(kinds, projects)


def outcomes(report: Report) -> list[str]:
    """The outcome of each change."""
    return [result.outcome for result in report.results]


def test_what_was_written_is_not_sent_again(canned: Canned) -> None:
    """The answer is lost after the end of the transaction: all is there, and counts as written, in one write."""
    program = MemorySession(canned)
    program.failure = LOST
    report = apply_to(canned, MADE, catalog=program)
    assert outcomes(report) == ["done", "done"] and len(program.items) == 2
    assert [result.id for result in report.results] == [
        program.row("issue_status", "Mine")["id"],
        program.row("tracker", "Own")["id"],
    ]


def test_what_was_not_written_is_unknown(canned: Canned) -> None:
    """Nothing is there: the outcome is told as unknown, and nothing is sent again."""
    program = Deaf(canned)
    report = apply_to(canned, MADE, catalog=program)
    assert outcomes(report) == ["unknown", "unknown"] and program.sent == 1
    assert "did not answer within 300 seconds" in report.results[0].errors[0].message


def test_an_update_counts_by_its_values(canned: Canned) -> None:
    """An object was there before its update: whether that was written is seen by the values."""
    text = "issue_statuses: [{name: New, default_done_ratio: 10}]"
    assert outcomes(apply_to(canned, text, catalog=Deaf(canned))) == ["unknown"]
    program = MemorySession(canned)
    program.failure = LOST
    assert outcomes(apply_to(canned, text, catalog=program)) == ["done"]


def test_a_deletion_counts_by_its_absence(canned: Canned) -> None:
    """Whether a deletion was carried out is seen by the object."""
    text = "issue_priorities: [{name: Urgent, state: absent}]"
    assert outcomes(apply_to(canned, text, catalog=Deaf(canned))) == ["unknown"]
    program = MemorySession(canned)
    program.failure = LOST
    assert outcomes(apply_to(canned, text, catalog=program)) == ["done"]


def test_without_a_look_all_is_unknown(canned: Canned) -> None:
    """The command fails for the look afterwards, too: nothing is known, and nothing is sent again."""
    program = Deaf(canned)
    program.mute = True
    assert outcomes(apply_to(canned, MADE, catalog=program)) == ["unknown", "unknown"] and program.sent == 1
