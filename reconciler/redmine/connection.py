"""How to reach a Redmine: the settings of a connection, checked.

Without httpx: every command knows these settings, but not every one connects.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from reconciler.errors import ConfigError
from reconciler.masking import Secrets
from reconciler.redmine.gateway import checked_headers
from reconciler.redmine.urls import checked_address, checked_url


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a Redmine, with an API key, user and password (Basic), or a bearer token (6.1 and later).

    A user and password beside an API key are for a gateway: Redmine looks at the key first. `extra` are headers for it.
    `url` may have a path. `switch_user` is a login to act as; Redmine ignores it unless the account is an
    administrator. `ca_file` is trusted in addition to the system's CAs; `proxy` is an http or https URL. `timeout` is
    in seconds per network operation, `deadline` in seconds per request including its `retries`. `catalog_command`
    tells how a program inside the same Redmine is started, if there is one; it gets `catalog_timeout` seconds. Raises
    ConfigError for an invalid value, without repeating it.
    """

    url: str
    api_key: SecretStr | None = None
    username: str | None = None
    password: SecretStr | None = None
    bearer: SecretStr | None = None
    switch_user: str | None = None
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    proxy: str | None = field(default=None, repr=False)
    extra: Mapping[str, SecretStr] = field(default_factory=dict)
    timeout: float = 30.0
    deadline: float = 120.0
    concurrency: int = 8
    retries: int = 5
    catalog_command: Callable[[], tuple[str, ...]] = tuple
    catalog_timeout: float = 300.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", checked_url(self.url))
        if self.proxy is not None:
            checked_address("proxy", self.proxy)
        if (self.username is None) != (self.password is None):
            raise ConfigError("username and password belong together: set both, or api_key instead.")
        if self.bearer is not None and (self.api_key is not None or self.password is not None):
            raise ConfigError("bearer cannot be combined with api_key, or with username and password: set only one.")
        if min(self.timeout, self.deadline) <= 0 or self.concurrency < 1 or self.retries < 0:
            raise ConfigError(
                "timeout, deadline and concurrency must be greater than 0, and retries must not be negative."
            )
        self.headers()

    @property
    def credentials(self) -> str:
        """The type of these credentials, for messages; empty if there are none."""
        given = {"API key": self.api_key, "user and password": self.password, "bearer token": self.bearer}
        return next((kind for kind, secret in given.items() if secret is not None), "")

    def headers(self) -> dict[str, str]:
        """The headers of each request."""
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",  # httpx would add br and zstd where these are installed
            "User-Agent": "redmine-reconciler",
        }
        if self.api_key is not None:
            headers["X-Redmine-API-Key"] = checked_header("api_key", self.api_key.get_secret_value())
        if self.bearer is not None:
            headers["Authorization"] = "Bearer " + checked_header("bearer", self.bearer.get_secret_value())
        if self.password is not None:
            login = f"{self.username}:{self.password.get_secret_value()}"
            headers["Authorization"] = "Basic " + b64encode(login.encode()).decode()
        # Redmine ignores this header, without an error, unless the account is an administrator.
        if self.switch_user is not None:
            headers["X-Redmine-Switch-User"] = checked_header("switch_user", self.switch_user)
        extra = checked_headers(self.extra)
        if "authorization" in map(str.lower, extra) and (self.bearer is not None or self.password is not None):
            raise ConfigError("headers: Authorization is already used by the bearer token, or the user and password.")
        own = {name: value for name, value in headers.items() if name.lower() not in map(str.lower, extra)}
        return own | extra

    def secrets(self) -> Secrets:
        """All secrets of the connection."""
        secrets = Secrets()
        secrets.add(*(secret.get_secret_value() for secret in (self.api_key, self.bearer) if secret is not None))
        if self.password is not None:
            secrets.add_login(self.username, self.password.get_secret_value())
        secrets.add_url(self.proxy)
        for value in self.extra.values():
            secrets.add_header(value.get_secret_value())
        return secrets


def checked_header(name: str, value: str) -> str:
    """The value, if it is valid in a header. Raises ConfigError: the HTTP library's own error would show a secret."""
    if not re.fullmatch(r"[!-~]+", value):
        raise ConfigError(f"{name} is empty, or contains a space, a line break or a non-ASCII character.")
    return value
