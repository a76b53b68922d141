"""Configuration: flags > environment > the chosen instance > the rest of `reconciler.yaml`.

The file is parsed like a manifest, so every problem has a place and `${NAME}` works. An expression is evaluated only
when its setting is used: a variable that one instance needs does not have to be set for another instance, nor for
commands that need no server. Credentials are sent only to the server that they are configured for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from reconciler.config import leftovers
from reconciler.config.file import ENVIRONMENT, Layer, Reader
from reconciler.errors import ConfigError, Location
from reconciler.manifest.loader import Variables, locate
from reconciler.manifest.rules import Rules
from reconciler.manifest.scalars import Computed
from reconciler.manifest.sources import find_config
from reconciler.masking import Secrets, shown_url, without_user_info
from reconciler.settings import (
    CREDENTIALS,
    UNSET,
    VARIABLES,
    Lease,
    Limits,
    Pruning,
    Settings,
    add_secrets,
    invalid,
)

if TYPE_CHECKING:
    from reconciler.redmine.connection import Connection

INSTANCE = "RECONCILER_INSTANCE"
FLAGS = "the command line"
BASIC_AUTH = ("username", "password")
BESIDE = {FLAGS: "give its key with --api-key-file", ENVIRONMENT: f"set {VARIABLES['api_key']}"}
"""How to give the key of a server beside its URL."""
FIRST_OF_FILE = 2
"""Index of the first layer from the file; the layers before it are the command line and the environment."""


@dataclass(frozen=True, slots=True)
class Config:
    """All settings. `layers` are in order of precedence; `place` is the file, or the place of `issue_key_field`.

    `secrets` are those of all layers and instances.
    """

    layers: tuple[Layer, ...]
    place: Location
    instances: Mapping[str, Settings]
    environ: Mapping[str, str] = field(repr=False)
    secrets: Secrets = field(default_factory=Secrets, repr=False, compare=False)
    path: Path | None = None
    """The file that was read, if there is one."""
    notes: tuple[str, ...] = ()
    """Sentences on what the environment says and is not used, or overrides."""
    _computed: dict[str, SecretStr] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What programs have printed: a one-time password is not given twice, and a person is asked once."""

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that the engine uses: `place`; and if set, `issue_key_field`, `user_ids`, `protect`, `lease`."""
        known = {name: self._value(name) for name in ("issue_key_field", "user_ids", "protect")}
        known["lease"] = self.lease and (self.lease.project, self.lease.page)
        return {"place": self.place, **{name: value for name, value in known.items() if value}}

    @property
    def limits(self) -> Limits:
        """The deletion limits for one apply."""
        return self._value("limits") or Limits()

    @property
    def lease(self) -> Lease | None:
        """Where the lease is kept; None if runs take none."""
        lease: Lease | None = self._value("lease")
        return lease

    @property
    def pruning(self) -> Pruning:
        """What may be pruned, and what never."""
        return Pruning(self._listed("authoritative"), self._value("prune_users") or "lock", self._listed("protect"))

    def _listed(self, name: str) -> dict[str, Location]:
        """The items of a setting that is a list, each with its place."""
        layer = self._layer(name)
        items = self._value(name) or ()
        return {item: locate(layer.node, [name, i]) for i, item in enumerate(items)} if layer else {}

    @property
    def rules(self) -> Rules:
        """Which files of a folder may be manifests."""
        chosen = self._value("include") or (), self._value("ignore") or ()
        # Of all instances: in a folder of manifests, an overlay is no manifest, whichever instance is chosen.
        known = [*self.instances.values(), *(layer.settings for layer in self.layers)]
        overlays = {str(self._placed(name)) for settings in known for name in settings.overlays or ()}
        return Rules(str(self._folder), *chosen, frozenset(overlays))

    @property
    def manifests(self) -> tuple[Path, ...]:
        """What is read if a command names no path. Raises ConfigError if an instance has to be chosen for that."""
        if self.undecided and self._layer("manifests") is None and any(i.manifests for i in self.instances.values()):
            raise ConfigError(self._choose())
        return tuple(map(self._placed, self._value("manifests") or ()))

    @property
    def overlays(self) -> tuple[Path, ...]:
        """The files and folders that change what the manifests declare, in this order."""
        return tuple(map(self._placed, self._value("overlays") or ()))

    def _placed(self, name: str) -> Path:
        """A path in the file, which is relative to it."""
        return Path(os.path.normpath(self._folder / name))

    @property
    def _folder(self) -> Path:
        """The folder of the file."""
        return Path(self.place.file).absolute().parent

    @property
    def variables(self) -> dict[str, str]:
        """Values for `${NAME}` in manifests: the environment, then the instance's `vars`, then the top-level `vars`."""
        variables: dict[str, str] = {}
        for layer in reversed(self.layers):
            variables |= layer.settings.vars
        found = Variables(variables | dict(self.environ), {})  # the environment last, so that it wins
        if self.undecided:
            owners = {name: [i for i, s in self.instances.items() if name in s.vars] for name in self._of_instances}
            choose = "choose an instance that has it: --instance"
            found.elsewhere = {name: f"{choose} {' or '.join(having)}" for name, having in owners.items()}
        return found

    @property
    def _of_instances(self) -> set[str]:
        """The variables that instances have values for."""
        return {name for settings in self.instances.values() for name in settings.vars}

    def connection(self) -> Connection:
        """How to reach the server. Raises ConfigError if that is missing, invalid or unsafe."""
        from reconciler.redmine.connection import Connection
        from reconciler.redmine.urls import checked_url

        if self.needs_choice or self._layer("url") is None:
            raise ConfigError(self._no_url())
        names = [n for n in VARIABLES if n not in CREDENTIALS]
        values = {n: value for n in names if (value := self._value(n)) is not None}
        # Before the messages about credentials, which repeat it.
        checked_url(values["url"])
        values["catalog_command"] = self._catalog_command(values["url"])
        return Connection(**values, **self._credentials(values["url"]), extra=self._headers(values["url"]))

    def _catalog_command(self, url: str) -> Callable[[], tuple[str, ...]]:
        """The configured command, or that of the sandbox with this URL, which is looked for when it is needed."""
        command: tuple[str, ...] = self._value("catalog_command") or ()
        if command:
            self._refuse_foreign("catalog_command", url)
            return lambda: command

        def of_sandbox() -> tuple[str, ...]:
            from reconciler.sandbox.instance import runner_of  # with subprocess, which most runs do not need

            return runner_of(url)

        return of_sandbox

    def _layer(self, *names: str) -> Layer | None:
        """The first layer that sets one of these settings."""
        return next((layer for layer in self.layers if any(map(layer.has, names))), None)

    def _value(self, name: str) -> Any:
        layer = self._layer(name)
        if layer is None:
            return None
        if unset := layer.unset(name):
            raise invalid([unset])
        return getattr(layer.settings, name)

    def _no_url(self) -> str:
        if self.undecided:
            return self._choose()
        return f"No Redmine is configured: set --url, {VARIABLES['url']}, or `url` in {self.place.file}."

    def _choose(self) -> str:
        names = ", ".join(self.instances)
        if len(self.instances) == 1:
            return f"One instance is configured: choose it with --instance {names}."
        return f"Several instances are configured: choose one with --instance ({names})."

    @property
    def instance(self) -> str:
        """The name of the chosen instance, or ""."""
        return self._instance.instance if self._instance else ""

    @property
    def _instance(self) -> Layer | None:
        return next((layer for layer in self.layers if layer.instance), None)

    @property
    def undecided(self) -> bool:
        """Whether there are instances, and none is chosen."""
        return bool(self.instances) and self._instance is None

    def check_choice(self) -> None:
        """Raise ConfigError if there are instances, and none is chosen."""
        if self.undecided:
            raise ConfigError(self._choose())

    @property
    def needs_choice(self) -> bool:
        """Whether it is not known which server is meant, because no instance is chosen."""
        above = self._layer("url")
        return self.undecided and (above is None or above.unset("url") is not None)

    # -- credentials -------------------------------------------------------------------------------------------

    def _credentials(self, url: str) -> dict[str, Any]:
        """The credentials of the first layer that has any.

        Credentials of different layers are never mixed, except for a login and its password. Both may stand beside a
        key, for a reverse proxy.
        """
        names = self.used_credentials
        if not names:
            raise ConfigError(
                f"No credentials for {url}: set {VARIABLES['api_key']}, or `api_key` in {self.place.file}, or give "
                f"--api-key-file (a user's key is shown at {url.rstrip('/')}/my/account), or set "
                f"{VARIABLES['username']} and {VARIABLES['password']}."
            )
        for name in names:
            self._refuse_foreign(name, url)
        return {n: self._revealed(n, self._value(n)) for n in names}

    @property
    def used_credentials(self) -> tuple[str, ...]:
        """The credentials that are sent: those of the first layer that has any, and the other half of a login."""
        layer = self._layer(*CREDENTIALS)
        given = [n for n in CREDENTIALS if layer is not None and layer.has(n)]
        return tuple(dict.fromkeys([*given, *BASIC_AUTH] if set(given) & set(BASIC_AUTH) else given))

    def check_server(self, name: str) -> None:
        """Raise ConfigError if a credential is for another server than the one that is configured."""
        layer = self._layer("url")
        if layer is not None and layer.settings.url is not None:
            self._refuse_foreign(name, layer.settings.url)

    def _revealed(self, name: str, value: Any) -> Any:
        """A credential, computed if the file says how."""
        if not isinstance(value, Computed):
            return value
        from reconciler.credentials import revealed  # with subprocess, which most runs do not need

        if name not in self._computed:
            self._computed[name] = revealed(name, value, self._folder)
        return self._computed[name]

    def _headers(self, url: str) -> Mapping[str, SecretStr]:
        """The headers of the first layer that has any."""
        headers: Mapping[str, Any] = self._value("headers") or {}
        if headers:
            self._refuse_foreign("headers", url)
        return {name: self._revealed(f"headers.{name}", value) for name, value in headers.items()}

    def _refuse_foreign(self, name: str, url: str) -> None:
        """Raise ConfigError rather than send a credential to a server that it is not configured for.

        A `--url` or REDMINE_URL on its own must not carry the key in `reconciler.yaml` to another host.
        """
        layer = self._layer(name)
        above = self._layer("url")
        if layer is None or above is None or self.layers.index(layer) <= self.layers.index(above):
            return
        own = self._intended_servers(layer)
        if own and url.rstrip("/") not in own:
            beside = BESIDE.get(above.origin, "set the credentials for that server in the same place")
            raise ConfigError(
                f"`{name}` from {layer.origin} is for {' or '.join(map(shown_url, sorted(own)))} and is not sent to "
                f"{shown_url(url)}, which is set by {above.origin}: {beside}, or remove one of the two."
            )

    def _intended_servers(self, layer: Layer) -> set[str]:
        """The URLs that the credentials of a layer are configured for; empty if they are for any server."""
        index = self.layers.index(layer)
        # A key in the environment without REDMINE_URL is for any server. A key in the file is for the server in the
        # file, or for those of its instances if it has none of its own.
        in_file = index >= FIRST_OF_FILE
        own = next((x.settings.url for x in self.layers[index:] if x.settings.url and (in_file or x is layer)), None)
        shared = [i.url for i in self.instances.values()] if in_file else []
        return {url.rstrip("/") for url in ([own] if own else shared) if url}


# -- reading ---------------------------------------------------------------------------------------------------


def load(
    paths: Sequence[str | Path] = (),
    environ: Mapping[str, str] | None = None,
    *,
    file: str | Path | None = None,
    instance: str | None = None,
    flags: Mapping[str, Any] | None = None,
    secrets: Secrets | None = None,
) -> Config:
    """The configuration for manifests at `paths` (default: the current folder).

    `file` replaces the search for `reconciler.yaml`, `instance` overrides RECONCILER_INSTANCE, and `flags` (`url`,
    `api_key`, `concurrency`) override everything. `secrets` gets all that are read, also before an error. Raises
    ConfigError with all problems of the file and the environment.
    """
    environ = os.environ if environ is None else environ
    secrets = Secrets() if secrets is None else secrets
    add_secrets(flags or {}, secrets)
    path = Path(file) if file is not None else find_config(paths)
    reader = Reader(environ, path, secrets)
    flagged, environment = Layer(FLAGS, Settings(**flags) if flags else UNSET), reader.environment()
    chosen = instance or environ.get(INSTANCE) or None
    in_file = reader.file(chosen)
    if reader.problems:
        # A secret may have been written to the wrong setting.
        raise ConfigError(without_user_info(secrets.masked(str(invalid(reader.problems)))))
    environment, notes = leftovers.without(environment, in_file, chosen or "", reader.instances)
    layers = (flagged, environment, *in_file)
    return Config(layers, reader.place, reader.instances, environ, secrets, reader.path, notes)
