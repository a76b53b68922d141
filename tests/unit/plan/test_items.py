"""Values of a manifest that the plan reads in a particular way: items of lists, secrets from files."""

from __future__ import annotations

from pathlib import Path

from engine import documents, settings

import reconciler
from reconciler.kinds import kinds
from reconciler.model.address import Address
from reconciler.model.name_index import Context, Names
from reconciler.model.spec import Secret
from reconciler.plan.diff import canonical
from reconciler.state.desired import build


def test_the_place_of_an_item_of_a_list() -> None:
    """A name in a list that means nothing on the server is reported at that item, for every list of references."""
    text = "projects:\n  - {identifier: a, name: A, trackers: [Nope]}\ngroups:\n  - {name: g, users: [amy, bob]}"
    found = build(documents(text, {}), settings()).objects
    names = Names()
    for kind in ("user", "group", "tracker"):
        names.live(kind)
    problems = [p for o in found.values() for p in canonical(o, Context(names, o.project))[1]]
    assert kinds()
    assert {(p.location.line, p.location.column) for p in problems} >= {(2, 41), (4, 23)}


def test_a_password_from_a_file_is_without_its_last_line_break(tmp_path: Path) -> None:
    """The line break that editors put at the end of a file is no part of a password or login; of a text it is one."""
    for name in ("password", "login"):
        (tmp_path / name).write_text("canary\n")
    (tmp_path / "text").write_text("text\n")
    (tmp_path / "a.yaml").write_text(
        "users: [{login: !file login, firstname: A, lastname: B, mail: a@x.net, password: !file password}]\n"
        "projects: [{identifier: p, name: P, description: !file text}]"
    )
    found = reconciler.load(tmp_path, environ={}).desired.objects
    user = found[Address("user", "canary")]
    assert canonical(user, Context(Names(), ""))[0]["password"] == Secret("canary", "")
    assert found[Address("project", "p")].fields["description"] == "text\n"
