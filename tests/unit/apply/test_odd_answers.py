"""Answers during an apply that are not as Redmine's: no crash, no false `done`, nothing created twice."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import pytest
from odd import MANIFEST, Mutation, mutations
from odd_writes import ATTACHED, CHANGED, CONTENTS, Odd, Other, Writable, apply_odd, plan_again

from reconciler.apply import writer
from reconciler.errors import ReconcilerError

pytestmark = pytest.mark.slow

STEPS = {"creates": 307, "changes": 211, "files": 83}
"""Of the thousands of mutations, every so manieth is tried: primes, so that each sort of value meets each sort of
mutation."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder has the files, and nothing waits for the server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(writer, "PAUSES", (0,))
    for name in ("a.txt", "b.txt"):
        Path(name).write_text(name)


def before(case: str) -> tuple[Writable, str]:
    """A server, and what is applied to it."""
    server = Writable()
    if case == "changes":
        apply_odd(Odd(server))
    return server, {"creates": MANIFEST, "changes": CHANGED, "files": ATTACHED}[case]


def recorded(case: str) -> Odd:
    """A server after the apply, with its answers; everything was done."""
    server, text = before(case)
    done = Odd(server)
    report = apply_odd(done, text)
    assert {result.outcome for result in report.results} == {"done"}
    assert not plan_again(server, text).changes
    return done


def check(case: str, tried: Sequence[Mutation | Other]) -> None:
    """Apply with each of the odd answers."""
    start, text = before(case)
    most = recorded(case).server.counts()
    for mutation in tried:
        server = copy.deepcopy(start)
        try:
            report = apply_odd(Odd(server, mutation), text)
        except ReconcilerError as error:
            # Before the first write, such as an account that cannot be told.
            assert str(error) and server.counts() == start.counts(), mutation
            continue
        done = {result.change.address for result in report.results if result.outcome == "done"}
        assert done.isdisjoint(change.address for change in plan_again(server, text).changes), mutation
        assert {name: n for name, n in server.counts().items() if n > max(most[name], start.counts()[name])} == {}, (
            mutation
        )


@pytest.mark.parametrize("case", STEPS)
def test_one_value(case: str) -> None:
    """Whatever one value of an answer becomes: dropped, null, of another type, doubled."""
    check(case, [*mutations(recorded(case).answers)][:: STEPS[case]])


@pytest.mark.parametrize("case", STEPS)
def test_a_whole_answer(case: str) -> None:
    """Whatever one answer is instead: empty, another sort of JSON, a page."""
    check(case, [Other(target, text) for target in recorded(case).answers for text in CONTENTS][:: STEPS[case] // 10])


@pytest.mark.parametrize("odd", [{"id": None}, {"subject": 7}, {"custom_fields": [{}]}, {"status": [1]}])
def test_a_created_object_is_looked_up(odd: dict[str, object]) -> None:
    """An object whose creation gets an answer that cannot be used is found on the server, and not created again."""
    target = "POST /projects/shop/issues.json (1)"
    server = Writable()
    report = apply_odd(Odd(server, Mutation(target, (), "odd", lambda body: body["issue"].update(odd))))
    assert {result.outcome for result in report.results} == {"done"}
    assert server.counts()["issues"] == 3
    assert [result.notes for result in report.results if result.notes] == [
        ("the response to its creation was lost; the object exists and was not created again",)
    ]


def test_an_upload_without_a_token() -> None:
    """A file whose upload gives no token fails its object, with the reason."""
    server = Writable()
    odd = Mutation("POST /uploads.json?filename=a.txt (1)", (), "drop", lambda body: body["upload"].pop("token"))
    report = apply_odd(Odd(server, odd), ATTACHED)
    failed = [result for result in report.results if result.outcome != "done"]
    assert [error.message for result in failed for error in result.errors] == [
        "The response to POST /uploads is not as Redmine's are: upload.token is no text."
    ]
