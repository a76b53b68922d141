"""Personal data in texts → pseudonyms, the same ones for a person everywhere.

Users are numbered in the order of their logins: user3, First3 Last3, user3@example.net. A number whose pseudonym
already occurs in some text is skipped, so that no pseudonym is ambiguous.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import count, pairwise
from urllib.parse import unquote

from reconciler.model.address import Row
from reconciler.record import Record

DOMAIN = "example.net"
SINGLE = 3
"""Minimum length of a first or last name that is replaced by itself."""
PART = 4
"""Minimum length of one of several words of a name, and of a first name in capitals: MAX is also a word."""
IMPERSONAL = frozenset({"Redmine", "Admin"})
"""The names of Redmine's first account."""
NEAR = 255
"""Characters around a word that are searched for the name of a file."""

HOST = r"(?:[^\W_]|-)+"
DOMAINS = rf"(?:{HOST}(?:\.{HOST})+|(?!v?\d|-){HOST})"
"""What can follow the @ of a mail address: `corp.com` or `buildhost`, but not a version (`checkout@v4`)."""
LOCAL = r"[^\W_](?:[\w.%+'\-]{0,254}@|(?:[\w.+'\-]|%2[Bb]){0,254}%40)"
QUOTED = r'"[^"\n]{1,64}"@(?=[^@\s]*\.)'
ESCAPE = "%[0-9A-Fa-f]{2}"
"""An encoded character in a URL: a word begins after it."""
WORD = re.compile(r"[^\W_]+")
WORDS = re.compile(rf"{ESCAPE}|[^\W_]+")
MAIL = re.compile(rf"(?:{QUOTED}|{LOCAL}){DOMAINS}")
TOKENS = re.compile(rf"(?P<mail>{MAIL.pattern})|{WORDS.pattern}")
BETWEEN = r"[\s_.,'’‘`´\-‐‑–]{1,2}"
"""Separators between the words of a name."""
END = rf"(?![^\W_]|[\w.%+'\-]*(?:@|%40){DOMAINS})"
"""Not in the middle of a word or mail address."""
PSEUDONYM = re.compile(r"(user|first|last|person)([1-9]\d*)")
ENDING = re.compile(r"[^\W_]\.[^\W_]{1,5}(?![^\W_])")
"""A suffix, by which the name of a file (`cv_smith.pdf`) differs from other joined words (`max_size`)."""


class Person(Record):
    """The pseudonyms of a user."""

    login: str
    firstname: str
    lastname: str
    mail: str


class Term(Record):
    """A text to replace; `exact` if only in this spelling within a sentence."""

    pattern: str
    new: str
    exact: bool = False


class Pseudonyms:
    """The pseudonyms of `users` (rows), and of mail addresses in `texts` that belong to no user.

    `texts` must be all texts of the export: a number that occurs like a pseudonym in one of them is not used.
    """

    def __init__(self, users: Iterable[Row], texts: Iterable[str]) -> None:
        self.people: dict[str, Person] = {}
        self.mails: dict[str, str] = {}
        self.logins: dict[str, str] = {}
        self.terms: defaultdict[str, dict[str, Term]] = defaultdict(dict)
        rows = sorted(users, key=lambda row: str(row["login"]).lower())
        written, mails = _seen(texts)
        for number, row in zip(_free(written, "user", "first", "last"), rows, strict=False):
            self._person(number, row)
        # All full names first: the first term of a spelling counts, and a full name identifies a person better than a
        # part.
        for name in (self._full_names, self._single_names, self._parts):
            for row in rows:
                name(row, self.people[row["login"]])
        unknown = sorted(mail for mail in mails if not self._known(mail))
        for number, mail in zip(_free(written, "person"), unknown, strict=False):
            self.mails[mail] = f"person{number}@{DOMAIN}"

    @property
    def counts(self) -> tuple[int, int]:
        """The numbers of users and of other mail addresses with pseudonyms."""
        return len(self.people), sum(mail.startswith("person") for mail in self.mails.values())

    def _person(self, number: int, row: Row) -> None:
        person = Person(f"user{number}", f"First{number}", f"Last{number}", f"user{number}@{DOMAIN}")
        login, mail = str(row["login"]), str(row.get("mail") or "")
        self.people[login] = person
        self.logins[login.lower()] = person.login
        for text, new in ((login, person.login), (mail, person.mail)):
            # A login can be a mail address as well.
            if "@" in text:
                self.mails.setdefault(text.lower(), new)
            self._term(text, Term(re.escape(text[_start(text) :]), new))

    # -- names -------------------------------------------------------------------------------------------------

    def _full_names(self, row: Row, person: Person) -> None:
        names = _names(row, person)
        for (one, first), (two, last) in (names, names[::-1]) if len(names) > 1 else ():
            self._term(one, Term(f"{_spaced(one)}({BETWEEN}){_spaced(two)}", rf"{first}\1{last}"))
            self._term(one + two, Term(re.escape((one + two)[_start(one) :]), first + last))

    def _single_names(self, row: Row, person: Person) -> None:
        for name, new in _names(row, person):
            self._single(name, new, SINGLE, PART if new == person.firstname else SINGLE)

    def _parts(self, row: Row, person: Person) -> None:
        """The long words of names with several words, except for particles such as `della`."""
        for name, new in _names(row, person):
            for part in WORD.findall(name):
                if not part.islower():
                    self._single(part, new, PART, PART)

    def _single(self, name: str, new: str, least: int, capitals: int) -> None:
        for spelling, letters in ((name, least), (name.upper(), capitals)):
            if len(name) >= letters and name not in IMPERSONAL:
                self._term(spelling, Term(_spaced(spelling), new, exact=True))

    def _term(self, text: str, term: Term) -> None:
        """Index a term by its first word. Two people with the same name get the pseudonym of the first."""
        word = WORD.search(text)
        if word:
            self.terms[word[0].lower()].setdefault(term.pattern, term)

    # -- mail addresses ----------------------------------------------------------------------------------------

    def _known(self, mail: str) -> bool:
        return mail in self.mails or bool(self._account(mail))

    def _account(self, mail: str) -> str:
        """The replacement for a user's account on a host (`amy@buildhost`), or ""."""
        local, _, host = mail.partition("@")
        return f"{self.logins[local]}@{host}" if "." not in host and local in self.logins else ""

    def _mail(self, text: str) -> str:
        mail = _address(text)
        new = self.mails.get(mail) or self._account(mail) or f"person@{DOMAIN}"
        return new if "@" in text else new.replace("@", "%40")

    # -- texts -------------------------------------------------------------------------------------------------

    def text(self, text: str) -> str:
        """A text with pseudonyms. Case is ignored in texts of a single word, and in names of files."""
        # Some systems (macOS) write accents as separate characters.
        plain = unicodedata.normalize("NFC", text)
        parts, end, loose = list[str](), 0, not any(map(str.isspace, plain))
        for token in (TOKENS if _addressed(plain) else WORDS).finditer(plain):
            if token.start() >= end and (token.lastgroup or token[0].lower() in self.terms):
                stop, new = self._at(plain, token, loose)
                if stop:
                    parts += [plain[end : token.start()], new]
                    end = stop
        # A text without any match is not even normalized.
        return "".join([*parts, plain[end:]]) if parts else text

    def _at(self, text: str, token: re.Match[str], loose: bool) -> tuple[int, str]:
        """The end and the replacement of the longest match that begins at a token; 0 if there is none."""
        stop, new = (token.end(), self._mail(token[0])) if token.lastgroup else (0, "")
        word = WORD.match(text, token.start())
        terms = self.terms.get(word[0].lower(), {}) if word else {}
        loose = loose or (bool(terms) and _in_file_name(text, token.start()))
        for pattern, term in terms.items():
            match = _compiled(pattern, term.exact and not loose).match(text, token.start())
            # The longest match, so that a full name is not replaced in part.
            if match and match.end() > stop:
                stop, new = match.end(), _cased(match[0], match.expand(term.new))
        return stop, new


def _seen(texts: Iterable[str]) -> tuple[set[tuple[str, str]], set[str]]:
    """The texts that look like pseudonyms, and the mail addresses."""
    written, mails = set[tuple[str, str]](), set[str]()
    for text in texts:
        written.update(PSEUDONYM.findall(text.lower()))
        if _addressed(text):
            plain = unicodedata.normalize("NFC", text)
            mails.update(_address(token[0]) for token in TOKENS.finditer(plain) if token.lastgroup)
    return written, mails


def _free(written: set[tuple[str, str]], *words: str) -> Iterator[int]:
    """The numbers that occur after none of these words in any text."""
    return (n for n in count(1) if not any((word, str(n)) in written for word in words))


def _names(row: Row, person: Person) -> list[tuple[str, str]]:
    """First and last name with their pseudonyms, if they contain letters."""
    pairs = (row.get("firstname"), person.firstname), (row.get("lastname"), person.lastname)
    normalized = ((unicodedata.normalize("NFC", str(name or "")), new) for name, new in pairs)
    return [(name, new) for name, new in normalized if WORD.search(name)]


def _start(text: str) -> int:
    """The start of the first word."""
    word = WORD.search(text)
    return word.start() if word else 0


def _spaced(name: str) -> str:
    """A pattern for a name with any separators: `Smith-Jones` also matches `Smith Jones`."""
    words = list(WORD.finditer(name))
    joints = (name[one.end() : two.start()] for one, two in pairwise(words))
    rest = (f"(?:{re.escape(joint)}|{BETWEEN}){re.escape(w[0])}" for joint, w in zip(joints, words[1:], strict=True))
    return "".join([re.escape(words[0][0]), *rest])


def _addressed(text: str) -> bool:
    return "@" in text or "%40" in text


def _address(text: str) -> str:
    """A mail address, decoded and in lower case."""
    return (text if "@" in text else unquote(text)).lower()


def _in_file_name(text: str, at: int) -> bool:
    """Whether the word at a position is in the name of a file."""
    before, after = text[max(0, at - NEAR) : at], text[at : at + NEAR]
    start = before.rsplit(None, 1)[-1] if before and not before[-1].isspace() else ""
    return bool(ENDING.search(start + after.split(None, 1)[0]))


@cache
def _compiled(pattern: str, exact: bool) -> re.Pattern[str]:
    return re.compile(pattern + END, 0 if exact else re.IGNORECASE)


def _cased(old: str, new: str) -> str:
    """A pseudonym in the case of the text that it replaces."""
    if old.islower():
        return new.lower()
    return new[:1].upper() + new[1:] if old[:1].isupper() else new
