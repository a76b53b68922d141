"""Keys for exported issues that have none: made of their subjects, stable from one export to the next."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterator, Mapping
from typing import Any

from reconciler.kinds.issues.similarity import NAMED, PEOPLE, PLAIN
from reconciler.model.address import Row, split_key
from reconciler.model.codecs import digest
from reconciler.model.name_index import Names

LENGTH = 255
"""Characters of a key at most."""
SLUG = 48
"""Characters of a subject that its issue's key is made of."""


def slug(text: str) -> str:
    """A short, readable name made of a text: `login-fails`."""
    words = re.sub(r"[^\w]+", "-", text.lower()).strip("-_")
    return words[:SLUG].rstrip("-_") or "issue"


def make_keys(names: Names, known: Mapping[int, str], longest: int = LENGTH) -> None:
    """Give issues without a key the `known` one, by id, or one that is made of the subject, of `longest` characters at
    most: the first of several, by what they are, gets the plain one."""
    taken: defaultdict[str, set[str]] = defaultdict(set)
    live = names.live("issue")
    for key in live.ids:
        project, name = split_key(key)
        taken[project].add(name)
    rows, keys = live.rows, live.keys
    # Only those whose key is still their number: the others have a stored one.
    looks = {n: (split_key(keys[n])[0], _looks(rows[n], rows)) for n in rows if keys[n].endswith(f"/#{n}")}
    # Keys of the last export come first, so that a second export of the same issues is the same text.
    made = {n: split_key(known[n])[1] for n in looks if _may_have(known.get(n, ""), keys[n], taken)}
    for project, name in ((looks[n][0], name) for n, name in made.items()):
        taken[project].add(name)
    tried = Counter[str]()
    # By content before id: two servers with the same issues give the same keys.
    for number in sorted(looks.keys() - made.keys(), key=lambda n: (looks[n], n)):
        project, plain = looks[number][0], slug(rows[number]["subject"])
        made[number] = next(n for n in _numbered(plain, longest, tried, project) if n not in taken[project])
        taken[project].add(made[number])
    for number, name in _in_order(made, looks):
        live.rekey(number, f"{looks[number][0]}/{name}")


def _in_order(named: Mapping[int, str], looks: Mapping[int, Hashable]) -> Iterator[tuple[int, str]]:
    """The names; issues that look the same get theirs in the order of their ids, as a plan pairs them."""
    alike: defaultdict[Hashable, list[int]] = defaultdict(list)
    for number in sorted(named):
        alike[looks[number]].append(number)
    for numbers in alike.values():
        yield from zip(numbers, sorted((named[n] for n in numbers), key=lambda n: (len(n), n)), strict=True)


def _numbered(name: str, length: int, tried: Counter[str], project: str) -> Iterator[str]:
    """A name and its numbered forms, from the first that was not tried yet."""
    while True:
        # Counts for all issues of a name together: with thousands of equal subjects, trying from 1 would be quadratic.
        tried[f"{project}/{name}"] += 1
        count = tried[f"{project}/{name}"]
        ending = f"-{count}" if count > 1 else ""
        yield f"{name[: length - len(ending)]}{ending}"


def _may_have(wanted: str, key: str, taken: Mapping[str, Collection[str]]) -> bool:
    """Whether an issue can have its earlier key again: it is in the same project, and no other issue has the key."""
    project, name = split_key(wanted)
    return bool(name) and project == split_key(key)[0] and name not in taken.get(project, ())


def _looks(row: Row, rows: Mapping[Any, Row]) -> tuple[str, ...]:
    """What distinguishes issues of one subject in a plan, without their ids, which differ on another server."""
    named = (str((row.get(n) or {}).get("name", "")) for n in (*NAMED, *PEOPLE))
    plain = (str(row.get(n) or "") for n in PLAIN)
    values = sorted((f["name"], str(f.get("value") or "")) for f in row.get("custom_fields", ()))
    files = sorted(f["filename"] for f in row.get("attachments", ()))
    above = rows.get((row.get("parent") or {}).get("id", 0), {}).get("subject", "")
    return tuple(map(_brief, (row["subject"], *named, *plain, str(values), str(files), above)))


def _brief(text: str) -> str:
    """A short text that is equal for equal texts, and sorts nearly as they do: it is kept in memory for each issue."""
    # surrogatepass: a text can contain half a surrogate pair, which UTF-8 does not encode.
    return text if len(text) <= SLUG else f"{text[:SLUG]} {digest(text.encode(errors='surrogatepass'))}"
