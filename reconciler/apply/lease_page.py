"""The wiki page that a lease is kept on: its text, and the one way to change it, a swap by the page's version.

A PUT with the `version` of a page is a 409 once somebody else has changed the page (optimistic locking, 5.0 to 6.1), so
of two runs that swap the same version one wins. That a run created the page decides nothing: on a server with several
processes two pages of one title can come into being, of which Redmine then uses the one with the lower id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from reconciler.errors import (
    Answered,
    AnswerLost,
    Denied,
    Location,
    ManifestError,
    Missing,
    OddResponse,
    Problem,
    Rejected,
    Stale,
)
from reconciler.kinds.wiki_pages import NO_PAGE, path_of
from reconciler.model.address import Row
from reconciler.model.wiki_titles import titleize
from reconciler.record import Record
from reconciler.redmine.client import Client, quote
from reconciler.settings import Lease

WIKI, ACTIVE = "wiki", 1
ABOUT = """\
{first}

With this lease, one run of reconciler at a time writes to this Redmine. The page is written by reconciler itself: do
not edit, rename or delete it. The lease of a run that was killed expires by itself; "reconciler lease break" ends it at
once.

<pre>
{lines}
</pre>
"""


class Entry(Record):
    """What the page says. Without a `holder`, the lease is free, and the rest tells of the last one."""

    holder: str = ""
    """A random id, new for each run."""
    who: str = ""
    process: str = ""
    command: str = ""
    since: str = ""
    expires: str = ""
    renewed: int = 0
    """Makes each text differ: Redmine stores no new version of a page whose text stays the same."""
    note: str = ""
    """Of a free lease: how the last one ended."""

    @property
    def owner(self) -> str:
        """Who holds it, in a sentence."""
        return f"{self.who or 'somebody'} ({self.command or 'unknown command'}, process {self.process or 'unknown'})"

    def renewal(self, expires: datetime) -> Entry:
        """The same for longer."""
        return replace(self, expires=shown(expires), renewed=self.renewed + 1)

    def ended(self, note: str) -> Entry:
        """The free lease after it."""
        return replace(self, holder="", note=note)

    def has_expired(self, now: datetime, grace: timedelta) -> bool:
        """Whether its time is over; never for a time that cannot be read."""
        try:
            # Not `+ grace` on the other side: the year 9999 leaves no room for it.
            return now - grace > datetime.fromisoformat(self.expires.replace(" UTC", "+00:00"))
        except (ValueError, TypeError):  # the latter for a time without UTC
            return False


def shown(time: datetime) -> str:
    """A time as the page and messages have it."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def text_of(entry: Entry) -> str:
    """The text of the page."""
    first = f"The lease is held by {entry.who}." if entry.holder else "The lease is free."
    values = {"state": "held" if entry.holder else "free", "holder": entry.holder or "nobody"}
    rest = {n: getattr(entry, n) for n in ("who", "process", "command", "since", "expires", "renewed", "note")}
    lines = "\n".join(f"{name}: {_line(str(value))}" for name, value in {**values, **rest}.items() if value != "")
    return ABOUT.format(first=_line(first), lines=lines)


def _line(text: str) -> str:
    return re.sub(r"[^\w .,:@/()'+-]", "?", text)[:200]


def entry_of(text: str) -> Entry | None:
    """What a text says; None if it is not the text of a lease."""
    values = dict(re.findall(r"^([a-z]+): (.*?)\s*$", text, re.MULTILINE))
    if values.get("state") not in ("held", "free"):
        return None
    known = {name: values[name] for name in ("who", "process", "command", "since", "expires", "note") if name in values}
    renewed = values.get("renewed", "")
    # A text that somebody edited: without its holder the lease is still held, and nobody's to renew.
    holder = values.get("holder", "unknown") if values["state"] == "held" else ""
    return Entry(holder, **known, renewed=int(renewed) if renewed.isdecimal() else 0)


class Page(Record):
    """The page as it was read."""

    version: int
    entry: Entry


class NotYet(ManifestError):
    """The project cannot have the page yet: it does not exist, or lacks the module Wiki; `why` says which."""

    def __init__(self, problem: Problem, why: str) -> None:
        super().__init__([problem])
        self.why = why


class LeasePage:
    """The page on a server. `place` is where the configuration names it."""

    def __init__(self, client: Client, lease: Lease, place: Location) -> None:
        self.client = client
        self.lease = lease
        self.place = place
        self.title = titleize(lease.page)
        if not self.title:
            raise self._problem(f'page "{lease.page}" is no title of a wiki page', "choose another title")
        self.path = path_of(f"{lease.project}/{self.title}")
        self.url = f"{client.connection.url}{self.path}"

    async def read(self) -> Page | None:
        """The page, or None if it does not exist. Raises ManifestError if it cannot be a lease."""
        try:
            row = (await self.client.get(self.path)).get("wiki_page")
        except Missing:
            await self._check_project()
            return None
        except Answered as error:
            if error.status in (301, 302):
                said = f"the page {self.title} was renamed in Redmine"
                raise self._problem(said, "rename it back, or delete its redirect") from error
            if isinstance(error, Denied):
                await self._check_project()
                raise self._problem("the account may not read the page", "give it the permission View wiki") from error
            raise
        return self._page(row)

    def _page(self, row: Any) -> Page:
        version, text = (row.get("version"), row.get("text")) if isinstance(row, dict) else (None, None)
        if type(version) is not int or not isinstance(text, str):
            raise OddResponse(f"The response to GET {self.path} is not as Redmine's are: it shows no version or text.")
        entry = entry_of(text)
        if entry is None:
            raise self._problem(f"the page {self.title} has another text than that of a lease", "choose another page")
        return Page(version, entry)

    async def create(self) -> None:
        """Make the page, free; nothing if it exists by now."""
        # By a title that no page can have: a PUT to the real one would overwrite what somebody created meanwhile.
        path = path_of(f"{self.lease.project}/{NO_PAGE}")
        try:
            await self._put(path, {"title": self.title, "text": text_of(Entry(note="never held"))})
        except (Rejected, AnswerLost):
            # Whatever happened: the caller reads the page next.
            if await self.read() is None:
                raise

    async def swap(self, page: Page, entry: Entry) -> Page | None:
        """The page with another entry, if it was not changed since it was read; None if it was, or may have been."""
        try:
            answer = await self._put(self.path, {"text": text_of(entry), "version": page.version})
        except (Stale, AnswerLost):
            return None
        # A PUT to a page that was deleted meanwhile creates it, which is no swap: another run can have done the same.
        if answer:
            return None
        now = await self.read()
        # As the page can show it: a text has no characters that a wiki could take for its own.
        return now if now is not None and now.entry == entry_of(text_of(entry)) else None

    async def _put(self, path: str, body: Mapping[str, Any]) -> Row:
        try:
            # `once`: repeated by the client, a PUT would get a 409 from its own first attempt.
            return await self.client.write("PUT", path, {"wiki_page": body}, once=True)
        except Denied as error:
            await self._check_project()
            hint = "give it the permission Edit wiki pages, and unprotect the page"
            raise self._problem("the account may not write the page", hint) from error

    async def _check_project(self) -> None:
        """Raise ManifestError if the project cannot have the page."""
        try:
            answer = await self.client.get(f"/projects/{quote(self.lease.project)}", {"include": "enabled_modules"})
        except Missing as error:
            message = f'project "{self.lease.project}" does not exist, or the account may not see it'
            raise self._not_yet(message, "does not exist yet") from error
        except Denied as error:
            raise self._problem(f'project "{self.lease.project}" is archived', HINT) from error
        row = answer.get("project") or {}
        modules = {module.get("name") for module in row.get("enabled_modules", ()) if isinstance(module, dict)}
        if WIKI not in modules:
            message = f'the module {WIKI} is not enabled in project "{self.lease.project}"'
            raise self._not_yet(message, f"does not have the module {WIKI} yet")
        if row.get("status", ACTIVE) != ACTIVE:
            raise self._problem(f'project "{self.lease.project}" is closed', HINT)

    def _not_yet(self, message: str, why: str) -> NotYet:
        problem = Problem(self.place, f"lease: {message}", "", HINT)
        return NotYet(problem, f'the project "{self.lease.project}" {why}')

    def _problem(self, message: str, hint: str) -> ManifestError:
        return ManifestError([Problem(self.place, f"lease: {message}", "", hint)])


HINT = "choose an active project with the module Wiki, or declare it in the manifests"
