"""Every error that `reconciler` raises deliberately, with its exit code.

    ReconcilerError                 1   the command could not run
    ├── ConfigError                 1   reconciler.yaml, a flag or an environment variable is wrong
    ├── ManifestError               3   the manifests are invalid; `problems` has all of them
    ├── RefusedError                5   refused for safety: limits, a stale plan, a protected object
    │   └── LeaseHeld               5   another run holds the lease
    ├── CatalogError                1   the program inside Redmine could not be started, or refused a request as a whole
    ├── SandboxError                1   a sandbox could not be created, started, reset or stopped
    ├── ListenerFailed              1   Python API: the listener of an apply raised; `report` has what was done
    └── ServerError                 1   the server, or the connection to it
        ├── Unreachable                 no usable response: DNS, connection, TLS, timeout
        │   └── AnswerLost              a write was sent, but its response was lost: the outcome is unknown
        ├── OddResponse                 a response lacks something that Redmine's always have
    ├── NotRedmine                  the server is not a Redmine, or is older than 5.0
        ├── AuthenticationFailed        the credentials are not accepted
        ├── LeaseLost               5   the lease of this run has ended: it must not write any more
        ├── RestApiDisabled             the REST API is disabled in the administration settings
        └── Answered                    the server responded with an error status
            ├── Denied                  401, 403
            ├── Missing                 404
            ├── Stale                   409
            └── Rejected                422, with the server's own messages

Only `reconciler.cli` catches `ReconcilerError`. Messages are complete sentences; none contains a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from reconciler.natural import natural

if TYPE_CHECKING:
    from reconciler.apply.report import Report


class Exit(IntEnum):
    """The exit codes of the command line (stable)."""

    DONE = 0
    CANNOT_RUN = 1
    CHANGES = 2  # only with --detailed-exitcode, as Terraform does
    INVALID = 3
    INCOMPLETE = 4  # applied, but some changes failed, were skipped or have an unknown outcome
    REFUSED = 5
    INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file: `line` and `column` count from 1; line 0 means the whole file.

    Places are sorted in natural order: those in `a2.yaml` come before those in `a10.yaml`.
    """

    file: str
    line: int = 0
    column: int = 0

    def __lt__(self, other: Location) -> bool:
        return self._order < other._order

    @property
    def _order(self) -> tuple[tuple[str, str], int, int]:
        return natural(self.file), self.line, self.column

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class MissingName(NamedTuple):
    """A name that the server does not have and no manifest declares; `said` is the sentence about it."""

    kind: str
    name: str
    said: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with the manifests or the configuration.

    `subject` is the object (`issue web-shop/login`), or empty; `hint` says how to fix it, or is empty; `also` has
    related places, such as the other definition of a duplicate. `missing` is set if a name is not on the server.
    """

    location: Location
    message: str
    subject: str = ""
    hint: str = ""
    also: tuple[Location, ...] = ()
    # Not compared: it says nothing that the message does not say.
    missing: MissingName | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        # They quote manifests and servers, where any value can have megabytes.
        for name in ("message", "subject", "hint"):
            object.__setattr__(self, name, shortened(getattr(self, name)))

    def masked(self, mask: Callable[[str], str]) -> Problem:
        """The same with masked texts."""
        return replace(self, message=mask(self.message), subject=mask(self.subject), hint=mask(self.hint))

    @property
    def sentence(self) -> str:
        """The message with the hint."""
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def __str__(self) -> str:
        subject = f"{self.subject}: " if self.subject else ""
        return f"{self.location}: {subject}{self.sentence}"


def shortened(text: str) -> str:
    """A text of at most about 1,000 characters, with its beginning and end."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 200]} … {text[-200:]}"


LONGEST = 1000


def one_line(text: str) -> str:
    """A sentence with a list below it, in one line: `The plan is out of date: issue a changed; issue b changed`."""
    first, *others = (line.strip() for line in text.split("\n"))
    return " ".join([first, "; ".join(others)] if others else [first])


class ReconcilerError(Exception):
    """The base class: a command could not do what it was asked to do."""

    exit_code = Exit.CANNOT_RUN


class ConfigError(ReconcilerError):
    """A setting is missing or wrong."""


class ManifestError(ReconcilerError):
    """The manifests are invalid; `problems` has all problems, sorted by place.

    `unasked` is why the server could not be asked for further ones, or None if it was, or if it was not necessary.
    """

    exit_code = Exit.INVALID

    def __init__(self, problems: Iterable[Problem], *, unasked: ReconcilerError | None = None) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.location, p.message)))
        self.unasked = unasked
        super().__init__("\n".join(map(str, self.problems)))

    def masked(self, mask: Callable[[str], str]) -> ManifestError:
        """The same with masked texts."""
        return ManifestError((problem.masked(mask) for problem in self.problems), unasked=self.unasked)


class RefusedError(ReconcilerError):
    """Refused for safety: limits, a stale plan, a protected object. Nothing was changed."""

    exit_code = Exit.REFUSED


class LeaseHeld(RefusedError):
    """Another run holds the lease. Nothing was changed."""


class CatalogError(ReconcilerError):
    """The program inside Redmine could not be started, or refused a request as a whole: nothing was written."""


class SandboxError(ReconcilerError):
    """A sandbox could not be created, started, reset or stopped."""


class ListenerFailed(ReconcilerError):
    """The listener of an apply raised, which has ended the run; `__cause__` is what it raised.

    `report` is that of the run: what was running was completed, and what was written was verified.
    """

    def __init__(self, report: Report) -> None:
        super().__init__("The listener raised an error, so the run ended early.")
        self.report = report


class ServerError(ReconcilerError):
    """The server, or the connection to it, failed."""


class Unreachable(ServerError):
    """The server sent no usable response."""


class AnswerLost(Unreachable):
    """A write was sent, but its response was lost: the outcome is unknown.

    `timed_out` is true if the server may still be processing it, false if the connection broke.
    """

    def __init__(self, message: str, *, timed_out: bool) -> None:
        super().__init__(message)
        self.timed_out = timed_out


class NotRedmine(ServerError):
    """The server at the URL is not a supported Redmine."""


class OddResponse(ServerError):
    """A response lacks something that Redmine's always have, or has something else in its place."""


class AuthenticationFailed(ServerError):
    """The server does not accept the credentials."""


class LeaseLost(ServerError):
    """The lease of this run has ended: it must not write any more."""

    exit_code = Exit.REFUSED


class RestApiDisabled(ServerError):
    """The REST API is disabled in Redmine's administration settings."""


class Answered(ServerError):
    """The server responded with an error status: `status` is the HTTP code, `errors` the server's own messages.

    `repeated` is true if the response to an earlier attempt of the same write was lost: that one may have succeeded,
    and may be the very reason for this error. `gateway` is true if the response is not Redmine's.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        errors: tuple[str, ...] = (),
        repeated: bool = False,
        gateway: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.errors = errors
        self.repeated = repeated
        self.gateway = gateway


class Denied(Answered):
    """401 or 403: the account lacks the permission."""


class Missing(Answered):
    """404: the object does not exist."""


class Stale(Answered):
    """409: the object was changed by someone else meanwhile."""


class Rejected(Answered):
    """422: the object is invalid. `errors` may be empty: Redmine 5.0 to 6.1 gives no reason for some deletions."""
