"""Where an error is shown: at the field that it is about, if that can be told, else at its object."""

from __future__ import annotations

import json

import pytest
from answers import applied
from msgspec.structs import replace
from plans import SHOP, inside, issue, user, version

from reconciler.apply import sender
from reconciler.apply.report import ItemError, Report
from reconciler.model.name_index import CustomField, Names
from reconciler.render import github, html, markdown
from reconciler.render import json as data
from reconciler.render import text as plain

AMY = """\
users:
  - login: amy
    firstname: Amy
    lastname: B
    mail: amy@denied.net
    admin: false
"""
ISSUE = inside(
    "issues:",
    "  - subject: s",
    "    due_date: 2026-12-01",
    "    assigned_to: amy",
    '    fixed_version: "1.0"',
    "    custom_fields:",
    "      Size: XL",
    "      Affected Version: none",
)


def errors_of(report: Report) -> list[tuple[str, int]]:
    """Field and line of each error of the only change."""
    (result,) = report.results
    return [(error.path, error.location.line) for error in result.errors]


def with_custom_fields(names: Names) -> None:
    """Define three custom fields of issues."""
    fields = (CustomField(n, name, "string") for n, name in enumerate(("Size", "Affected Version", "Size of it"), 1))
    names.custom_fields["issue"] = {field.name: field for field in fields}


@pytest.mark.parametrize(
    "sentence, path, line",
    [
        ("Email is invalid", "mail", 5),
        ("First name is too long (maximum is 30 characters)", "firstname", 3),
        ("Login has already been taken", "login", 2),
        ("Administrator is not included in the list", "admin", 6),
        ("Password is too short (minimum is 8 characters)", "password", 2),
        ("Emails are off", "", 2),
        ("Email", "", 2),
        ("E-Mail ist nicht gültig", "", 2),
        ("The Email is invalid", "", 2),
    ],
)
def test_a_sentence_begins_with_the_label_of_its_field(sentence: str, path: str, line: int) -> None:
    """Redmine's English labels lead to the line of the field; a field that is not declared, and any other sentence, to
    the object's."""
    report, _ = applied(AMY, refuse={"/users": [sentence]})
    assert errors_of(report) == [(path, line)]
    assert report.results[0].errors[0].message == sentence


@pytest.mark.parametrize(
    "sentence, path, line",
    [
        ("Assignee is invalid", "assigned_to", 6),
        ("Target version is not included in the list", "fixed_version", 7),
        ("Due date must be greater than start date", "due_date", 5),
        ("Subject cannot be blank", "subject", 4),
        ("Size is not included in the list", "custom_fields.Size", 9),
        # Rails writes a name that it does not know with one capital.
        ("Affected version cannot be blank", "custom_fields.Affected Version", 10),
        ("Size of it cannot be blank", "custom_fields.Size of it", 4),
        ("Sizes differ", "", 4),
    ],
)
def test_custom_fields_and_fields_of_issues(sentence: str, path: str, line: int) -> None:
    """A custom field is found by its name, the longest that fits; one that the manifest lacks is told of the object."""
    live = [SHOP, user(5, "amy"), version(5, "shop", "1.0")]
    refuse = {"/projects/shop/issues": [sentence]}
    report, _ = applied(ISSUE, *live, refuse=refuse, learn=with_custom_fields)
    assert errors_of(report) == [(path, line)]


WORKFLOW = " (the workflow may require it: Administration → Workflow → Fields permissions)"


@pytest.mark.parametrize(
    "sentence, hint",
    [
        ("Description cannot be blank", WORKFLOW),
        ("Due date cannot be blank", WORKFLOW),
        ("Size cannot be blank", WORKFLOW),
        # Its definition requires it: no workflow is needed for that.
        ("Affected version cannot be blank", ""),
        # Redmine itself requires a subject.
        ("Subject cannot be blank", ""),
        ("Due date must be greater than start date", ""),
        ("Description muss ausgefüllt werden", ""),
    ],
)
def test_a_field_that_a_workflow_may_require(sentence: str, hint: str) -> None:
    """No API shows these permissions: the refusal says where to look, and else stays as it is."""

    def learn(names: Names) -> None:
        with_custom_fields(names)
        fields = names.custom_fields["issue"]
        fields["Affected Version"] = replace(fields["Affected Version"], required=True)

    live = [SHOP, user(5, "amy"), version(5, "shop", "1.0")]
    report, _ = applied(ISSUE, *live, refuse={"/projects/shop/issues": [sentence]}, learn=learn)
    assert [error.message for error in report.results[0].errors] == [sentence + hint]


def test_a_new_status_can_require_another_field() -> None:
    """The place is that of the only field that was sent; the sentence names the other one, and the workflow."""
    text = inside("issues:", "  - subject: s", "    status: In Progress")
    refuse = {"/issues/9": ["Description cannot be blank"]}
    report, _ = applied(text, SHOP, issue(9, "shop", "s"), refuse=refuse)
    assert errors_of(report) == [("status", 5)]
    assert report.results[0].errors[0].message == f"Description cannot be blank{WORKFLOW}"


def test_only_issues_have_workflows() -> None:
    """What is required of others says so itself."""
    report, _ = applied(AMY, refuse={"/users": ["Last name cannot be blank"]})
    assert [error.message for error in report.results[0].errors] == ["Last name cannot be blank"]


def test_every_sentence_has_its_own_place() -> None:
    """Two sentences of one refusal are two errors."""
    report, _ = applied(AMY, refuse={"/users": ["Email is invalid", "Last name cannot be blank", "No"]})
    assert errors_of(report) == [("mail", 5), ("lastname", 4), ("", 2)]


def test_the_only_field_that_was_written_is_to_blame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the sentence says, and also if there is none."""
    monkeypatch.setattr(sender, "CONFLICT_PAUSES", (0.0, 0.0, 0.0))
    text = inside("issues:", "  - subject: s", "    done_ratio: 50")
    for said in (["Das geht nicht"], []):
        report, _ = applied(text, SHOP, issue(9, "shop", "s", done_ratio=0), refuse={"/issues/9": said})
        assert errors_of(report) == [("done_ratio", 5)]


def test_the_only_field_of_a_later_operation() -> None:
    """What is written later and refused is told of its own field."""
    text = inside('default_version: "1.0"', 'versions: [{name: "1.0"}]')
    report, _ = applied(text, SHOP, refuse={"/projects/shop": ["Nein"]})
    errors = {str(r.change.address): [(e.path, e.location.line) for e in r.errors] for r in report.results}
    assert errors == {"project shop": [("default_version", 3)], "version shop/1.0": []}


def test_what_was_not_set_is_told_of_its_field() -> None:
    """A later operation that is skipped names the field that was not set, at its line."""
    text = inside('default_version: "1.0"', 'versions: [{name: "1.0"}]')
    report, _ = applied(text, SHOP, refuse={"/projects/shop/versions": ["Nein"]})
    (project,) = [r for r in report.results if r.change.address.kind == "project"]
    error = project.errors[0]
    assert (error.path, error.location.line) == ("default_version", 3)
    assert error.message == "default_version was not set: version shop/1.0 failed"


def test_a_deletion_has_no_field() -> None:
    """A refused deletion is told of the object."""
    text = inside("versions:", '  - name: "1.0"', "    state: absent")
    report, _ = applied(text, SHOP, version(5, "shop", "1.0"), refuse={"/versions/5": ["Name is in use"]})
    assert [line for _, line in errors_of(report)] == [4]


def test_what_did_not_stick_is_told_of_its_field() -> None:
    """A value that the server dropped is an error at its line."""
    report, _ = applied(AMY, keep=lambda row: {**row, "mail": "other@example.net"}, verified=True)
    assert errors_of(report) == [("mail", 5)]
    assert report.results[0].errors[0].message.startswith("mail: the server accepted")


def test_what_is_not_there_is_told_of_its_object() -> None:
    """An object that the server does not have afterwards is an error at its own line."""
    # No answer shows the users of a group, so it is read back.
    group = "groups:\n  - name: A\n    users: [amy]\n"
    report, _ = applied(group, user(5, "amy"), keep=lambda row: {}, verified=True)
    assert errors_of(report) == [("", 2)]
    assert report.results[0].errors[0].message == "the server accepted it, but it does not exist"


REFUSED = {"/users": ["Email is invalid", "No"]}


def test_text_shows_the_line_of_the_field() -> None:
    """The place stands behind an error where it is not the object's."""
    report, _ = applied(AMY, refuse=REFUSED)
    lines = plain.results(report, color=False).splitlines()
    assert "      ! Email is invalid  <stdin>:5" in lines
    assert "      ! No" in lines


def test_json_has_places_beside_the_sentences() -> None:
    """`errors` stay sentences; `problems` are the same with path, file, line and column."""
    report, _ = applied(AMY, refuse=REFUSED)
    (result,) = json.loads(data.dumps(data.results_json(report)))["results"]
    assert result["errors"] == ["Email is invalid", "No"]
    assert result["problems"] == [
        {"message": "Email is invalid", "path": "mail", "file": "<stdin>", "line": 5, "column": 5},
        {"message": "No", "path": "", "file": "<stdin>", "line": 2, "column": 5},
    ]


def test_github_annotates_the_line_of_the_field() -> None:
    """Each place gets an annotation of its own."""
    report, _ = applied(AMY, refuse=REFUSED)
    assert github.results(report).splitlines() == [
        "::error file=<stdin>,line=5,col=5,title=user amy::Email is invalid",
        "::error file=<stdin>,line=2,col=5,title=user amy::No",
        "Applied: 0 done, 1 failed, 0 skipped, 0 unknown.",
    ]


def test_markdown_and_html_show_the_line_of_the_field() -> None:
    """Comments and pages show the place of a field, too."""
    report, _ = applied(AMY, refuse=REFUSED)
    assert "  - Email is invalid `<stdin>:5`" in markdown.results(report)
    assert '<p class="error">Email is invalid <span class="place">&lt;stdin&gt;:5</span></p>' in html.results(report)


def test_an_error_reads_as_its_sentence() -> None:
    """`str(error)` is what the server said."""
    assert str(ItemError("Email is invalid", "mail")) == "Email is invalid"
