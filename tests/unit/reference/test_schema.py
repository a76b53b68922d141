"""The schemas and the reference that are made from the kinds: current, and of one mind with the engine."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from samples import EMPTY, PLAN, PROBLEMS, REPORT

from reconciler.apply.report import Report
from reconciler.errors import ConfigError
from reconciler.kinds import declarable
from reconciler.manifest import loader as manifest
from reconciler.model.kind import Kind, nested_name
from reconciler.model.spec import COMMON, REFUSE
from reconciler.reference import json_schema as schema
from reconciler.reference.explain import explain, type_of
from reconciler.render.json import dumps, plan_json, problems_json, results_json
from reconciler.state import desired

KINDS = list(declarable().values())
MANIFEST = Draft202012Validator(schema.manifest_schema())


def plain(value: Any) -> Any:
    """What an editor takes YAML for: YAML 1.2, where a date is text."""
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value.isoformat() if isinstance(value, dt.date) else value


def accepted_by_schema(text: str) -> bool:
    """Whether the manifest's schema accepts a YAML text."""
    return bool(MANIFEST.is_valid(plain(yaml.safe_load(text))))


def accepted_by_engine(text: str, folder: Path) -> bool:
    """Whether the manifest is valid as far as can be told without a server."""
    file = folder / "manifest.yaml"
    file.write_text(text, encoding="utf-8")
    loaded = manifest.load([file], {"NAME": "12"})
    return not (loaded.problems or desired.build(loaded.documents, {"issue_key_field": "Key"}).problems)


# -- files -----------------------------------------------------------------------------------------------------


def test_writing_makes_the_folder_and_every_file(tmp_path: Path) -> None:
    """The paths that come back are those of all the files, which hold the schemas."""
    paths = schema.write(tmp_path / "new" / "folder")
    assert [path.name for path in paths] == [f"{name}.schema.json" for name in schema.SCHEMAS]
    assert [json.loads(path.read_text()) for path in paths] == [make() for make in schema.SCHEMAS.values()]


@pytest.mark.parametrize("name", schema.SCHEMAS)
def test_every_schema_is_a_schema(name: str) -> None:
    """Each is valid against the meta-schema of draft 2020-12."""
    made = schema.SCHEMAS[name]()
    assert made["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(made)


# -- what commands print ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("plan", plan_json(PLAN)),
        ("plan", plan_json(EMPTY)),
        ("results", results_json(REPORT)),
        ("results", results_json(Report(EMPTY, (), 0, interrupted=True))),
        ("problems", problems_json(PROBLEMS)),
        ("problems", problems_json(())),
    ],
)
def test_all_json_is_as_its_schema_says(name: str, data: Mapping[str, Any]) -> None:
    """What is printed is valid, and every key that it has is described."""
    Draft202012Validator(closed(schema.SCHEMAS[name]())).validate(json.loads(dumps(data)))


def closed(made: Any) -> Any:
    """A schema that allows only the keys it names."""
    if isinstance(made, list):
        return [closed(part) for part in made]
    if not isinstance(made, dict):
        return made
    found = {key: closed(part) for key, part in made.items()}
    return {**found, "additionalProperties": False} if made.get("type") == "object" and "properties" in made else found


@pytest.mark.parametrize("key", ["action", "kind", "key", "id", "source", "fields", "reason"])
def test_a_change_without_one_of_its_keys_is_not_valid(key: str) -> None:
    """Programs can count on every key of a change."""
    data = plan_json(PLAN)
    del data["changes"][0][key]
    assert not Draft202012Validator(schema.plan_schema()).is_valid(data)


def test_an_unknown_outcome_is_not_valid() -> None:
    """The outcomes are the four that are documented."""
    data = results_json(REPORT)
    data["results"][0]["outcome"] = "perhaps"
    assert not Draft202012Validator(schema.results_schema()).is_valid(data)


# -- manifests -------------------------------------------------------------------------------------------------

GOOD = """
$schema: ../schemas/manifest.schema.json
users:
  - login: jsmith
    firstname: John
    lastname: 007
    mail: ${NAME}@example.net
    admin: no
    password: ${NAME}
projects:
  - identifier: web-shop
    name: 2026
    description: null
    is_public: yes
    trackers: [Bug, Feature]
    enabled_modules: [issue_tracking]
    custom_fields: {Customer: ACME, Size: 12}
    create_only: [description]
    members:
      - {user: jsmith, roles: [Manager]}
    versions:
      - {name: 1.0, due_date: 2026-12-01, sharing: descendants}
      - {name: "${NAME}", status: "${STATUS:-open}", due_date: "${DAY:-2026-01-01}"}
    issue_categories:
      - {name: Backend, assigned_to: {user: jsmith}}
    issues:
      - key: login
        subject: Login fails
        fixed_version: {project: web-shop, name: "1.0"}
        estimated_hours: 2.5
        done_ratio: ${NAME}
        due_date:
      - {key: tests, subject: true, parent: login, is_private: "${PRIVATE:-false}"}
  - {identifier: old, state: absent, protect: false}
versions:
  - {project: web-shop, name: top}
issues:
"""


def test_a_manifest_with_everything_is_accepted(tmp_path: Path) -> None:
    """Nested and top-level lists, plain scalars in the place of texts, expressions and nulls are fine to both."""
    assert [error.message for error in MANIFEST.iter_errors(plain(yaml.safe_load(GOOD)))] == []
    assert accepted_by_engine(GOOD, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "project: []",
        "projects: {}",
        "projects: [web-shop]",
        "projects: [{name: without identifier}]",
        "projects: [{identifier: UPPER}]",
        "projects: [{identifier: a, nme: x}]",
        "projects: [{identifier: a, is_public: perhaps}]",
        "projects: [{identifier: a, is_public: null}]",
        "projects: [{identifier: a, trackers: Bug}]",
        "projects: [{identifier: a, status: open}]",
        "projects: [{identifier: a, state: gone}]",
        "projects: [{identifier: a, create_only: [nme]}]",
        "projects: [{identifier: a, description: [x]}]",
        "projects: [{identifier: a, memberships: []}]",
        "projects: [{identifier: a, versions: [{due_date: 2026-01-01}]}]",
        "projects: [{identifier: a, versions: [{name: x, due_date: soon}]}]",
        "projects: [{identifier: a, versions: [{name: x, due_date: 2026}]}]",
        "projects: [{identifier: a, versions: [{name: x, sharing: all}]}]",
        "projects: [{identifier: a, issues: [{subject: x, done_ratio: 101}]}]",
        "projects: [{identifier: a, issues: [{subject: x, done_ratio: half}]}]",
        "projects: [{identifier: a, issues: [{subject: null}]}]",
        "versions: [{name: without project}]",
        "users: [{login: a b}]",
        "users: [{login: a, password: null}]",
        "users: [{login: a, firstname: '" + "x" * 31 + "'}]",
    ],
)
def test_what_the_engine_refuses_an_editor_shows(text: str, tmp_path: Path) -> None:
    """A manifest with one mistake is invalid to the schema and to the engine."""
    assert not accepted_by_engine(text, tmp_path)
    assert not accepted_by_schema(text)


FIELDS = [pytest.param(kind, name, id=f"{kind.name}.{name}") for kind in KINDS for name in kind.fields]


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_null_is_allowed_just_where_a_field_can_be_cleared(kind: Kind, name: str) -> None:
    """An explicit null is valid unless Redmine has no way to clear the field."""
    found = schema.item_schema(kind)["properties"][name]
    required = name in schema.item_schema(kind).get("required", ())
    assert Draft202012Validator(found).is_valid(None) is (kind.fields[name].clear is not REFUSE and not required)


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_every_scalar_field_takes_an_expression(kind: Kind, name: str) -> None:
    """`${NAME}` is valid wherever a text, number, truth value, date or choice is."""
    raw = schema.raw_schema(kind)["properties"][name]
    scalar = any(part.get("type") not in ("array", "object", "null") for part in raw.get("anyOf", [raw]))
    found = schema.item_schema(kind)["properties"][name]
    assert Draft202012Validator(found).is_valid("${NAME}") is scalar


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_list_and_field_is_described(kind: Kind) -> None:
    """An editor can show a sentence for each, and none has a title of pydantic's."""
    made = schema.item_schema(kind)
    assert made["description"]
    assert made["additionalProperties"] is False
    assert all(found["description"] for found in made["properties"].values())
    assert '"title": "' not in json.dumps(made)


def test_inside_a_project_nothing_names_the_project() -> None:
    """Nested definitions are the top-level ones without `project`."""
    definitions = schema.manifest_schema()["$defs"]
    for kind in KINDS:
        if kind.inside:
            nested = definitions[f"{kind.name}_in_project"]["properties"]
            assert {*nested, "project"} == set(definitions[kind.name]["properties"])


# -- explain ---------------------------------------------------------------------------------------------------


def test_what_is_nested_in_a_project_is_explained_where_it_is_written() -> None:
    """`project.members` describes a membership, and `project.issues.subject` the field of an issue; the project names all."""
    inside = [kind for kind in declarable().values() if kind.inside]
    for kind in inside:
        assert explain("project", nested_name(kind)) == explain(kind.name)
    assert explain("projects", "issues.subject") == explain("issue", "subject")
    said = " ".join(explain("project").split())
    assert f"Lists in it: {', '.join(map(nested_name, inside))}. `reconciler explain project.members` describes" in said
    with pytest.raises(ConfigError, match='Did you mean "members"'):
        explain("project", "membrs")
    with pytest.raises(ConfigError, match='version has no field "members"'):
        explain("version", "members")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kind_is_explained_by_any_of_its_names(kind: Kind) -> None:
    """The kind's name, its list and its list inside a project give the same text, which names every field. A list
    outside projects comes before one of the same name inside them."""
    said = explain(kind.name)
    nested = next((other for other in KINDS if other.plural == nested_name(kind)), kind)
    assert said == explain(kind.plural)
    assert explain(nested.name) == explain(nested_name(kind))
    assert all(f"  {name} " in said for name in kind.fields)
    assert max(map(len, said.split("\n")[4:])) <= 120


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_a_field_is_explained_from_its_model(kind: Kind, name: str) -> None:
    """The description, the type in words, and whether null clears it."""
    said = explain(kind.name, name)
    made = schema.raw_schema(kind)["properties"][name]
    assert said.startswith(f"{kind.name}.{name}\n")
    assert made["description"].split()[0] in said
    assert f" value {type_of(made)} required " in " ".join(said.split())
    assert ("cannot be cleared" in said) is (kind.fields[name].clear is REFUSE)


@pytest.mark.parametrize("name", sorted(COMMON))
def test_common_fields_are_explained_for_every_kind(name: str) -> None:
    """What steers the reconciler is said never to be sent."""
    assert "never; it controls the reconciler" in explain("version", name)


@pytest.mark.parametrize(
    ("kind", "field", "sentence"),
    [
        ("verson", None, 'There is no kind "verson". Did you mean "version"?'),
        ("version", "stats", 'version has no field "stats". Did you mean "status"?'),
    ],
)
def test_what_there_is_not_has_a_near_miss(kind: str, field: str | None, sentence: str) -> None:
    """An unknown name is a ConfigError that says what was probably meant."""
    with pytest.raises(ConfigError) as caught:
        explain(kind, field)
    assert str(caught.value) == sentence


def test_a_name_like_no_other_is_answered_with_all_names() -> None:
    """Without a near miss, all kinds, or all fields, are listed."""
    with pytest.raises(ConfigError, match=r"Kinds: .*user, .*issue"):
        explain("zzzzzz")
    with pytest.raises(ConfigError, match=r"Fields: .*due_date"):
        explain("version", "zzzzzz")


def test_facts_of_the_contract_are_in_the_text() -> None:
    """What a field refers to, when it is sent and how it is shut and opened come from the contract."""
    assert "refers to user or group" in explain("issue", "assigned_to")
    assert "never compared; never shown" in explain("user", "password")
    assert "closed or locked becomes open for planned changes" in " ".join(explain("version", "status").split())
    assert "value     date" in explain("version", "due_date")
    assert "value     list of strings" in explain("project", "trackers")
