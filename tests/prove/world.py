"""The two applies that are disturbed: everything is created, and then much of it is changed, renamed or deleted.

To EVERYTHING and CHANGED this adds custom fields of all formats, and something to delete of each kind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from everything import CHANGED, EVERYTHING, FILES, with_files

STAGES = {"create": ("", "create"), "change": ("create", "change")}
"""Stage → what was applied before it ("" for nothing), and what it applies."""

_FILE, _OTHER = {"file": "note.txt"}, {"file": "new.txt"}
FIRST: Mapping[str, Any] = {
    "attachment": _FILE, "bool": True, "date": "2026-01-05", "enumeration": "small", "float": 1.5, "int": 7,
    "link": "https://redmine.example.net/?a=b&c", "list": "red", "progressbar": 10, "string": "one: ü",
    "text": "one\ntwo\n", "user": "amy", "version": "2.0",
}  # fmt: skip
SECOND: Mapping[str, Any] = {
    "attachment": _OTHER, "bool": False, "date": None, "enumeration": "large", "float": -2, "int": 0, "link": "x",
    "list": "blue", "progressbar": 100, "string": None, "text": "one\n\n", "user": "cleo", "version": "3.0",
}  # fmt: skip
"""A value of a custom field by its format, for each of the two applies."""
MORE: Mapping[str, Any] = {"enumeration": "medium", "list": "green", "user": "cleo", "version": "3.0"}

PEOPLE = {"user", "user multiple", "version", "version multiple"}
NOT_ON_5_0 = {"User": {"enumeration", "enumeration multiple"}, "Group": {"enumeration", "enumeration multiple"}}


def formats(kind: str, redmine: str) -> list[str]:
    """The formats of the custom fields that `setup.rb` makes for a kind."""
    found = {*FIRST, *(f"{name} multiple" for name in MORE)}
    if kind in ("User", "Group"):
        found -= PEOPLE
    if redmine == "5.0":
        found -= {*NOT_ON_5_0.get(kind, ()), "progressbar"}
    return sorted(found if redmine == "6.1" else found - {"progressbar"})


def customized(kind: str, redmine: str, values: Mapping[str, Any], *more: Mapping[str, Any]) -> dict[str, Any]:
    """A value for each custom field of a kind; those that take several get a value of each mapping."""
    fields: dict[str, Any] = {}
    for name in formats(kind, redmine):
        form = name.removesuffix(" multiple")
        several = name != form
        fields[f"{kind} {name}"] = [v[form] for v in (values, *more)] if several else values[form]
    return fields


def worlds(redmine: str) -> dict[str, dict[str, Any]]:
    """What each of the two applies declares."""
    return {"create": _create(redmine), "change": _change(redmine)}


def _named(login: str) -> dict[str, Any]:
    return {"login": login, "firstname": login, "lastname": "Test", "mail": f"{login}@example.net"}


def _create(redmine: str) -> dict[str, Any]:
    data = deepcopy(EVERYTHING)
    amy, support, hq, shop = data["users"][0], data["groups"][0], *data["projects"]
    amy |= {"language": "de", "mail_notification": "none", "pref": {"hide_mail": False, "time_zone": "Berlin"}}
    hq["versions"][:0] = [{"name": "4.0"}]
    hq["versions"].append({"name": "3.0", "sharing": "descendants"})
    _customize(redmine, amy, support, hq, shop, FIRST, MORE)
    data["users"] += [_named("cleo"), _named("dan")]
    data["groups"].append({"name": "Spare"})
    data["projects"].append({"identifier": "gone", "name": "Gone"})
    hq["members"].append({"user": "cleo", "roles": ["Manager"]})
    hq["versions"].append({"name": "spare"})
    hq["issue_categories"] = [{"name": "Spare"}]
    hq["wiki_pages"].append({"title": "Spare", "text": "spare"})
    shop["members"].append({"user": "cleo", "roles": ["Manager"]})
    hq["members"].append({"user": "dan", "roles": ["Reporter"]})
    shop["members"].append({"user": "dan", "roles": ["Reporter"]})
    return data


def _change(redmine: str) -> dict[str, Any]:
    data = deepcopy(CHANGED)
    amy, helpers, hq, shop = data["users"][0], data["groups"][0], *data["projects"]
    hq["versions"] = [{"name": "4.0"}, {"name": "spare", "state": "absent"}]
    _customize(redmine, amy, helpers, hq, shop, SECOND)
    data["users"].append({"login": "dan", "state": "absent"})
    data["groups"].append({"name": "Spare", "state": "absent"})
    data["projects"].append({"identifier": "gone", "state": "absent"})
    hq["members"].append({"user": "dan", "state": "absent"})
    hq["issue_categories"] = [{"name": "Spare", "state": "absent"}]
    hq["wiki_pages"].append({"title": "Spare", "state": "absent"})
    return data


def _customize(redmine: str, user: Any, group: Any, hq: Any, shop: Any, *values: Mapping[str, Any]) -> None:
    """Give one object of each kind a value in each of its custom fields; the version names itself in one."""
    first = next(issue for issue in shop["issues"] if issue["key"] == "first")
    for kind, row in {
        "User": user,
        "Group": group,
        "Project": hq,
        "Version": hq["versions"][0],
        "TimeEntry": hq["time_entries"][0],
        "Issue": first,
    }.items():
        row["custom_fields"] = customized(kind, redmine, *values)
    hq["versions"][0]["custom_fields"]["Version version"] = hq["versions"][0]["name"]


CONFIG = "issue_key_field: Config key\nlimits: {deletes: 100}\n"


def write(folder: Path, redmine: str) -> dict[str, Path]:
    """The manifests in folders of their own below this one, with their files; the folder of each."""
    found = {}
    for name, data in worlds(redmine).items():
        found[name] = folder / name
        found[name].mkdir(parents=True)
        with_files(found[name])
        (found[name] / "world.json").write_text(json.dumps(data, indent=1))
        (found[name] / "reconciler.yaml").write_text(CONFIG)
    return found


__all__ = ["FILES", "STAGES", "formats", "worlds", "write"]
