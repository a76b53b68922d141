"""What is found wrong with manifests without a server: each problem at its place, with a way to go on."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from engine import offline, settings

from reconciler.errors import Problem
from reconciler.kinds import declarable
from reconciler.model.address import Address
from reconciler.model.mapped import Mapped
from reconciler.state.desired import build


class Found(NamedTuple):
    """A problem that is expected: its place, a part of its message, a part of its hint ("" is no hint at all)."""

    line: int
    column: int
    message: str
    hint: str = ""


def project(*lines: str) -> str:
    """A manifest of one project `a`, with further lines inside it (they begin on line 3)."""
    return "\n".join(["projects:", "  - identifier: a", *(f"    {line}" for line in lines)])


WRONG: dict[str, tuple[str, list[Found]]] = {
    "a list that there is not": (
        "projcts:\n  - {identifier: a}",
        [Found(1, 1, 'unknown top-level key "projcts"', 'did you mean "projects"?')],
    ),
    "a mapping in the place of a list": (
        "projects: {identifier: a}",
        [Found(1, 1, "expected a list, found a mapping", 'start each item with "- "')],
    ),
    "a text in the place of a list inside a project": (
        project("issues: none"),
        [Found(3, 5, "expected a list, found a string", 'start each item with "- "')],
    ),
    "a text in the place of an object": ("users:\n  - amy", [Found(2, 5, "expected a mapping, found a string")]),
    "a field that there is not": (
        "users:\n  - {login: amy, fistname: Amy}",
        [Found(2, 18, 'unknown field "fistname"', 'did you mean "firstname"?')],
    ),
    "a list that a project does not have": (
        project("isues: []"),
        [Found(3, 5, 'unknown field "isues"', 'did you mean "issues"?')],
    ),
    "a field that a nested object does not have": (
        project("issues:", "  - {subject: s, assignd_to: amy}"),
        [Found(4, 22, 'unknown field "assignd_to"', 'did you mean "assigned_to"?')],
    ),
    "no identity": ("projects:\n  - {name: A}", [Found(2, 5, "identifier is missing")]),
    "no project": ("versions:\n  - {name: v}", [Found(2, 5, "project is missing")]),
    "an empty project": ("versions:\n  - {project: null, name: v}", [Found(2, 6, "project: expected a string")]),
    "no subject": (project("issues:", "  - {tracker: Bug}"), [Found(4, 9, "subject is missing")]),
    "a key without a subject, where keys are only in the manifests": (
        project("issues:", "  - {key: login, state: absent}"),
        [
            Found(
                4,
                9,
                "subject is missing: only with `issue_key_field` in reconciler.yaml is an issue found by its key",
            )
        ],
    ),
    "values of the wrong type, all at once": (
        project("is_public: maybe", "trackers: Bug", "name: [x]", "custom_fields: [x]", "create_only: name"),
        [
            Found(3, 5, 'is_public: expected true or false, found "maybe"'),
            Found(4, 5, 'trackers: expected a list, found "Bug"'),
            Found(5, 5, "name: expected a string, found a list"),
            Found(6, 5, "custom_fields: expected a mapping, found a list"),
            Found(7, 5, 'create_only: expected a list, found "name"'),
        ],
    ),
    "numbers that are none": (
        "issues:\n  - project: a\n    subject: s\n    done_ratio: many\n    estimated_hours: long\n    id: x\n",
        [
            Found(4, 5, 'done_ratio: expected a whole number, found "many"'),
            Found(5, 5, 'estimated_hours: expected a number, found "long"'),
            Found(6, 5, 'id: expected a whole number, found "x"'),
        ],
    ),
    "numbers out of range": (
        "issues:\n  - project: a\n    subject: s\n    done_ratio: 101\n    estimated_hours: -1\n    id: 0\n"
        "  - project: a\n    subject: t\n    done_ratio: 1.5\n    estimated_hours: .nan\n",
        [
            Found(4, 5, "done_ratio: "),
            Found(5, 5, "estimated_hours: "),
            Found(6, 5, "id: "),
            Found(9, 5, 'done_ratio: expected a whole number, found "1.5"'),
            Found(10, 5, 'estimated_hours: expected a number, found ".nan"'),
        ],
    ),
    "words that are not offered": (
        "versions:\n  - {project: a, name: v, status: opn}\n  - {project: a, name: w, sharing: all}\n"
        "users:\n  - {login: amy, state: absend}",
        [
            Found(2, 27, 'status: expected one of open, locked, closed, found "opn"', 'did you mean "open"?'),
            Found(3, 27, "sharing: expected one of none, descendants, hierarchy, tree, system"),
            Found(5, 18, "state: expected one of present, absent", 'did you mean "absent"?'),
        ],
    ),
    "identities that Redmine refuses": (
        "projects:\n  - {identifier: Shop}\n  - {identifier: '12'}\n  - {identifier: new}\n"
        "users:\n  - {login: a b}\nversions:\n  - {project: a, name: ''}",
        [
            Found(2, 6, "identifier: "),
            Found(3, 6, 'Redmine refuses "12"'),
            Found(4, 6, 'Redmine refuses "new"'),
            Found(6, 6, "login: "),
            Found(8, 18, 'name: expected a non-empty string, found ""'),
        ],
    ),
    "a text that is too long": (f"versions:\n  - {{project: a, name: {'x' * 61}}}", [Found(2, 18, "60 characters")]),
    "dates that are none": (
        "issues:\n  - project: a\n    subject: s\n    start_date: soon\n    due_date: 2026-02-30\n",
        [
            Found(4, 5, 'start_date: expected a date (YYYY-MM-DD), found "soon"'),
            Found(5, 5, 'due_date: expected a date (YYYY-MM-DD), found "2026-02-30"'),
        ],
    ),
    "an end before its start": (
        project("issues:", "  - {subject: s, start_date: 2026-02-02, due_date: 2026-02-01}"),
        [Found(4, 46, "due_date 2026-02-01 is before start_date 2026-02-02")],
    ),
    "the same object twice, both places": (
        "users:\n  - {login: amy}\n  - {login: amy}",
        [Found(3, 5, "declared twice", "remove one of them")],
    ),
    "the same login in another case": (
        "users:\n  - {login: amy}\n  - {login: AMY}",
        [Found(3, 5, "declared twice", "remove one of them")],
    ),
    "the same object nested and at top level": (
        "versions:\n  - {project: a, name: v}\n" + project("versions:", "  - {name: v}"),
        [Found(6, 9, "declared twice", "remove one of them")],
    ),
    "three issues with one subject": (
        project("issues:", "  - {subject: s}", "  - {subject: s}", "  - {subject: s}"),
        [Found(5, 9, "declared twice", "its own key"), Found(6, 9, "declared twice", "its own key")],
    ),
    "another project than the one it is nested in": (
        project("versions:", "  - {name: v, project: b}"),
        [Found(4, 19, 'conflicts with the enclosing project "a"', "omit `project`")],
    ),
    "a parent that nobody declares": (
        project("issues:", "  - {key: login, subject: x}", "  - {subject: y, parent: logn}"),
        [Found(5, 22, 'parent: no issue "logn" is declared in project "a"', 'did you mean "login"?')],
    ),
    "a parent in another project": (
        project("issues:", "  - {key: login, subject: x}")
        + "\n  - identifier: b\n    issues:\n      - {subject: y, parent: login}\n"
        + "      - {subject: z, parent: {project: a, key: login}}\n"
        + "      - {subject: q, parent: {project: a, key: logi}}",
        [
            Found(7, 22, 'parent: no issue "login" is declared in project "b"'),
            Found(9, 22, 'parent: no issue "logi" is declared in project "a"', 'did you mean "login"?'),
        ],
    ),
    "circles, each once": (
        project("parent: b", "issues:", "  - {subject: x, parent: y}", "  - {subject: y, parent: x}")
        + "\n  - {identifier: b, parent: a}\n  - {identifier: c, parent: c}",
        [
            Found(2, 5, "dependency cycle: a → b → a", "remove one of these references"),
            Found(5, 9, "dependency cycle: a/x → a/y → a/x", "remove one of these references"),
            Found(8, 5, "dependency cycle: c → c", "remove one of these references"),
        ],
    ),
    "null for what cannot be empty": (
        "users:\n  - {login: amy, mail: null}\nprojects:\n  - {identifier: a, is_public: null}\n"
        "versions:\n  - {project: a, name: v, sharing: null}\nissues:\n  - {project: a, subject: s, status: null}\n"
        "memberships:\n  - {project: a, user: amy, roles: null}",
        [
            Found(2, 18, "mail cannot be cleared", "omit it to leave it unchanged"),
            Found(4, 21, "is_public cannot be cleared", "omit it to leave it unchanged"),
            Found(6, 27, "sharing cannot be cleared", "omit it to leave it unchanged"),
            Found(8, 30, "status cannot be cleared", "omit it to leave it unchanged"),
            Found(10, 5, "roles is missing"),
            Found(10, 29, "roles cannot be cleared", "omit it to leave it unchanged"),
        ],
    ),
    "create_only with a field that there is not": (
        project("create_only: [nme, name]"),
        [Found(3, 19, 'create_only: unknown field "nme"', 'did you mean "name"?')],
    ),
    "members that are nobody, two at once, or without roles": (
        "memberships:\n  - {project: a, roles: [Manager]}\n  - {project: a, user: x, group: y, roles: [Manager]}\n"
        "  - {project: a, user: amy}\n  - {project: a, user: bob, roles: []}",
        [
            Found(2, 5, "set either user or group"),
            Found(3, 5, "set either user or group"),
            Found(4, 5, "roles is missing"),
            Found(5, 29, "roles: "),
        ],
    ),
    "another identifier for a project": (
        project("renamed_from: b"),
        [Found(3, 5, "the identifier of a project cannot be changed")],
    ),
    "references in a form that there is not": (
        "issues:\n  - {project: a, subject: s, assigned_to: {usr: amy}}\n"
        "  - {project: a, subject: t, fixed_version: {project: a}}\n"
        "  - {project: a, subject: u, assigned_to: [amy]}\n"
        "  - {project: a, subject: v, parent: {project: a, key: k, more: x}}",
        [
            Found(2, 30, "assigned_to: expected a name or {user: …} or {group: …}, found a mapping"),
            Found(3, 30, "fixed_version: expected a name or {project: …, name: …}, found a mapping"),
            Found(4, 30, "assigned_to: expected a name or {user: …} or {group: …}, found a list"),
            Found(5, 30, "parent: expected a name or {project: …, key: …}, found a mapping"),
        ],
    ),
    "a project without an identifier, and no noise about what is in it": (
        "projects:\n  - name: A\n    issues: [{subject: s}]\n    versions: [{name: v}]",
        [Found(2, 5, "identifier is missing")],
    ),
}
"""What is wrong → the manifest, and all the problems that it has."""


@pytest.mark.parametrize("text, expected", WRONG.values(), ids=WRONG)
def test_problems(text: str, expected: list[Found]) -> None:
    """Everything that is wrong is found at once, at its place, with a hint where there is one to give."""
    found = sorted(offline(text).problems, key=lambda p: (p.location, p.message))
    assert [(p.location.line, p.location.column) for p in found] == [(e.line, e.column) for e in expected]
    for problem, wanted in zip(found, expected, strict=True):
        assert wanted.message in problem.message
        assert wanted.hint in problem.hint
        assert bool(wanted.hint) or not problem.hint


RIGHT = {
    "empty lists": "users:\nprojects: []\n$schema: x",
    "what is nested may name its own project": project("versions:", "  - {name: v, project: a}"),
    "null for what can be empty": project(
        "description: null",
        "homepage: null",
        "parent: null",
        "trackers: null",
        "enabled_modules: null",
        "default_version: null",
        "default_assigned_to: null",
        "issues:",
        "  - {subject: s, description: null, category: null, fixed_version: null, assigned_to: null, parent: null,",
        "     start_date: null, due_date: null, estimated_hours: null, done_ratio: null}",
    ),
    "start and end on one day": project("issues:", "  - {subject: s, start_date: 2026-02-02, due_date: 2026-02-02}"),
    "what is absent needs no more than its identity": (
        "users: [{login: amy, state: absent}]\nmemberships: [{project: a, user: amy, state: absent}]"
    ),
    "a default version inside the project is no circle": project("default_version: v", "versions: [{name: v}]"),
    "numbers as names": project("versions:", "  - {name: 1.10}", "  - {name: 1.1}"),
    "every form of a reference": project(
        "issues:",
        "  - {subject: s, assigned_to: {group: g}, fixed_version: {project: b, name: v}}",
        "  - {subject: t, assigned_to: {user: u}, fixed_version: v, parent: {project: a, key: s}}",
        "  - {subject: u, assigned_to: u, parent: s}",
    ),
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_no_problem(text: str) -> None:
    """What is right is not complained of."""
    assert offline(text).problems == ()


def test_key_field_makes_keys_enough() -> None:
    """With keys stored in a custom field an issue needs no subject, and its parent may be only on the server."""
    text = project("issues:", "  - {key: login, parent: elsewhere}")
    assert offline(text, key_field="Config key").problems == ()


def test_nested_and_top_level_are_the_same() -> None:
    """What is nested in a project and what names its project at top level make the same objects."""
    inside = project("members: [{user: amy, roles: [Manager]}]", "versions: [{name: v}]", "issues: [{subject: s}]")
    outside = (
        "projects: [{identifier: a}]\nmemberships: [{project: a, user: amy, roles: [Manager]}]\n"
        "versions: [{project: a, name: v}]\nissues: [{project: a, subject: s}]"
    )
    one, other = offline(inside), offline(outside)
    assert {a: o.fields for a, o in one.objects.items()} == {a: o.fields for a, o in other.objects.items()}
    assert list(one.objects) == list(other.objects)


def test_duplicates_cite_both_places() -> None:
    """Of an object that is declared twice, in two documents, the second is the problem and the first is cited."""
    (problem,) = offline("users: [{login: amy}]\n---\n\nusers: [{login: amy}]").problems
    assert (problem.location.line, [place.line for place in problem.also]) == (4, [1])
    assert problem.subject == "user amy"


def test_a_circle_cites_every_member() -> None:
    """A circle is one problem that has the places of all that are in it."""
    items = [f"  - {{subject: {name}, parent: {parent}}}" for name, parent in ("xy", "yz", "zx")]
    (problem,) = offline(project("issues:", *items)).problems
    assert {problem.location.line, *(place.line for place in problem.also)} == {4, 5, 6}


def test_valid_objects_survive_invalid_ones() -> None:
    """A problem with one object takes no other out of the desired state."""
    wanted = offline("users: [{login: amy, nme: x}, {login: bob}]")
    assert len(wanted.problems) == 1
    assert list(wanted.objects) == [Address("user", "bob")]


IDENTITIES = {
    "user": "users: [{login: amy%s}]",
    "group": "groups: [{name: Staff%s}]",
    "project": "projects: [{identifier: a%s}]",
    "membership": "memberships: [{project: a, user: amy%s}]",
    "version": "versions: [{project: a, name: v%s}]",
    "issue_category": "issue_categories: [{project: a, name: c%s}]",
    "issue": "issues: [{project: a, subject: s%s}]",
    "wiki_page": "wiki_pages: [{project: a, title: Start%s}]",
    "news": "news: [{project: a, title: n%s}]",
    "file": "files: [{project: a, filename: f.txt%s}]",
    "issue_status": "issue_statuses: [{name: s%s}]",
    "tracker": "trackers: [{name: t%s}]",
    "role": "roles: [{name: r%s}]",
    "workflow": "workflows: [{tracker: t, role: r%s}]",
    "issue_priority": "issue_priorities: [{name: p%s}]",
    "time_entry_activity": "time_entry_activities: [{name: a%s}]",
    "document_category": "document_categories: [{name: c%s}]",
    "custom_field": "custom_fields: [{type: issue, name: f%s}]",
    "query": "queries: [{type: issue, name: q%s}]",
    "auth_source": "auth_sources: [{name: LDAP%s}]",
    "project_time_entry_activity": "project_time_entry_activities: [{project: a, name: Design%s}]",
    "time_entry": "time_entries: [{project: a, user: amy, spent_on: 2026-02-02, activity: Design%s}]",
}
"""Every kind with a list → a manifest of one object by nothing but what tells which one it is."""
TYPO = ", nmae: x"
WRONG_VALUE = ", create_only: 1"


def test_every_kind_has_an_identity_here() -> None:
    """The table is complete."""
    assert IDENTITIES.keys() == {kind.name for kind in declarable().values() if not kind.has(Mapped)}


@pytest.mark.parametrize("first, second", [(TYPO, ""), ("", TYPO), (TYPO, WRONG_VALUE), (WRONG_VALUE, WRONG_VALUE)])
@pytest.mark.parametrize("kind", IDENTITIES)
def test_a_duplicate_is_found_in_spite_of_another_mistake(kind: str, first: str, second: str) -> None:
    """Of an object that is declared twice both places are told, even if another field is wrong in one or both."""
    alone = [offline(IDENTITIES[kind] % more).problems for more in (first, second)]
    wanted = offline(f"{IDENTITIES[kind] % first}\n---\n{IDENTITIES[kind] % second}")
    (twice,) = [p for p in wanted.problems if p.message == "declared twice"]
    (place,) = twice.also
    assert (twice.location.line, place.line) == (3, 1)
    assert {p.message for p in wanted.problems} == {twice.message, *(p.message for found in alone for p in found)}


@pytest.mark.parametrize("more", [TYPO, WRONG_VALUE])
@pytest.mark.parametrize("kind", [name for name, text in IDENTITIES.items() if "project: a" in text])
def test_what_an_object_with_a_mistake_is_inside_of_is_checked(kind: str, more: str) -> None:
    """That the project of an object is declared absent is found, even if another field of the object is wrong."""
    text = f"{IDENTITIES[kind] % more}\n---\nprojects: [{{identifier: a, state: absent{more}}}]"
    assert "project: project a is declared absent" in {p.message for p in offline(text).problems}


REFERENCES = {
    "to nobody, in a list": (
        project("issues:", "  - {subject: t}", "  - {subject: s, relations: [{relates: t}, {blocks: nobody}]}"),
        [Found(5, 48, 'relations: no issue "nobody"')],
    ),
    "to nobody": (
        project("issues:", "  - {subject: s, parent: nobody, due_date: soon}"),
        [Found(4, 22, 'parent: no issue "nobody" is declared'), Found(4, 38, "due_date: expected a date")],
    ),
    "of an object with a mistake to one with another": (
        project("issues:", "  - {subject: s, parent: t, due_date: soon}", "  - {subject: t, trackr: Bug}"),
        [Found(4, 33, "due_date: expected a date"), Found(5, 22, 'unknown field "trackr"', 'did you mean "tracker"?')],
    ),
    "of a valid object to one whose key is not valid": (
        project("issues:", "  - {subject: s, parent: t}", "  - {subject: t, key: [t]}"),
        [Found(5, 22, "key: expected a string")],
    ),
    "to what is absent": (
        "users: [{login: amy, state: absent, mial: x}]\ngroups: [{name: g, users: [amy], nmae: x}]",
        [
            Found(1, 37, 'unknown field "mial"', 'did you mean "mail"?'),
            Found(2, 28, "users: user amy is declared absent"),
            Found(2, 34, 'unknown field "nmae"', 'did you mean "name"?'),
        ],
    ),
    "to what is perhaps absent": (
        "users: [{login: amy, state: absend}]\ngroups: [{name: g, users: [amy]}]",
        [Found(1, 22, "state: expected one of present, absent", 'did you mean "absent"?')],
    ),
    "that make a circle": (
        project("issues:", "  - {subject: x, parent: y, due_date: soon}", "  - {subject: y, parent: x, id: x}"),
        [
            Found(4, 9, "dependency cycle: a/x → a/y → a/x", "remove one of these references"),
            Found(4, 33, "due_date: expected a date"),
            Found(5, 33, "id: expected a whole number"),
        ],
    ),
    "of what is declared twice": (
        project("issues:", "  - {subject: s}", "  - {subject: s, parent: nobody}"),
        [
            Found(5, 9, "declared twice", "its own key"),
            Found(5, 22, 'parent: no issue "nobody" is declared'),
        ],
    ),
}
"""References in a manifest with other mistakes → all the problems that it has."""


@pytest.mark.parametrize("text, expected", REFERENCES.values(), ids=REFERENCES)
def test_references_are_checked_in_spite_of_another_mistake(text: str, expected: list[Found]) -> None:
    """References from an object of which another field is wrong, and to it, are checked as those of any other."""
    test_problems(text, expected)


MISTAKES = {
    "what is nested in a project with a mistake": (
        project("nmae: x", "versions: [{name: v, stauts: open}, {name: v}]"),
        [
            Found(3, 5, 'unknown field "nmae"', 'did you mean "name"?'),
            Found(4, 26, 'unknown field "stauts"', 'did you mean "status"?'),
            Found(4, 41, "declared twice", "remove one of them"),
        ],
    ),
    "what names another project than the one it is nested in": (
        project("versions:", "  - {name: v, project: b, stauts: open}", "  - {name: v}"),
        [
            Found(4, 19, 'conflicts with the enclosing project "a"', "omit `project`"),
            Found(4, 31, 'unknown field "stauts"', 'did you mean "status"?'),
            Found(5, 9, "declared twice", "remove one of them"),
        ],
    ),
    "keys that Redmine refuses": (
        "projects: [{identifier: new, nmae: x}]\nwiki_pages: [{project: a, title: '...', txet: x}]",
        [
            Found(1, 13, 'Redmine refuses "new"'),
            Found(1, 30, 'unknown field "nmae"', 'did you mean "name"?'),
            Found(2, 27, "the title is empty"),
            Found(2, 41, 'unknown field "txet"', 'did you mean "text"?'),
        ],
    ),
    "no key at all": (
        "issues: [{project: a, trackr: Bug}]\nmemberships: [{project: a, rolse: [x]}]\nfiles: [{project: a, txt: x}]",
        [
            Found(1, 10, "subject is missing"),
            Found(1, 23, 'unknown field "trackr"', 'did you mean "tracker"?'),
            Found(2, 15, "roles is missing"),
            Found(2, 15, "set either user or group"),
            Found(2, 28, 'unknown field "rolse"', 'did you mean "roles"?'),
            Found(3, 9, "filename or path is missing"),
            Found(3, 22, 'unknown field "txt"', "`reconciler explain file` lists its fields"),
        ],
    ),
    "what hangs on a field that is not valid": (
        "issues: [{project: a, subject: [s]}, {project: a, subject: [s]}]\nmemberships: [{project: a, user: amy, roles: x}]\n"
        "files: [{project: a, path: [x]}, {project: a, path: [x]}]",
        [
            Found(1, 23, "subject: expected a string"),
            Found(1, 51, "subject: expected a string"),
            Found(2, 39, "roles: expected a list"),
            Found(3, 22, "path: expected a path or {file: PATH}"),
            Found(3, 47, "path: expected a path or {file: PATH}"),
        ],
    ),
}
"""Keys in a manifest with other mistakes → all the problems that it has."""


@pytest.mark.parametrize("text, expected", MISTAKES.values(), ids=MISTAKES)
def test_keys_are_checked_in_spite_of_another_mistake(text: str, expected: list[Found]) -> None:
    """What is wrong with keys is found together with what else is wrong, and nothing that only follows from that."""
    test_problems(text, expected)


CANARY = "canary-3c9e"


@pytest.mark.parametrize(
    "fields",
    [
        f"password: [{CANARY}]",
        f"password: {{x: {CANARY}}}",
        f"password: {CANARY}, generate_password: true",
        f"password: {CANARY}, must_change_passwd: perhaps",
        f"password: {CANARY}, nme: x",
        "password: '${PASSWORD}', generate_password: true",
        "password: '${PASSWORD}', status: loked",
    ],
)
def test_secrets_are_in_no_message(fields: str) -> None:
    """Whatever is wrong with a user or its password, no problem shows the password."""
    wanted = offline(f"users: [{{login: amy, {fields}}}]", env={"PASSWORD": CANARY})
    assert wanted.problems
    assert CANARY not in "".join(map(repr, wanted.problems))


def test_secrets_are_not_in_the_objects() -> None:
    """The desired state can be shown without showing a password."""
    wanted = offline("users: [{login: amy, password: '${PASSWORD}'}]", env={"PASSWORD": CANARY})
    spec = wanted.objects[Address("user", "amy")].spec
    assert CANARY not in repr(spec) + spec.model_dump_json()


def test_what_must_be_read_is_what_is_named() -> None:
    """Only the kinds, projects and fields that manifests name are asked of the server."""
    issue = "  - {subject: s, fixed_version: {project: b, name: v}, assigned_to: amy}"
    need = offline(project("issues:", issue)).need()
    assert need.keys["version"] == {"b/v"}
    assert need.keys["project"] == {"a"}
    assert need.keys["user"] == need.keys["group"] == {"amy"}
    assert need.fields["issue"] == {"subject", "fixed_version", "assigned_to"}
    assert "tracker" not in need.keys
    assert "membership" not in need.keys


def test_no_documents_are_no_objects() -> None:
    """Nothing declared is nothing wrong."""
    wanted = build((), settings())
    assert (dict(wanted.objects), wanted.problems) == ({}, ())


def test_a_problem_reads_as_one_line() -> None:
    """A problem as text has its place, what it is about, what is wrong and how to go on."""
    (problem,) = offline("users:\n  - {login: amy, fistname: Amy}").problems
    assert isinstance(problem, Problem)
    assert str(problem) == '<stdin>:2:18: user amy: unknown field "fistname" (did you mean "firstname"?)'
