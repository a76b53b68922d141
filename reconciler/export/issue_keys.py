"""Keys for exported issues that have none: made of their subjects, stable from one export to the next."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterator, Mapping
from typing import Any

from reconciler.kinds.issues.similarity import NAMED, PEOPLE, PLAIN
from reconciler.model.address import Row
from reconciler.model.codecs import digest
from reconciler.model.name_index import Names

NOBODY: Mapping[int, str] = {}
LENGTH = 255
"""Characters of a key at most."""
SLUG = 48
"""Characters of a subject that its issue's key is made of."""


def slug(text: str) -> str:
    """A short, readable name made of a text: `login-fails`."""
    words = re.sub(r"[^\w]+", "-", text.lower()).strip("-_")
    return words[:SLUG].rstrip("-_") or "issue"


def name_issues(names: Names, called: Mapping[int, str] = NOBODY, length: int = LENGTH) -> None:
    """Give issues without a key the one that they were `called` by, or one that is made of the subject, of so many
    characters at most: the first of several, by what they are, gets the plain one."""
    taken: defaultdict[str, set[str]] = defaultdict(set)
    for key in names.ids.get("issue", {}):
        taken[key.partition("/")[0]].add(key.partition("/")[2])
    rows, keys = names.rows.get("issue", {}), names.keys.get("issue", {})
    looks = {n: (keys[n].partition("/")[0], _looks(rows[n], rows)) for n in rows if keys[n].endswith(f"/#{n}")}
    known = {n: called[n].partition("/")[2] for n in looks if _may_have(called.get(n, ""), keys[n], taken)}
    for project, name in ((looks[n][0], name) for n, name in known.items()):
        taken[project].add(name)
    tried = Counter[str]()
    for number in sorted(looks.keys() - known.keys(), key=lambda n: (looks[n], n)):
        project, plain = looks[number][0], slug(rows[number]["subject"])
        known[number] = next(n for n in _numbered(plain, length, tried, project) if n not in taken[project])
        taken[project].add(known[number])
    for number, name in _in_order(known, looks):
        _name(number, name, names)


def _in_order(named: Mapping[int, str], looks: Mapping[int, Hashable]) -> Iterator[tuple[int, str]]:
    """The names, of issues that look the same in the order of their numbers: that is how a plan pairs them."""
    alike: defaultdict[Hashable, list[int]] = defaultdict(list)
    for number in sorted(named):
        alike[looks[number]].append(number)
    for numbers in alike.values():
        yield from zip(numbers, sorted((named[n] for n in numbers), key=lambda n: (len(n), n)), strict=True)


def _numbered(name: str, length: int, tried: Counter[str], project: str) -> Iterator[str]:
    """A name and its numbered forms, from the first that was not tried yet."""
    while True:
        tried[f"{project}/{name}"] += 1
        count = tried[f"{project}/{name}"]
        ending = f"-{count}" if count > 1 else ""
        yield f"{name[: length - len(ending)]}{ending}"


def _may_have(wanted: str, key: str, taken: Mapping[str, Collection[str]]) -> bool:
    """Whether an issue can have the key that it had: it is in the same project, and nobody else has it."""
    project, _, name = wanted.partition("/")
    return bool(name) and project == key.partition("/")[0] and name not in taken.get(project, ())


def _name(number: int, name: str, names: Names) -> None:
    project = names.keys["issue"][number].partition("/")[0]
    names.ids["issue"].pop(f"{project}/#{number}", None)
    names.ids["issue"][f"{project}/{name}"] = number
    names.keys["issue"][number] = f"{project}/{name}"


def _looks(row: Row, rows: Mapping[Any, Row]) -> tuple[str, ...]:
    """What tells issues of one subject apart in a plan, without their numbers, which are others on another server."""
    named = (str((row.get(n) or {}).get("name", "")) for n in (*NAMED, *PEOPLE))
    plain = (str(row.get(n) or "") for n in PLAIN)
    values = sorted((f["name"], str(f.get("value") or "")) for f in row.get("custom_fields", ()))
    files = sorted(f["filename"] for f in row.get("attachments", ()))
    above = rows.get((row.get("parent") or {}).get("id", 0), {}).get("subject", "")
    return tuple(map(_brief, (row["subject"], *named, *plain, str(values), str(files), above)))


def _brief(text: str) -> str:
    """Something short that orders and tells texts apart as they do: of very many issues, it is kept in memory."""
    return text if len(text) <= SLUG else f"{text[:SLUG]} {digest(text.encode(errors='surrogatepass'))}"

