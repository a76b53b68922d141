"""Every error that `reconciler` raises on purpose, and the exit code each one ends a command with.

    ReconcilerError                 1   the command could not run
    ├── ConfigError                 1   reconciler.yaml, a flag or an environment variable is wrong
    ├── ManifestError               3   the manifests are invalid; carries every Problem found
    ├── RefusedError                5   refused for safety: limits, a stale plan, a protected object
    ├── SandboxError                1   a throw-away Redmine could not be made, started or reset
    └── ServerError                 1   the server, or the way to it
        ├── Unreachable                 no usable answer: name, connection, TLS, time-out
        │   └── AnswerLost              a write was sent and its answer did not arrive: it may have happened
        ├── NotRedmine                  something answered that is not a Redmine 5.0 or later
        ├── AuthenticationFailed        the key (or user and password) is not accepted
        ├── RestApiDisabled             the administration setting is off
        └── Answered                    the server answered a request with an error status
            ├── Denied                  401, 403
            ├── Missing                 404
            ├── Stale                   409
            └── Rejected                422, with the server's own sentences

Only `reconciler.cli` catches `ReconcilerError`. Texts are complete sentences for a person; none contains a secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of the command line (stable)."""

    DONE = 0
    CANNOT_RUN = 1
    CHANGES = 2
    INVALID = 3
    INCOMPLETE = 4
    REFUSED = 5
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file: `line` and `column` count from 1; line 0 means the whole file."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with the manifests, the configuration or what they ask of the server.

    `subject` names the object (`issue web-shop/login`) or is empty; `hint` says how to go on, or is empty;
    `also` holds further places that belong to the problem (the other definition of a duplicate).
    """

    location: Location
    message: str
    subject: str = ""
    hint: str = ""
    also: tuple[Location, ...] = ()

    def __str__(self) -> str:
        subject = f"{self.subject}: " if self.subject else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.location}: {subject}{self.message}{hint}"


class ReconcilerError(Exception):
    """The root: a command could not do what it was asked to."""

    exit_code = Exit.CANNOT_RUN


class ConfigError(ReconcilerError):
    """A setting is missing or wrong."""


class ManifestError(ReconcilerError):
    """The manifests are invalid; `problems` has all that was found, sorted by place."""

    exit_code = Exit.INVALID

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.location, p.message)))
        super().__init__("\n".join(map(str, self.problems)))


class RefusedError(ReconcilerError):
    """Doing it would not be safe, and nothing was done."""

    exit_code = Exit.REFUSED


class SandboxError(ReconcilerError):
    """A throw-away Redmine could not be made, started, reset or stopped."""


class ServerError(ReconcilerError):
    """Something went wrong between here and the Redmine."""


class Unreachable(ServerError):
    """No usable answer came back."""


class AnswerLost(Unreachable):
    """A write was sent, its answer never came: whether it happened is not known.

    `timed_out` tells a server that may still be working on it from a connection that broke.
    """

    def __init__(self, message: str, *, timed_out: bool) -> None:
        super().__init__(message)
        self.timed_out = timed_out


class NotRedmine(ServerError):
    """What answers at the URL is not a Redmine that this tool can work with."""


class AuthenticationFailed(ServerError):
    """The server treats the credentials as nobody's."""


class RestApiDisabled(ServerError):
    """The REST web service is switched off in Redmine's administration."""


class Answered(ServerError):
    """The server answered with an error `status` (an HTTP status code); `errors` are its own sentences, if any."""

    def __init__(self, message: str, *, status: int, errors: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.errors = errors


class Denied(Answered):
    """401 or 403: the account may not do this."""


class Missing(Answered):
    """404: there is no such object."""


class Stale(Answered):
    """409: the object was changed meanwhile."""


class Rejected(Answered):
    """422: the object is not valid. `errors` may be empty: Redmine gives no reason for some refusals."""
