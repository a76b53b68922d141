"""What each kind does on a real Redmine: cases as data (`cases/*.yaml`), run through a recording proxy.

A case is a mapping:

    name       what is expected, as a sentence
    setup      Ruby that is run inside the server first (optional; it takes seconds)
    key_field  the custom field that holds the issues' keys (optional)
    given      a manifest that is applied first (optional; the file's `base` is in any case)
    then       the manifest that is the case
    plan       all expected changes: `update issue shop/a` → field → [before, after]; a field that is changed twice
               goes from the first value to the last
    writes     all expected requests that are not GET, in any order: `POST /projects/shop/issues`, `PUT issue shop/a`,
               each with what is inside the body's wrapper
    fails      what is expected to fail: `issue shop/a` → parts of its errors

`"*"` is any value. The manifest `base` of a file is part of every `given` and `then` in it. Whatever a case says, these
hold: what is not named in `fails` is done, a second plan has nothing else in it, and without `fails` a second apply
writes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
import yaml
from engine import apply_to, via
from proxy import Exchange, Proxy

from reconciler.apply import Report
from reconciler.kinds import kinds
from reconciler.sandbox import Running, Sandbox

CASES = Path(__file__).with_name("cases")


def _cases() -> Iterator[Any]:
    for file in sorted(CASES.glob("*.yaml")):
        content = yaml.safe_load(file.read_text())
        for case in content["cases"]:
            parts = {p: "\n---\n".join([content["base"], case.get(p, "{}")]) for p in ("given", "then")}
            yield pytest.param({**case, **parts}, id=f"{file.stem}: {case['name']}")


@pytest.mark.parametrize("case", list(_cases()))
def test_case(redmine: Sandbox, world: Running, case: Mapping[str, Any]) -> None:
    """What a case describes is done by one apply, and after it nothing is left to do."""
    key_field = case.get("key_field")
    if "setup" in case:
        redmine.run(case["setup"])
    assert _failures(apply_to(world, case["given"], key_field=key_field)) == {}
    with Proxy(world.url) as proxy:
        report = apply_to(via(world, proxy), case["then"], key_field=key_field)
        _check_failures(case.get("fails", {}), report)
        if "plan" in case:
            assert _changes(report) == _any(case["plan"])
        if "writes" in case:
            _check_writes(_any(case["writes"]), [_write(e, report) for e in proxy.writes])
        proxy.clear()
        again = apply_to(via(world, proxy), case["then"], key_field=key_field)
        left = {str(c.address) for c in again.plan.changes}
        assert left <= set(case.get("fails", {}))
        assert left or not proxy.writes


def _any(value: Any) -> Any:
    """The value, with what is equal to everything in the place of `*`."""
    if isinstance(value, dict):
        return {k: _any(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_any(v) for v in value]
    return ANY if value == "*" else value


def _changes(report: Report) -> dict[str, dict[str, list[Any]]]:
    """The plan as a case writes it."""
    found: dict[str, dict[str, list[Any]]] = {}
    for change in report.plan.changes:
        fields = found.setdefault(f"{change.action} {change.address}", {})
        for field in change.all_fields:
            fields[field.path] = [fields.get(field.path, [field.before])[0], field.after]
    return found


def _write(exchange: Exchange, report: Report) -> Any:
    """A request as a case writes it: an object's own path as its address."""
    path = exchange.path.removesuffix(".json")
    # Ids are used again: what was deleted can have the id of what was created after it.
    own = [r for r in report.results if (r.change.action == "delete") == (exchange.method == "DELETE")]
    paths = {f"/{kinds()[r.change.address.kind].plural}/{r.id}": str(r.change.address) for r in own}
    line = f"{exchange.method} {paths.get(path, path)}"
    body = json.loads(exchange.body) if exchange.body else {}
    return {line: next(iter(body.values()))} if body else line


def _check_writes(expected: list[Any], actual: list[Any]) -> None:
    for write in actual:
        assert write in expected, f"not expected: {write}"
        expected.remove(write)
    assert expected == [], "not written"


def _failures(report: Report) -> dict[str, str]:
    """What is not done, with its errors or what it waited for."""
    return {str(r.change.address): r.because or "\n".join(r.errors) for r in report.results if r.outcome != "done"}


def _check_failures(expected: Mapping[str, str | list[str]], report: Report) -> None:
    failures = _failures(report)
    assert failures.keys() == expected.keys(), failures
    for address, parts in expected.items():
        for part in [parts] if isinstance(parts, str) else parts:
            assert part in failures[address]
