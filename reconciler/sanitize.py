"""Personal data → stand-ins, the same for the same person everywhere.

The rows are changed before anything is described, so that keys, references and the names of files follow. Users are
numbered in the order of their logins: user3, First3 Last3, user3@example.net. What an administrator names (roles,
trackers, custom fields) stays, as another server must have it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from pydantic import StringConstraints

from reconciler.codecs import blank
from reconciler.describe import Item
from reconciler.desired import Desired
from reconciler.inventory import Inventory, name_issues
from reconciler.kind import Kind
from reconciler.kinds import kinds
from reconciler.live import fresh_names
from reconciler.names import Address, Context, CustomField, Row
from reconciler.spool import Spool

WITHHELD = b"The content of this file was left out (reconciler export --sanitize).\n"
"""What stands for every attachment and file."""
PLACEHOLDER = "(left out)"
"""What stands for texts in the custom fields of users."""
DOMAIN = "example.net"
SINGLE = 3
"""Letters of a first or last name that is looked for by itself."""
IMPERSONAL = frozenset({"Redmine", "Admin"})
"""What Redmine calls its first account."""
TEXTS = frozenset({"", "string", "text", "link"})
"""Formats of custom fields whose values are free texts."""
KEPT = frozenset(
    {"status", "sharing", "relation_type", "enabled_modules", "digest", "content_url", "details"}
    | {"start_date", "due_date", "spent_on", "created_on", "updated_on", "closed_on"}
)
"""What is never a person's name, and has to stay as it is."""

WORD = re.compile(r"[^\W_]+")
MAIL = re.compile(r"[^\W_][\w.%+'\-]*@(?:[^\W_]|-)+(?:\.(?:[^\W_]|-)+)+")
BETWEEN = r"[\s_.,'’\-]{1,2}"
"""What stands between the words of a name."""
END = r"(?![^\W_]|@[\w\-]+\.\w)"
"""Neither in the middle of a word nor of a mail address."""


@dataclass(frozen=True, slots=True)
class Person:
    """What stands for a user."""

    login: str
    firstname: str
    lastname: str
    mail: str


@dataclass(frozen=True, slots=True)
class Term:
    """Something that is replaced; `exact` if only in this spelling where it stands in a sentence."""

    pattern: str
    new: str
    exact: bool = False


class Disguise:
    """The stand-ins for `users` (rows of the API), and for the mail addresses in `texts` that are nobody's."""

    def __init__(self, users: Iterable[Row], texts: Iterable[str]) -> None:
        self.people: dict[str, Person] = {}
        self.mails: dict[str, str] = {}
        self.terms: defaultdict[str, dict[str, Term]] = defaultdict(dict)
        rows = sorted(users, key=lambda row: str(row["login"]).lower())
        for number, row in enumerate(rows, 1):
            self._person(number, row)
        for row in rows:
            self._names(row, self.people[row["login"]])
        found = {mail.lower() for text in texts if "@" in text for mail in MAIL.findall(text)}
        for number, mail in enumerate(sorted(found - self.mails.keys()), 1):
            self.mails[mail] = f"person{number}@{DOMAIN}"

    @property
    def counts(self) -> tuple[int, int]:
        """How many users, and how many other mail addresses, have stand-ins."""
        return len(self.people), sum(mail.startswith("person") for mail in self.mails.values())

    def _person(self, number: int, row: Row) -> None:
        person = Person(f"user{number}", f"First{number}", f"Last{number}", f"user{number}@{DOMAIN}")
        self.people[row["login"]] = person
        if row.get("mail"):
            self.mails.setdefault(str(row["mail"]).lower(), person.mail)
            self._term(row["mail"], Term(re.escape(row["mail"]), person.mail))
        self._term(row["login"], Term(re.escape(row["login"]), person.login))

    def _names(self, row: Row, person: Person) -> None:
        found = (str(row.get("firstname") or ""), person.firstname), (str(row.get("lastname") or ""), person.lastname)
        names = [(name, new) for name, new in found if WORD.search(name)]
        for (one, first), (two, last) in (names, names[::-1]) if len(names) > 1 else ():
            spaced = f"{_spaced(one)}({BETWEEN}){_spaced(two)}"
            self._term(one, Term(spaced, rf"{first}\1{last}"))
            self._term(one + two, Term(re.escape(one + two), first + last))
        for name, new in names:
            if len(name) >= SINGLE and name not in IMPERSONAL:
                self._term(name, Term(re.escape(name), new, exact=True))

    def _term(self, text: str, term: Term) -> None:
        """Know a term by its first word; of two people with the same name the first one stands for both."""
        word = WORD.search(text)
        if word:
            self.terms[word[0].lower()].setdefault(term.pattern.removeprefix(re.escape(text[: word.start()])), term)

    def text(self, text: str) -> str:
        """A text without personal data. In what is one word (a file's name) case makes no difference."""
        parts, end, loose = list[str](), 0, not any(map(str.isspace, text))
        mails = "@" in text
        for word in WORD.finditer(text):
            if word.start() >= end and (mails or word[0].lower() in self.terms):
                stop, new = self._at(text, word, loose)
                if stop:
                    parts += [text[end : word.start()], new]
                    end = stop
        return "".join([*parts, text[end:]])

    def _at(self, text: str, word: re.Match[str], loose: bool) -> tuple[int, str]:
        """Where the longest thing ends that begins at a word and is replaced, and by what; 0 if there is none."""
        mail = MAIL.match(text, word.start())
        if mail:
            return mail.end(), self.mails.get(mail[0].lower(), f"person@{DOMAIN}")
        stop, new = 0, ""
        for pattern, term in self.terms.get(word[0].lower(), {}).items():
            found = _compiled(pattern, term.exact and not loose).match(text, word.start())
            if found and found.end() > stop:
                stop, new = found.end(), _cased(found[0], found.expand(term.new))
        return stop, new


@cache
def _compiled(pattern: str, exact: bool) -> re.Pattern[str]:
    return re.compile(pattern + END, 0 if exact else re.IGNORECASE)


def _spaced(name: str) -> str:
    return BETWEEN.join(map(re.escape, WORD.findall(name)))


def _cased(old: str, new: str) -> str:
    """A stand-in in the case of what it stands for."""
    if old.islower():
        return new.lower()
    return new[:1].upper() + new[1:] if old[:1].isupper() else new


@dataclass(frozen=True, slots=True)
class Sanitized:
    """What is live, without personal data; `left_out` are custom fields that could not be kept."""

    inventory: Inventory
    disguise: Disguise
    left_out: Mapping[Address, tuple[str, ...]]
    merged: tuple[Item, ...]

    def items(self, described: Iterable[Item]) -> Iterator[Item]:
        """Described objects of `inventory`, with what was left out."""
        for item in described:
            yield replace(item, remarks=(*item.remarks, *self.left_out.get(item.address, ())))
        yield from self.merged


def sanitize(found: Inventory) -> Sanitized:
    """The same inventory with stand-ins in the place of personal data. Nothing that it holds is changed."""
    return _Work(found).result()


class _Work:
    """Makes new `Names` of the changed rows, as if a server had shown them."""

    def __init__(self, found: Inventory) -> None:
        self.found, self.old = found, found.names
        rows = (row for kind in _declared() for row in self.old.rows.get(kind.name, {}).values())
        texts = (text for row in rows for text in _texts(row))
        self.disguise = Disguise(self.old.rows.get("user", {}).values(), texts)
        self.new = fresh_names(Desired({}, (), self.old.settings))
        self.new.custom_fields = self.old.custom_fields
        named = (row for kind in kinds().values() if kind.readonly for row in self.old.rows.get(kind.name, {}).values())
        self.fixed = frozenset(row.get("name") for row in named)
        self.lost: dict[tuple[str, Any], tuple[str, ...]] = {}
        self.merged: list[Item] = []

    def result(self) -> Sanitized:
        """Kind by kind, in the order in which they are read."""
        for kind in kinds().values():
            if kind.readonly:
                for number, row in self.old.rows.get(kind.name, {}).items():
                    self.new.add(kind.name, self.old.keys[kind.name][number], row)
        files = self.old.files.items()
        self.new.files = {n: {**file, "filename": self.disguise.text(file["filename"])} for n, file in files}
        self._kinds(k for k in _declared() if not k.inside)
        self._kinds(k for k in _declared() if k.inside and not k.reads_after)
        name_issues(self.new)
        for kind in _declared():
            kind.call(self.new)
        self._kinds(k for k in _declared() if k.reads_after)
        projects = frozenset(map(self._project, self.found.projects))
        keys = self.new.keys
        said = {Address(kind, keys[kind][n]): lost for (kind, n), lost in self.lost.items() if n in keys[kind]}
        return Sanitized(Inventory(self.new, projects), self.disguise, said, tuple(self.merged))

    def _project(self, identifier: str) -> str:
        number = self.old.ids.get("project", {}).get(identifier, 0)
        return self.new.keys.get("project", {}).get(number, identifier)

    def _kinds(self, chosen: Iterable[Kind]) -> None:
        for kind in chosen:
            if kind.many:
                self._many(kind)
            else:
                self._few(kind)

    def _many(self, kind: Kind) -> None:
        """As an inventory reads them: one after the other, and onto the disk."""
        self.new.rows[kind.name] = Spool()
        for row in self.old.rows.get(kind.name, {}).values():
            changed = self._row(kind, row)
            self.new.add(kind.name, kind.key_of(changed, Context(self.new)) or "", changed)

    def _few(self, kind: Kind) -> None:
        rows = {number: self._row(kind, row) for number, row in self.old.rows.get(kind.name, {}).items()}
        seen = self.old.seen_from.get(kind.name, {})
        shown = {rows[n]["id"]: set(map(self._project, where)) for n, where in seen.items() if n in rows}
        self.new.seen_from[kind.name] = shown
        for key, row in kind.match(list(rows.values()), Context(self.new), ()).rows.items():
            self.new.add(kind.name, key, row)
        kept = self.new.keys.get(kind.name, {})
        self.merged += [self._merged(kind, n) for n, row in rows.items() if row["id"] not in kept]

    def _merged(self, kind: Kind, number: Any) -> Item:
        """What is said of an object that has come to have the name of another one."""
        key = self.disguise.text(self.old.keys[kind.name][number])
        return Item(Address(kind.name, key), None, ("without personal data its name is that of another one",))

    def _row(self, kind: Kind, row: Row) -> Row:
        new = {**row, **self._deep(row)}
        if "login" in row and row["login"] in self.disguise.people:
            person = self.disguise.people[row["login"]]
            new |= {n: getattr(person, n) for n in ("login", "firstname", "lastname", "mail")}
        if "custom_fields" in row:
            new["custom_fields"] = list(self._custom_fields(kind, row, new["id"]))
        return {**new, **{n: str(new[n])[:most] for n, most in _limits(kind) if isinstance(new.get(n), str)}}

    def _deep(self, value: Any, *, nested: bool = False) -> Any:
        if isinstance(value, str):
            return self.disguise.text(value)
        if isinstance(value, list):
            return [self._deep(part, nested=True) for part in value]
        if not isinstance(value, Mapping):
            return value
        # What an administrator names is told by that name in some places, such as an activity.
        kept = KEPT | ({"name"} if nested and value.get("name") in self.fixed else set())
        return {k: part if k in kept else self._deep(part, nested=True) for k, part in value.items()}

    def _custom_fields(self, kind: Kind, row: Row, number: Any) -> Iterator[Row]:
        fields = {field.id: field for field in self.old.custom_fields.get(kind.name, {}).values()}
        for item in row["custom_fields"]:
            field = fields.get(item["id"], CustomField(item["id"], item["name"]))
            value = self._value(field, item.get("value"), personal="login" in row)
            if value is None and not blank(item.get("value")):
                said = f"custom_fields.{field.name}: left out, as it names somebody"
                self.lost[kind.name, number] = (*self.lost.get((kind.name, number), ()), said)
            else:
                yield {**item, "value": value}

    def _value(self, field: CustomField, value: Any, *, personal: bool) -> Any:
        """A custom field's value as the API shows it; None for one that nothing can stand for."""
        if isinstance(value, list):
            parts = [self._value(field, part, personal=personal) for part in value]
            return None if None in parts else parts
        if blank(value):
            return value
        if field.format in TEXTS:
            new = PLACEHOLDER if personal else self.disguise.text(str(value))
            return new if new == value or self._fits(field, new) else None
        shown = field.options.get(str(value), "") if field.format == "enumeration" else str(value)
        named = field.format in ("list", "enumeration") and self.disguise.text(shown) != shown
        return None if named else value

    def _fits(self, field: CustomField, value: str) -> bool:
        """Whether a custom field's rules allow a value."""
        rules = self.old.rows.get("custom_field", {}).get(field.id, {})
        most = rules.get("max_length") or len(value)
        return not rules.get("regexp") and (rules.get("min_length") or 0) <= len(value) <= most


def _declared() -> list[Kind]:
    return [kind for kind in kinds().values() if not kind.readonly]


@cache
def _limits(kind: Kind) -> tuple[tuple[str, int], ...]:
    """(name in a row, characters at most) for the texts of a kind."""
    return tuple(
        (api.read, rule.max_length)
        for name, api in kind.fields.items()
        for rule in kind.spec.model_fields[name].metadata
        if isinstance(rule, StringConstraints) and rule.max_length and api.read
    )


def _texts(value: Any) -> Iterator[str]:
    """All texts in plain data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(part)
