"""The whole catalog of a real Redmine: read, removed, written back, and the same; and what is hard to write."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from custom_fields import EVERY
from extent import either
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from inside import KEYS, call, dump, item, numbered, query
from paths import HELPERS
from pydantic import SecretStr

from reconciler.catalog.session import Session
from reconciler.catalog.transport import Command
from reconciler.errors import AnswerLost, CatalogError
from reconciler.sandbox import Sandbox

pytestmark = pytest.mark.custom_fields(EVERY)

Row = dict[str, Any]

ORDER = (
    "issue_status",
    "issue_priority",
    "time_entry_activity",
    "document_category",
    "role",
    "tracker",
    "custom_field",
    "workflow",
    "setting",
    "auth_source",
    "query",
    "order",
)
"""What is used comes first."""


@pytest.fixture(scope="module")
def fresh(redmine: Sandbox) -> Iterator[Sandbox]:
    """A Redmine with what `setup.rb` creates, and again afterwards."""
    redmine.reset()
    yield redmine
    redmine.reset()


@pytest.fixture(scope="module")
def used(fresh: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the database of a Redmine in use."""
    copy = tmp_path_factory.mktemp("used") / "used.sqlite3"
    fresh.run(HELPERS / "acts.rb")
    fresh.snapshot(copy)
    fresh.reset()
    yield copy


def _back(kind: str, row: Mapping[str, Any]) -> Row:
    """The item that makes an object what a row shows."""
    names = KEYS.get(kind, ("name",))
    there = kind in ("workflow", "setting", "order") or bool(row.get("builtin"))
    values = {name: value for name, value in row.items() if name not in (*names, "id")}
    if kind == "custom_field":
        # What the format or the class of the field does not have is shown as nothing.
        values = {name: value for name, value in values.items() if value is not None and value != []}
    key = {name: row[name] for name in names}
    return {"op": "update" if there else "create", "kind": kind, "key": key, "set": values}


def _plain(rows: list[Row]) -> list[Row]:
    """Rows without the numbers of objects and options."""
    return [{name: _without(value) for name, value in row.items() if name != "id"} for row in rows]


def _without(value: Any) -> Any:
    if isinstance(value, list):
        return [{n: v for n, v in one.items() if n != "id"} if isinstance(one, dict) else one for one in value]
    return value


def test_the_catalog_is_written_back(fresh: Sandbox) -> None:
    """A catalog that was read, removed and written is the same, field by field, for every kind; then rolled back."""
    before, state = dump(fresh), call(fresh, "read")["state"]
    items = numbered([_back(kind, row) for kind in ORDER for row in state[kind]])
    answer = call(fresh, "check", ruby=(HELPERS / "wipe.rb").read_text(), items=items)
    failed = [(items[one["n"]]["key"], one["errors"]) for one in answer["items"] if not one["ok"]]
    assert failed == [] and len(items) > 250
    for kind in ORDER:
        assert _plain(answer["rows"][kind]) == _plain(state[kind]), kind
    assert dump(fresh) == before


ODD = [
    "it's",
    'a "quoted" one',
    "#{1 + 1}",
    "`id` $(id) $HOME",
    "back\\slash \\n",
    "%s %{x} %25",
    "'; DROP TABLE trackers; --",
    "<script>&amp;</script>",
    "QkFTRTY0Lg==",
    "Ünïcödé 你好 שלום",
    "emoji 😀 👩‍👩‍👧",
    "__END__",
    "null",
    "0",
]
"""Names that something on the way could take for its own."""


def test_names_arrive_as_they_are(fresh: Sandbox) -> None:
    """Whatever characters names and texts have, they are stored and shown as they are, in a request of 2.8 MB, too."""
    lines = "first\nsecond 'third'\r\n\t#{4}\u2028"
    items = [item("create", "issue_status", name) for name in ODD]
    items += [item("create", "role", name, {"permissions": ["view_issues"]}) for name in ODD]
    items.append(item("create", "custom_field", "Odd values", {"field_format": "list", "possible_values": ODD}))
    items.append(item("create", "custom_field", "Odd text", {"field_format": "string", "description": lines}))
    answer = call(fresh, "write", items=numbered(items), ignored="x" * 2_800_000)
    assert [one["errors"] for one in answer["items"] if not one["ok"]] == []
    state = answer["state"]
    for kind in ("issue_status", "role"):
        assert {row["name"] for row in state[kind]} >= set(ODD)
    shown = {row["name"]: row for row in state["custom_field"]}
    assert shown["Odd values"]["possible_values"] == ODD and shown["Odd text"]["description"] == lines
    assert {name for (name,) in query(fresh, "SELECT name FROM issue_statuses")} >= set(ODD)
    fresh.reset()


def test_renamed_values_keep_their_issues(fresh: Sandbox, used: Path) -> None:
    """A value of a list and an option of an enumeration are renamed in all issues, defaults and queries, and stay."""
    fresh.reset(used)
    values = [{"value": "crimson", "renamed_from": "red"}, "green", "blue"]
    options = [{"name": "medium"}, {"name": "tiny", "renamed_from": "small"}, {"name": "large", "active": False}]
    items = [
        item("update", "custom_field", "Issue list", {"possible_values": values, "default_value": "crimson"}),
        item("update", "custom_field", "Issue enumeration", {"options": options, "default_value": "tiny"}),
    ]
    once = call(fresh, "write", items=numbered(items))
    stored = "SELECT f.name, v.value FROM custom_values v JOIN custom_fields f ON f.id = v.custom_field_id"
    kept = query(fresh, f"{stored} WHERE f.name IN ('Issue list', 'Issue enumeration') ORDER BY f.name DESC")
    (number,) = query(fresh, "SELECT id FROM custom_field_enumerations WHERE name = 'tiny'")[0]
    assert kept == [("Issue list", "crimson"), ("Issue enumeration", str(number))]
    ((filters,),) = query(fresh, "SELECT filters FROM queries WHERE name = 'Red ones'")
    assert "crimson" in filters and "- red" not in filters
    # The manifest stays as it is: the second time, there is nothing to rename.
    again = call(fresh, "write", items=numbered(items))
    assert [one["ok"] for one in again["items"]] == [True, True]
    assert again["state"] == once["state"]
    fresh.reset()


ORPHANS = {
    "workflows": ("tracker_id", "trackers", "role_id", "roles"),
    "projects_trackers": ("tracker_id", "trackers"),
    "custom_fields_trackers": ("tracker_id", "trackers", "custom_field_id", "custom_fields"),
    "custom_fields_roles": ("role_id", "roles", "custom_field_id", "custom_fields"),
    "roles_managed_roles": ("managed_role_id", "roles"),
    "custom_values": ("custom_field_id", "custom_fields"),
}
"""Table → columns, and the table that each refers to."""


def test_a_deletion_leaves_nothing_behind(fresh: Sandbox, used: Path) -> None:
    """After a deletion nothing refers to what is gone, also where Redmine would leave it."""
    fresh.reset(used)
    gone = [("tracker", "Feature"), ("issue_status", "Feedback"), ("role", "Spare"), ("custom_field", "Issue float")]
    items = [item("delete", kind, name) for kind, name in gone]
    answer = call(fresh, "write", items=numbered(items))
    assert [one["errors"] for one in answer["items"] if not one["ok"]] == []
    for table, pairs in ORPHANS.items():
        for column, owner in zip(pairs[::2], pairs[1::2], strict=True):
            left = query(fresh, f"SELECT COUNT(*) FROM {table} WHERE {column} NOT IN (SELECT id FROM {owner})")
            assert left == [(0,)], (table, column)
    fields = "SELECT field_name FROM workflows WHERE field_name GLOB '[0-9]*'"
    # One was there before, from a field that Redmine itself had deleted.
    assert query(fresh, fields) == [("99999",)]
    (manager,) = [row for row in answer["state"]["role"] if row["name"] == "Manager"]
    assert manager["permissions_trackers"] == {"edit_issues": ["Bug"]} and manager["managed_roles"] == []
    fresh.reset()


def test_another_redmine_is_refused(fresh: Sandbox) -> None:
    """The program writes only into the Redmine that knows the API key, and that it was read from."""
    said = call(fresh, "write", items=numbered([item("create", "issue_status", "Mine")]), **_proof(fresh))
    assert said["items"][0]["ok"]
    for wrong in ({"site": "elsewhere"}, {"salt": "s", "token": "0" * 64}):
        with pytest.raises(CatalogError, match="leads to another Redmine than `url`"):
            call(fresh, "write", items=numbered([item("create", "issue_status", "Not mine")]), **wrong)
    assert query(fresh, "SELECT COUNT(*) FROM issue_statuses WHERE name LIKE '%mine'") == [(1,)]
    fresh.reset()


def _proof(sandbox: Sandbox) -> Row:
    running = sandbox.status()
    assert running is not None
    return dict(Session(Command(()), SecretStr(running.api_key))._proof())


def test_a_request_that_is_none_is_refused(fresh: Sandbox) -> None:
    """What the program does not know is refused as a whole, before anything is written."""
    odd = item("create", "issue_status", "First")
    for wrong, why in (({"kind": "plugin"}, "no such kind: plugin"), ({"op": "destroy"}, "no such act: destroy")):
        with pytest.raises(CatalogError, match=why):
            call(fresh, "write", items=numbered([odd, {**odd, **wrong}]))
    assert query(fresh, "SELECT COUNT(*) FROM issue_statuses WHERE name = 'First'") == [(0,)]


MOMENTS = {
    "before anything is written": ("one", 1, False),
    "between two items": ("one", 3, False),
    "before the end of the transaction": ("in_time!", 1, False),
    "before it is read back": ("state", 1, True),
}
"""A method of the program, the call of it at which the process is killed, and whether the write is there then."""
KILL = """
$calls = 0
TracePoint.new(:call) do |point|
  next unless point.method_id == :%s && point.defined_class.to_s == 'Catalog::Run'

  $calls += 1
  Process.kill(:KILL, Process.pid) if $calls == %d
end.enable
"""
MADE = [
    *(item("create", "issue_status", f"Made {number}") for number in range(4)),
    item("update", "role", "Manager", {"permissions": ["view_issues"]}),
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_write_is_all_or_nothing(fresh: Sandbox, moment: str) -> None:
    """Whenever the process is killed, all of a request was written or nothing; the answer is lost in any case."""
    method, calls, done = MOMENTS[moment]
    fresh.reset()
    before = dump(fresh)
    with pytest.raises(AnswerLost, match="SIGKILL"):
        call(fresh, "write", ruby=KILL % (method, calls), items=numbered(MADE))
    made = query(fresh, "SELECT COUNT(*) FROM issue_statuses WHERE name LIKE 'Made %'")
    permissions = query(fresh, "SELECT permissions FROM roles WHERE name = 'Manager'")[0][0]
    assert made == [(4 if done else 0,)] and ("add_issues" in permissions) is not done
    assert (dump(fresh) == before) is not done
    fresh.reset()


COUNT = """
$calls = 0
TracePoint.new(:call) do |point|
  next unless point.path == 'stdin'

  $calls += 1
  Process.kill(:KILL, Process.pid) if $calls == %d
end.enable
at_exit { File.write("/var/lib/redmine/#{ENV['REDMINE_INSTANCE']}/tmp/calls", $calls) }
"""
KILLS = either(3, 20)
OPERATIONS: dict[str, Row] = {
    "read": {"kinds": ["issue_status", "tracker", "role", "workflow"]},
    "check": {"items": numbered(MADE)},
    "write": {"items": numbered(MADE)},
}


@pytest.mark.prove
@pytest.mark.parametrize("op", OPERATIONS)
def test_a_run_may_be_killed_at_any_call(fresh: Sandbox, op: str) -> None:
    """Killed at calls that are spread over the whole of a request, a run has changed nothing, or written everything; a
    read and a check have changed nothing in any case. The next run is as if there had been none."""
    fresh.reset()
    before, request = dump(fresh), OPERATIONS[op]
    whole = call(fresh, op, ruby=COUNT % 0, **request)
    after, total = dump(fresh), int((fresh.folder / "tmp" / "calls").read_text())
    assert total > KILLS and (after == before) is (op != "write")
    for number in range(KILLS):
        fresh.reset()
        before = dump(fresh)
        with pytest.raises(AnswerLost if op == "write" else CatalogError, match="SIGKILL"):
            call(fresh, op, ruby=COUNT % (1 + number * (total - 1) // KILLS), **request)
        left = query(fresh, "SELECT COUNT(*) FROM issue_statuses WHERE name LIKE 'Made %'")
        assert left in ([(0,)], [(4 if op == "write" else 0,)]), number
        assert left == [(4,)] or dump(fresh) == before, number
    fresh.reset()
    again = call(fresh, op, **request)
    assert again.keys() == whole.keys()
    fresh.reset()


def test_what_nobody_waits_for_is_not_written(fresh: Sandbox) -> None:
    """After the time that the request has, the program writes nothing, and says so."""
    with pytest.raises(CatalogError, match="it took more than 0 seconds"):
        call(fresh, "write", items=numbered(MADE), within=0)
    assert query(fresh, "SELECT COUNT(*) FROM issue_statuses WHERE name LIKE 'Made %'") == [(0,)]


def test_what_needs_a_failed_item_is_not_tried(fresh: Sandbox) -> None:
    """A failed item is rolled back alone; what needs it, directly or not, is skipped, and the rest is written."""
    items = numbered(
        [
            item("create", "issue_status", "x" * 31),
            {**item("create", "tracker", "T", {"default_status": "x" * 31}), "needs": [0]},
            {**item("create", "custom_field", "F", {"field_format": "string", "trackers": ["T"]}), "needs": [1]},
            item("create", "issue_status", "Alone"),
        ]
    )
    outcomes = call(fresh, "write", items=items)["items"]
    assert outcomes[0]["errors"] == [{"field": "name", "message": "Name is too long (maximum is 30 characters)"}]
    assert [one.get("skipped_for") for one in outcomes] == [None, 0, 1, None]
    assert [one["ok"] for one in outcomes] == [False, False, False, True]
    assert query(fresh, "SELECT name FROM issue_statuses WHERE name IN ('Alone', 'T')") == [("Alone",)]
    fresh.reset()


names = st.text(string.ascii_letters + "äöü'\" #{}", min_size=1, max_size=20).map(lambda text: f"R{text.strip()}")
statuses = st.fixed_dictionaries({"is_closed": st.booleans(), "default_done_ratio": st.none() | st.integers(0, 100)})
priorities = st.fixed_dictionaries({"active": st.booleans()})
fields = st.fixed_dictionaries(
    {
        "field_format": st.sampled_from(["string", "int", "list", "enumeration"]),
        "is_required": st.booleans(),
        "is_filter": st.booleans(),
        "description": st.text(string.printable.replace("\r", ""), max_size=40),
    }
)
flows = st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 3), st.sampled_from(["always", "author"])), max_size=12)
catalogs = st.fixed_dictionaries(
    {
        "issue_status": st.dictionaries(names, statuses, min_size=4, max_size=6),
        "issue_priority": st.dictionaries(names, priorities, max_size=3),
        "custom_field": st.dictionaries(names, fields, max_size=4),
        "flows": flows,
    }
)


def _wanted(catalog: Row) -> list[Row]:
    """The items of a random catalog."""
    items = [item("create", "issue_status", name, values) for name, values in catalog["issue_status"].items()]
    items += [item("create", "issue_priority", name, values) for name, values in catalog["issue_priority"].items()]
    values = {"list": {"possible_values": ["b", "a"]}, "enumeration": {"options": [{"name": "o", "active": True}]}}
    for name, field in catalog["custom_field"].items():
        items.append(item("create", "custom_field", name, {**field, **values.get(field["field_format"], {})}))
    known = list(catalog["issue_status"])
    rules = {(a, b, whose) for a, b, whose in catalog["flows"] if a != b}
    listed = [{"from": None if a < 0 else known[a], "to": known[b], "for": whose} for a, b, whose in sorted(rules)]
    return [
        *items,
        item("update", "workflow", None, {"transitions": listed}, tracker="Bug", role="Manager", builtin=None),
    ]


def _distinct(catalog: Row) -> bool:
    folded = [
        [" ".join(name.split()).lower() for name in catalog[kind]]
        for kind in ("issue_status", "issue_priority", "custom_field")
    ]
    return all(len(set(some)) == len(some) for some in folded)


@pytest.mark.prove
@settings(
    max_examples=either(2, 20),
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(catalog=catalogs.filter(_distinct))
def test_random_catalogs_converge(fresh: Sandbox, catalog: Row) -> None:
    """What is written is what is shown then; written once more, nothing changes."""
    items = _wanted(catalog)
    answer = call(fresh, "write", items=numbered(items))
    assert [one["errors"] for one in answer["items"] if not one["ok"]] == []
    for one in items:
        shown = _shown(answer["state"], one)
        for name, value in one["set"].items():
            assert _sorted(shown[name]) == _sorted(value), (one["key"], name)
    before = dump(fresh)
    updates = [{**one, "op": "update"} for one in items]
    again = call(fresh, "write", items=numbered(updates))
    assert again["state"] == answer["state"] and dump(fresh) == before
    fresh.reset()


def _shown(state: Row, wanted: Row) -> Row:
    (row,) = [row for row in state[wanted["kind"]] if {n: row[n] for n in wanted["key"]} == wanted["key"]]
    return _plain([row])[0]


def _sorted(value: Any) -> Any:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return sorted(value, key=lambda one: json.dumps(one, sort_keys=True))
    return value
