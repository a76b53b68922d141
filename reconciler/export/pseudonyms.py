"""Personal data in texts → stand-ins, the same for the same person everywhere.

Users are numbered in the order of their logins: user3, First3 Last3, user3@example.net. A number whose stand-in is
written anywhere already is nobody's, so that no stand-in means two things.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count, pairwise
from urllib.parse import unquote

from reconciler.model.address import Row

DOMAIN = "example.net"
SINGLE = 3
"""Letters of a first or last name that is looked for by itself."""
PART = 4
"""Letters of one of several words of a name, and of a first name in capitals: MAX is a word of its own."""
IMPERSONAL = frozenset({"Redmine", "Admin"})
"""What Redmine calls its first account."""
NEAR = 255
"""Characters around a word in which it is seen whether it is in the name of a file."""

HOST = r"(?:[^\W_]|-)+"
DOMAINS = rf"(?:{HOST}(?:\.{HOST})+|(?!v?\d|-){HOST})"
"""What can follow the @ of a mail address: `corp.com` or `buildhost`, and no version (`checkout@v4`)."""
LOCAL = r"[^\W_](?:[\w.%+'\-]{0,254}@|(?:[\w.+'\-]|%2[Bb]){0,254}%40)"
QUOTED = r'"[^"\n]{1,64}"@(?=[^@\s]*\.)'
ESCAPE = "%[0-9A-Fa-f]{2}"
"""An encoded character in an address of the web: what follows is a word of its own."""
WORD = re.compile(r"[^\W_]+")
WORDS = re.compile(rf"{ESCAPE}|[^\W_]+")
MAIL = re.compile(rf"(?:{QUOTED}|{LOCAL}){DOMAINS}")
TOKENS = re.compile(rf"(?P<mail>{MAIL.pattern})|{WORDS.pattern}")
BETWEEN = r"[\s_.,'’‘`´\-‐‑–]{1,2}"
"""What stands between the words of a name."""
END = rf"(?![^\W_]|[\w.%+'\-]*(?:@|%40){DOMAINS})"
"""Neither in the middle of a word nor of a mail address."""
STAND_IN = re.compile(r"(user|first|last|person)([1-9]\d*)")
ENDING = re.compile(r"[^\W_]\.[^\W_]{1,5}(?![^\W_])")
"""What the name of a file has, as `cv_smith.pdf`, and what is just written in one, as `max_size`, has not."""


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
    """The stand-ins for `users` (rows of the API), and for the mail addresses in `texts` that are nobody's.

    `texts` are all that there are: what looks like a stand-in in one of them is used for nobody.
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
        for name in (self._full_names, self._single_names, self._parts):
            for row in rows:
                name(row, self.people[row["login"]])
        unknown = sorted(mail for mail in mails if not self._known(mail))
        for number, mail in zip(_free(written, "person"), unknown, strict=False):
            self.mails[mail] = f"person{number}@{DOMAIN}"

    @property
    def counts(self) -> tuple[int, int]:
        """How many users, and how many other mail addresses, have stand-ins."""
        return len(self.people), sum(mail.startswith("person") for mail in self.mails.values())

    def _person(self, number: int, row: Row) -> None:
        person = Person(f"user{number}", f"First{number}", f"Last{number}", f"user{number}@{DOMAIN}")
        login, mail = str(row["login"]), str(row.get("mail") or "")
        self.people[login] = person
        self.logins[login.lower()] = person.login
        for text, new in ((login, person.login), (mail, person.mail)):
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
        """The long words of names of several ones, but for particles such as `della`."""
        for name, new in _names(row, person):
            for part in WORD.findall(name):
                if not part.islower():
                    self._single(part, new, PART, PART)

    def _single(self, name: str, new: str, least: int, capitals: int) -> None:
        for spelling, letters in ((name, least), (name.upper(), capitals)):
            if len(name) >= letters and name not in IMPERSONAL:
                self._term(spelling, Term(_spaced(spelling), new, exact=True))

    def _term(self, text: str, term: Term) -> None:
        """Know a term by its first word; of two people with the same name the first one stands for both."""
        word = WORD.search(text)
        if word:
            self.terms[word[0].lower()].setdefault(term.pattern, term)

    # -- mail addresses ----------------------------------------------------------------------------------------

    def _known(self, mail: str) -> bool:
        return mail in self.mails or bool(self._account(mail))

    def _account(self, mail: str) -> str:
        """What stands for somebody's account on a machine (`amy@buildhost`), or ""."""
        local, _, host = mail.partition("@")
        return f"{self.logins[local]}@{host}" if "." not in host and local in self.logins else ""

    def _mail(self, found: str) -> str:
        mail = _address(found)
        new = self.mails.get(mail) or self._account(mail) or f"person@{DOMAIN}"
        return new if "@" in found else new.replace("@", "%40")

    # -- texts -------------------------------------------------------------------------------------------------

    def text(self, text: str) -> str:
        """A text without personal data. Case makes no difference in one that is one word, and in names of files."""
        # Accents are letters of their own in what some systems write.
        plain = unicodedata.normalize("NFC", text)
        parts, end, loose = list[str](), 0, not any(map(str.isspace, plain))
        for token in (TOKENS if _addressed(plain) else WORDS).finditer(plain):
            if token.start() >= end and (token.lastgroup or token[0].lower() in self.terms):
                stop, new = self._at(plain, token, loose)
                if stop:
                    parts += [plain[end : token.start()], new]
                    end = stop
        return "".join([*parts, plain[end:]]) if parts else text

    def _at(self, text: str, token: re.Match[str], loose: bool) -> tuple[int, str]:
        """Where the longest thing ends that begins at a token and is replaced, and by what; 0 if there is none."""
        stop, new = (token.end(), self._mail(token[0])) if token.lastgroup else (0, "")
        word = WORD.match(text, token.start())
        terms = self.terms.get(word[0].lower(), {}) if word else {}
        loose = loose or (bool(terms) and _in_file_name(text, token.start()))
        for pattern, term in terms.items():
            found = _compiled(pattern, term.exact and not loose).match(text, token.start())
            if found and found.end() > stop:
                stop, new = found.end(), _cased(found[0], found.expand(term.new))
        return stop, new


def _seen(texts: Iterable[str]) -> tuple[set[tuple[str, str]], set[str]]:
    """What looks like a stand-in in texts, and the mail addresses in them."""
    written, mails = set[tuple[str, str]](), set[str]()
    for text in texts:
        written.update(STAND_IN.findall(text.lower()))
        if _addressed(text):
            plain = unicodedata.normalize("NFC", text)
            mails.update(_address(found[0]) for found in TOKENS.finditer(plain) if found.lastgroup)
    return written, mails


def _free(written: set[tuple[str, str]], *words: str) -> Iterator[int]:
    """The numbers that follow none of these words in any text."""
    return (n for n in count(1) if not any((word, str(n)) in written for word in words))


def _names(row: Row, person: Person) -> list[tuple[str, str]]:
    """First and last name with their stand-ins, as far as there are letters in them."""
    pairs = (row.get("firstname"), person.firstname), (row.get("lastname"), person.lastname)
    named = ((unicodedata.normalize("NFC", str(name or "")), new) for name, new in pairs)
    return [(name, new) for name, new in named if WORD.search(name)]


def _start(text: str) -> int:
    """Where the first word begins."""
    word = WORD.search(text)
    return word.start() if word else 0


def _spaced(name: str) -> str:
    """A pattern for a name, whatever its words are joined by: `Smith-Jones` is `Smith Jones` too."""
    words = list(WORD.finditer(name))
    joints = (name[one.end() : two.start()] for one, two in pairwise(words))
    rest = (f"(?:{re.escape(joint)}|{BETWEEN}){re.escape(w[0])}" for joint, w in zip(joints, words[1:], strict=True))
    return "".join([re.escape(words[0][0]), *rest])


def _addressed(text: str) -> bool:
    return "@" in text or "%40" in text


def _address(found: str) -> str:
    """A mail address as it is found, decoded and in small letters."""
    return (found if "@" in found else unquote(found)).lower()


def _in_file_name(text: str, at: int) -> bool:
    """Whether a word of a sentence is in the name of a file."""
    before, after = text[max(0, at - NEAR) : at], text[at : at + NEAR]
    start = before.rsplit(None, 1)[-1] if before and not before[-1].isspace() else ""
    return bool(ENDING.search(start + after.split(None, 1)[0]))


@cache
def _compiled(pattern: str, exact: bool) -> re.Pattern[str]:
    return re.compile(pattern + END, 0 if exact else re.IGNORECASE)


def _cased(old: str, new: str) -> str:
    """A stand-in in the case of what it stands for."""
    if old.islower():
        return new.lower()
    return new[:1].upper() + new[1:] if old[:1].isupper() else new
