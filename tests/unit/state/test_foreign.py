"""Files of other programs beside the manifests."""

from __future__ import annotations

from pathlib import Path

import pytest

import reconciler

MANIFEST = "users: [{login: amy, firstname: A, lastname: B, mail: a@example.net}]"
FOREIGN = {
    "docker-compose.yml": 'version: "3"\nservices: {db: {image: x, environment: {A: "${NO_SUCH}"}}}\nvolumes: {data: }',
    "package.json": '{"name": "x", "version": "1.0", "files": ["dist"], "scripts": {}, "dependencies": {}}',
    "mkdocs.yml": "site_name: x\nnav: [{Home: index.md}]\nmarkdown_extensions:\n- x: !!python/name:a.b",
    "openapi.yaml": "openapi: 3.0.0\nservers: [{url: x}]\npaths: {}",
    "chart/values.yaml": "image: {tag: x}\nreplicas: 2",
    "tsconfig.json": '{"compilerOptions": {}, "include": ["src"]}',
    "schema.json": '{"$schema": "x", "type": "object", "properties": {"users": {}}}',
    "plan.json": '{"format_version": "1.0", "url": "x", "digest": "y", "changes": [{"project": "web"}]}',
    "terraform.json": '{"format_version": "1.2", "terraform_version": "1.9.0", "planned_values": {}}',
    "production.yaml": "url: https://x.test\napi_key: ${NO_SUCH}",
}


def read(folder: Path, files: dict[str, str], config: str = "") -> reconciler.Manifests:
    """The manifests of a folder with these files."""
    for name, text in {"reconciler.yaml": config, **files}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return reconciler.load(folder, environ={})


def names(folder: Path, found: tuple[str, ...]) -> list[str]:
    """Files relative to the folder."""
    return [str(Path(name).relative_to(folder)) for name in found]


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_of_another_program_is_not_read(tmp_path: Path, name: str) -> None:
    """It is left out and named, whatever is wrong in it; the program's own output goes without saying."""
    found = read(tmp_path, {"a.yaml": MANIFEST, name: FOREIGN[name]})
    assert found.problems == ()
    assert names(tmp_path, found.loaded.files) == ["a.yaml"]
    assert names(tmp_path, found.loaded.left_out) == ([] if name == "plan.json" else [name])


@pytest.mark.parametrize("name", FOREIGN)
def test_one_that_is_named_is_a_problem(tmp_path: Path, name: str) -> None:
    """A file that is named on the command line is meant to be a manifest."""
    read(tmp_path, {name: FOREIGN[name]})
    assert reconciler.load(tmp_path / name, environ={}).problems


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("isues: [{project: web, subject: x}]", 'not a manifest: unknown top-level key "isues"'),
        ("verisons: [{name: x}]", 'unknown top-level key "verisons"'),
        ("uesrs: {amy: {mail: x}}", 'unknown top-level key "uesrs"'),
        ("tickets: [{project: web, title: x}]", 'unknown top-level key "tickets"'),
        ("users: [amy]", "expected a mapping, found a string"),
        ("users: {amy: {}}", "expected a list, found a mapping"),
        (MANIFEST + "\nvars: {a: b}", 'unknown top-level key "vars"'),
        ("users: [", "expected a value"),
        ("name: x\n---\nisues: [{a: b}]", "not a manifest"),
    ],
)
def test_a_mistake_in_a_manifest_is_still_a_problem(tmp_path: Path, text: str, said: str) -> None:
    """A mistyped list, a list of something else, or broken YAML is not taken for another program's file."""
    found = read(tmp_path, {"a.yaml": MANIFEST.replace("amy", "bob"), "b.yaml": text})
    assert any(said in problem.message for problem in found.problems), found.problems
    assert found.loaded.left_out == ()


def test_a_folder_with_files_of_other_programs_only_has_no_manifests(tmp_path: Path) -> None:
    """That none of the files is a manifest is a problem, and not an empty plan."""
    found = read(tmp_path, {"package.json": FOREIGN["package.json"]})
    assert [(p.message, p.hint) for p in found.problems] == [
        ("no manifests in this folder", "package.json has no list such as projects or users")
    ]


def test_files_are_chosen_in_the_configuration(tmp_path: Path) -> None:
    """`ignore` and `include` are relative to reconciler.yaml."""
    files = {"live/a.yaml": MANIFEST, "live/b.yaml": "tickets: [{project: web}]", "package.json": "{}"}
    found = read(tmp_path, files, "include: [/live]\nignore: ['b.*']\n")
    assert (found.problems, names(tmp_path, found.loaded.files)) == ((), ["live/a.yaml"])
