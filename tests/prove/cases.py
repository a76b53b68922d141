"""The cases of the proof, and what must hold in each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from bench import Bench, Ended, Left
from deepdiff import DeepDiff
from faults import READS, WRITES

from reconciler.plan.operations import Plan

PARTS = 10
"""Into how many parts the cases can be divided (`PART=3` of them)."""


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """A fault of the n-th write of an apply, or of the n-th read of a plan; `request` is what that asks for."""

    subject: str
    what: str
    number: int
    fault: str
    request: str = ""

    @property
    def id(self) -> str:
        """Its name: `apply/create/17/lost-reset`."""
        return f"{self.subject}/{self.what}/{self.number}/{self.fault}"

    @property
    def part(self) -> int:
        """The part that it is in."""
        return crc32(self.id.encode()) % PARTS

    @property
    def group(self) -> tuple[int, str, str, int]:
        """Cases of one request get into the same states. Scattered, so that any beginning is a sample of all."""
        name = f"{self.subject}/{self.what}/{self.number}"
        return crc32(name.encode()), self.subject, self.what, self.number


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the disturbed run ended, in a word, and what is wrong with that."""

    word: str
    wrong: tuple[str, ...] = ()


def cases(bench: Bench) -> list[Case]:
    """All cases, those of one request in a row."""
    found = [*_of_writes(bench), *_of_reads(bench)]
    return sorted(found, key=lambda case: (case.group, case.fault))


def _of_writes(bench: Bench) -> Iterator[Case]:
    for stage, recording in bench.recordings.items():
        for number, request in enumerate(recording.writes, 1):
            for fault in WRITES:
                yield Case("apply", stage, number, fault, request)


def _of_reads(bench: Bench) -> Iterator[Case]:
    for name, reading in bench.readings.items():
        for number, (exchange, response) in enumerate(reading.answers, 1):
            for fault, trouble in READS.items():
                if trouble.needs(exchange, response):
                    yield Case("plan", name, number, fault, reading.reads[number - 1])


def judge(bench: Bench, case: Case) -> Verdict:
    """Carries out a case. AssertionError of the bench itself are not caught."""
    return _apply(bench, case) if case.subject == "apply" else _plan(bench, case)


# -- an apply ----------------------------------------------------------------------------------------------------


def _apply(bench: Bench, case: Case) -> Verdict:
    """No false `done` or `failed`, and after one more apply the state of an undisturbed one, with nothing twice."""
    bench.memory.state = bench.recordings[case.what].before
    ended = bench.apply(case.what, case.number, WRITES[case.fault])
    # What a report says is about the moment of the report: a request that hangs may be executed later.
    at_end, at = bench.at_end, bench.memory.state
    before, left = bench.left(case.what, at_end), bench.left(case.what, at)
    if isinstance(before, str) or isinstance(left, str):
        return Verdict(ended.word, (f"the next plan fails: {before if isinstance(before, str) else left}",))
    wrong = [*_untrue(ended, before), *_allowed(case, ended)]
    if left:
        bench.memory.state = at
        again = bench.apply(case.what)
        at = bench.memory.state
        wrong += [f"the next apply: {again.error}"] if again.error else []
        wrong += [f"the next apply: {a} {o}: {again.said.get(a)}" for a, o in again.outcomes.items() if o != "done"]
    return Verdict(ended.word, (*wrong, *_different(bench, case.what, at)))


def _untrue(ended: Ended, left: Left) -> Iterator[str]:
    for address, outcome in ended.outcomes.items():
        if outcome == "done" and address in left:
            yield f"{address} is reported as done, but the next plan changes {left[address]}"
        if outcome == "failed" and address not in left:
            yield f"{address} is reported as failed, but is as declared: {ended.said.get(address)}"


def _allowed(case: Case, ended: Ended) -> Iterator[str]:
    if ended.error and ended.error != "killed":
        yield f"the run ended with {ended.error}"
    if case.fault.startswith("kill") and ended.error != "killed":
        yield "the process was not killed"


def _different(bench: Bench, stage: str, at: str) -> Iterator[str]:
    """How a state differs from the one that an undisturbed apply leads to."""
    recording = bench.recordings[stage]
    # The same with all ids: no need to look.
    if at == recording.after:
        return
    left = bench.left(stage, at)
    if left:
        yield f"a plan after it is not empty: {left}"
    found = DeepDiff(recording.rows, bench.rows(at), verbose_level=2)
    if found:
        yield f"the state differs: {_short(found)}"


def _short(found: Any) -> str:
    return str(found)[:1500]


# -- a plan ------------------------------------------------------------------------------------------------------


def _plan(bench: Bench, case: Case) -> Verdict:
    """The same plan as without the fault, or an error: never another plan."""
    reading = bench.readings[case.what]
    plan = bench.plan(reading, case.number, READS[case.fault])
    if not isinstance(plan, Plan):
        return Verdict("error")
    if plan.changes == reading.changes:
        return Verdict("same")
    known = {change.address: change for change in reading.changes}
    other = [c for c in plan.changes if known.get(c.address) != c]
    gone = [a for a in known if a not in {c.address for c in plan.changes}]
    invented = [f"{c.action} {c.address} {[f.path for f in c.all_fields]}" for c in other]
    return Verdict("another plan", (f"invented: {invented}"[:600], f"missing: {list(map(str, gone))}"[:300]))
