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
               `POST relations of issue shop/a`, each with what is inside the body's wrapper
    fails      what is expected to fail: `issue shop/a` → parts of its errors
    problems   what the plan says is wrong: `issue shop/a` → parts of the sentences; nothing is applied then

`"*"` is any value. The manifest `base` of a file is part of every `given` and `then` in it. Whatever a case says, these
hold: what is not named in `fails` is done, a second plan has nothing else in it, and without `fails` a second apply
writes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import custom_fields
import pytest
import yaml
from engine import PLACE, apply_to, problems_of, rows, via
from proxy import Exchange, Proxy

from reconciler.apply.report import Report
from reconciler.errors import Problem
from reconciler.kinds import kinds
from reconciler.sandbox import Running, Sandbox

CASES = Path(__file__).with_name("cases")


def _cases() -> Iterator[Any]:
    for file in sorted(CASES.glob("*.yaml")):
        content = yaml.safe_load(file.read_text())
        for case in content["cases"]:
            parts = {p: "\n---\n".join([content["base"], case.get(p, "{}")]) for p in ("given", "then")}
            fields = custom_fields.named_in(repr({**case, **parts}))
            yield pytest.param({**case, **parts}, id=f"{file.stem}: {case['name']}", marks=fields)


@pytest.mark.parametrize("case", list(_cases()))
def test_case(redmine: Sandbox, world: Running, case: Mapping[str, Any]) -> None:
    """What a case describes is done by one apply, and after it nothing is left to do."""
    # One at a time: SQLite answers some of the writes that overlap with 500, and a POST that is sent again is one more.
    run = partial(apply_to, key_field=case.get("key_field"), concurrency=1)
    if "setup" in case:
        redmine.run(case["setup"])
    assert _failures(run(world, case["given"])) == {}
    if "problems" in case:
        _check_problems(case["problems"], problems_of(world, case["then"], key_field=case.get("key_field")))
        return
    with Proxy(world.url) as proxy:
        report = run(via(world, proxy), case["then"])
        _check_failures(case.get("fails", {}), report)
        if "plan" in case:
            assert _changes(report) == _any(case["plan"])
        if "writes" in case:
            _check_writes(_any(case["writes"]), [_write(e, report) for e in proxy.writes])
        proxy.clear()
        again = run(via(world, proxy), case["then"])
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
    path = exchange.path.partition("?")[0].removesuffix(".json")
    # Ids are used again: what was deleted can have the id of what was created after it.
    own = [r for r in report.results if (r.change.action == "delete") == (exchange.method == "DELETE")]
    paths = {f"/{kinds()[r.change.address.kind].plural}/{r.id}": str(r.change.address) for r in own}
    owner, _, part = path.rpartition("/")
    inner = f"{part} of {paths[owner]}" if owner in paths else path
    line = f"{exchange.method} {paths.get(path, inner)}"
    body = json.loads(exchange.body) if exchange.body.startswith(b"{") else {}
    return {line: next(iter(body.values()))} if body else line


def _check_writes(expected: list[Any], actual: list[Any]) -> None:
    for write in actual:
        assert write in expected, f"not expected: {write}"
        expected.remove(write)
    assert expected == [], "not written"


def _failures(report: Report) -> dict[str, str]:
    """What is not done, with its errors or what it waited for."""
    return {
        str(r.change.address): r.because or "\n".join(map(str, r.errors)) for r in report.results if r.outcome != "done"
    }


def _check_failures(expected: Mapping[str, str | list[str]], report: Report) -> None:
    _check_parts(expected, _failures(report))


def _check_problems(expected: Mapping[str, str | list[str]], problems: Iterable[Problem]) -> None:
    said: dict[str, str] = {}
    for problem in problems:
        said[problem.subject] = f"{said.get(problem.subject, '')}{problem.message} ({problem.hint})\n"
    _check_parts(expected, said)


def _check_parts(expected: Mapping[str, str | list[str]], said: Mapping[str, str]) -> None:
    assert said.keys() == expected.keys(), said
    for address, parts in expected.items():
        for part in [parts] if isinstance(parts, str) else parts:
            assert part in said[address]


@pytest.mark.custom_fields("Bugs only", "Issue int", "Issue list")
def test_problems_before_anything_is_written(world: Running) -> None:
    """What a server does not have, or has twice, is found at once, at its place, by reading alone."""
    given = """
      projects: [{identifier: shop, name: Shop, trackers: [Bug]}, {identifier: all, name: All}]
      issues: [{project: shop, key: a, subject: Same}, {project: shop, key: b, subject: Same, done_ratio: 10}]
    """
    wrong = """
      issues:
        - {project: shop, subject: Same, done_ratio: 30}
        - {project: shop, subject: one, tracker: Feature}
        - {project: shop, subject: two, id: 999}
        - {project: all, subject: three, status: Nwe, priority: Higher}
        - {project: all, subject: four, tracker: Feature, custom_fields: {Bugs only: x}}
        - {project: all, subject: five, custom_fields: {Issue int: many, Issue list: pink, Issu text: x}}
        - {project: al, subject: six}
        - {project: all, subject: seven, category: none, fixed_version: "1.0", assigned_to: nobody}
    """
    expected = {
        3: ["several issues match: #1, #2"],
        4: ["Feature"],
        5: ["there is no issue #999"],
        6: ["there is no issue status", "there is no issue priority"],
        7: ["does not have this custom field"],
        8: ["many", "pink", "Issu text"],
        9: ["there is no project"],
        10: ["there is no issue category", "there is no version", "there is no user or group"],
    }
    assert _failures(apply_to(world, given)) == {}
    with Proxy(world.url) as proxy:
        found = problems_of(via(world, proxy), wrong)
        assert [e.method for e in proxy.exchanges if e.method != "GET"] == []
    for line, parts in expected.items():
        messages = [f"{p.message} {p.hint}" for p in found if p.location.line == line]
        assert all(any(part in message for message in messages) for part in parts), (line, messages)
    assert {p.location.line for p in found} == expected.keys()


def test_an_unknown_key_field(world: Running) -> None:
    """A configured key field that the server does not have is a problem of the configuration, with what there is."""
    text = "{projects: [{identifier: shop, name: Shop}], issues: [{project: shop, key: a, subject: A}]}"
    (problem,) = problems_of(world, text, key_field="Confg key")
    assert problem.location == PLACE
    assert 'issue_key_field: there is no issue custom field "Confg key"' in problem.message
    assert "Config key" in problem.hint


FIRST = {
    "bool": True,
    "date": "2026-01-05",
    "enumeration": "small",
    "float": 1.5,
    "int": 7,
    "link": "https://redmine.example.net/?a=b&c",
    "list": "red",
    "progressbar": 10,
    "string": "one: ü",
    "text": "one\ntwo\n",
    "user": "amy",
    "version": "1.0",
}
"""A value of a custom field by its format."""
SECOND = FIRST | {"bool": False, "date": "2026-02-06", "enumeration": "large", "float": -2, "int": 0, "link": "x"}
SECOND |= {"list": "blue", "progressbar": 100, "string": "true", "text": "one\n\n", "user": "bob", "version": "2.0"}
SEVERAL = {"enumeration": "medium", "list": "green", "user": "bob", "version": "2.0"}
"""A further value, where a field takes several."""


@pytest.fixture
def fields(world: Running) -> dict[str, dict[str, str]]:
    """Kind → name → format of each of the server's custom fields that is named after both (see `setup.rb`)."""
    found: dict[str, dict[str, str]] = {kind: {} for kind in ("issue", "project", "user", "version")}
    for row in rows(world, "/custom_fields.json", "custom_fields"):
        kind, form = row["customized_type"], row["field_format"]
        if kind in found and form in FIRST and row["name"].startswith(f"{kind.capitalize()} {form}"):
            found[kind][row["name"]] = form
    return found


def _customized(values: Mapping[str, Mapping[str, Any]]) -> str:
    """A manifest with one object of each kind that has custom fields, and their `values` by kind."""
    amy = {"login": "amy", "firstname": "A", "lastname": "A", "mail": "amy@example.net"}
    bob = {"login": "bob", "firstname": "B", "lastname": "B", "mail": "bob@example.net"}
    members = [{"user": login, "roles": ["Manager"]} for login in ("amy", "bob")]
    content = {
        "users": [{**amy, "custom_fields": values["user"]}, bob],
        "projects": [{"identifier": "shop", "name": "Shop", "members": members, "custom_fields": values["project"]}],
        "versions": [
            {"project": "shop", "name": "0.9", "custom_fields": values["version"]},
            {"project": "shop", "name": "1.0"},
            {"project": "shop", "name": "2.0"},
        ],
        "issues": [{"project": "shop", "subject": "first", "custom_fields": values["issue"]}],
    }
    return json.dumps(content)


def _values(fields: Mapping[str, Mapping[str, str]], value: Callable[[str, bool], Any]) -> dict[str, dict[str, Any]]:
    """Kind → name → `value(format, whether it takes several)`."""
    return {
        kind: {name: value(form, name.endswith(" multiple")) for name, form in names.items()}
        for kind, names in fields.items()
    }


def _first(form: str, several: bool) -> Any:
    return [FIRST[form], SEVERAL[form]] if several else FIRST[form]


def _second(form: str, several: bool) -> Any:
    return [SECOND[form]] if several else SECOND[form]


@pytest.mark.custom_fields(custom_fields.EVERY)
def test_custom_fields(world: Running, fields: dict[str, dict[str, str]]) -> None:
    """Custom fields of every format and kind, single and multiple, are set, changed and cleared with one PUT each."""
    assert {"Issue user multiple", "Issue enumeration"} <= fields["issue"].keys()
    counts = {kind: len(names) for kind, names in fields.items()}
    with Proxy(world.url) as proxy:
        server = via(world, proxy)
        assert _failures(apply_to(server, _customized(_values(fields, _first)))) == {}
        for value in (_second, lambda form, several: None):
            values = _values(fields, value)
            proxy.clear()
            report = apply_to(server, _customized(values))
            assert _failures(report) == {}
            assert {c.address.kind: len(c.all_fields) for c in report.plan.changes} == counts
            assert [e.method for e in proxy.writes] == ["PUT"] * len(fields)
            proxy.clear()
            assert apply_to(server, _customized(values)).plan.changes == ()
            assert apply_to(server, _customized({kind: {} for kind in fields})).plan.changes == ()
            assert proxy.writes == []


@pytest.mark.custom_fields(
    "Issue bool", "Issue date", "Issue enumeration multiple", "Issue float", "Issue list multiple", "Issue user"
)
def test_custom_fields_as_redmine_has_them(world: Running) -> None:
    """What a manifest says by name and type is what Redmine itself stores, and undeclared fields keep their values."""
    values: dict[str, Any] = {"issue": {"Issue bool": False, "Issue user": "amy", "Issue float": 1.5}}
    values["issue"] |= {"Issue enumeration multiple": ["large", "small"], "Issue date": "2026-01-05"}
    nothing: dict[str, Any] = {kind: {} for kind in ("user", "project", "version")}
    apply_to(world, _customized(nothing | values))
    apply_to(world, _customized(nothing | {"issue": {"Issue bool": True, "Issue date": None}}))
    stored = {f["name"]: f.get("value") for f in rows(world, "/issues/1.json", "issue")["custom_fields"]}
    (amy,) = [u["id"] for u in rows(world, "/users.json?name=amy", "users")]
    options = {f["name"]: f.get("possible_values", ()) for f in rows(world, "/custom_fields.json", "custom_fields")}
    numbers = {o["label"]: o["value"] for o in options["Issue enumeration multiple"]}
    assert stored["Issue bool"] == "1"
    assert stored["Issue user"] == str(amy)
    assert stored["Issue float"] == "1.5"
    assert sorted(stored["Issue enumeration multiple"]) == sorted([numbers["large"], numbers["small"]])
    assert not stored["Issue date"]
    assert stored["Issue list multiple"] == []
