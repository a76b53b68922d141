"""Configuration: flags > environment > the chosen instance > the rest of `reconciler.yaml`.

The file is parsed like a manifest, so every problem has a place and `${NAME}` works. An expression is evaluated only
when its setting is used: a variable that one instance needs does not have to be set for another instance, nor for
commands that need no server. Credentials are sent only to the server that they are configured for.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from reconciler.errors import ConfigError, Location, Problem
from reconciler.manifest.loader import Included, Map, Seq, Templated, Variables, expand, locate, suggest
from reconciler.manifest.loader import load as load_yaml
from reconciler.manifest.rules import Rules
from reconciler.manifest.scalars import Command, Computed, Keyring, used_in
from reconciler.manifest.sources import CONFIG, find_config, has_content, shown
from reconciler.masking import Secrets, without_user_info
from reconciler.redmine.transport import Connection, checked_url
from reconciler.settings import (
    SECRET,
    VARIABLES,
    Lease,
    Limits,
    Pruning,
    Settings,
    add_secrets,
    describe_error,
    invalid,
)

INSTANCE = "RECONCILER_INSTANCE"
CREDENTIALS = ("api_key", "username", "password", "bearer")
BASIC_AUTH = ("username", "password")
PATHS = ("ca_file", "client_cert", "client_key")
FIRST_OF_FILE = 2
"""Index of the first layer from the file; the layers before it are the command line and the environment."""


@dataclass(frozen=True, slots=True)
class Layer:
    """The settings of one origin. `unresolved` are those with a `${NAME}` that is not set."""

    origin: str
    settings: Settings
    unresolved: Mapping[str, Problem] = field(default_factory=dict)
    node: Map = field(default_factory=Map, repr=False)

    def has(self, name: str) -> bool:
        """Whether this origin sets a setting."""
        return self.unset(name) is not None or getattr(self.settings, name) is not None

    def unset(self, name: str) -> Problem | None:
        """The problem of a setting, or of a part of it, with a `${NAME}` that is not set."""
        return next((p for n, p in self.unresolved.items() if n == name or n.startswith(f"{name}.")), None)


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
        return Rules(str(self._folder), self._value("include") or (), self._value("ignore") or ())

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
        if self._undecided:
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
        above = self._layer("url")
        if above is None or (above.unset("url") and self._undecided):
            raise ConfigError(self._no_url())
        names = [n for n in VARIABLES if n not in CREDENTIALS]
        values = {n: value for n in names if (value := self._value(n)) is not None}
        # Before the messages about credentials, which repeat it.
        checked_url(values["url"])
        return Connection(**values, **self._credentials(values["url"]), extra=self._headers(values["url"]))

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
        if self._undecided:
            return f"Several instances are configured: choose one with --instance ({', '.join(self.instances)})."
        return f"No Redmine is configured: set --url, {VARIABLES['url']}, or `url` in {self.place.file}."

    @property
    def _instance(self) -> Layer | None:
        return next((layer for layer in self.layers if layer.origin.startswith("instance ")), None)

    @property
    def _undecided(self) -> bool:
        """Whether there are instances, and none is chosen."""
        return bool(self.instances) and self._instance is None

    # -- credentials -------------------------------------------------------------------------------------------

    def _credentials(self, url: str) -> dict[str, Any]:
        """The credentials of the first layer that has any.

        Credentials of different layers are never mixed, except for a login and its password. Both may stand beside a
        key, for a reverse proxy.
        """
        layer = self._layer(*CREDENTIALS)
        if layer is None:
            raise ConfigError(
                f"No credentials for {url}: set {VARIABLES['api_key']}, or `api_key` in {self.place.file} "
                f"(a user's key is shown at {url.rstrip('/')}/my/account), or {VARIABLES['username']} and "
                f"{VARIABLES['password']}."
            )
        given = [n for n in CREDENTIALS if layer.has(n)]
        names = dict.fromkeys([*given, *BASIC_AUTH] if set(given) & set(BASIC_AUTH) else given)
        for name in names:
            self._refuse_foreign(name, url)
        return {n: self._revealed(n, self._value(n)) for n in names}

    def _revealed(self, name: str, value: Any) -> Any:
        """A credential, computed if the file says how."""
        from reconciler.credentials import revealed  # with subprocess, which most runs do not need

        return revealed(name, value, self._folder) if isinstance(value, Computed) else value

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
            raise ConfigError(
                f"`{name}` from {layer.origin} is for {without_user_info(' or '.join(sorted(own)))} and is not sent to "
                f"{url}, which is set by {above.origin}: set the credentials for {url} in the same place, or remove "
                "one of the two."
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
    `concurrency`) override everything. `secrets` gets all that are read, also before an error. Raises ConfigError with
    all problems of the file and the environment.
    """
    environ = os.environ if environ is None else environ
    secrets = Secrets() if secrets is None else secrets
    secrets.add_url((flags or {}).get("url"))
    path = Path(file) if file is not None else find_config(paths)
    reader = _Reader(environ, path, secrets)
    layers = [Layer("the command line", Settings(**(flags or {}))), reader.environment()]
    chosen = instance or environ.get(INSTANCE) or None
    layers += reader.file(chosen)
    if reader.problems:
        # A secret may have been written to the wrong setting.
        raise ConfigError(without_user_info(secrets.masked(str(invalid(reader.problems)))))
    if chosen:
        _refuse_contradiction(chosen, *layers[1:3])
    return Config(tuple(layers), reader.place, reader.instances, environ, secrets)


def _refuse_contradiction(chosen: str, environment: Layer, instance: Layer) -> None:
    """Raise ConfigError if the environment and the chosen instance set different servers or credentials."""
    # A REDMINE_URL left over in a shell must not redirect `--instance production` to another server.
    for name in ("url", *CREDENTIALS):
        given, own = getattr(environment.settings, name), getattr(instance.settings, name)
        if given is not None and instance.has(name) and given != own:
            where = f'the {name} of instance "{chosen}"'
            raise ConfigError(f"{VARIABLES[name]} contradicts {where}: unset it, or omit --instance.")


class _AnyName(dict[str, str]):
    """Contains every name, so that the parser reports no unset variable: expressions are evaluated on use."""

    def __contains__(self, name: object) -> bool:
        return True


class _Reader:
    """Reads the layers and collects their problems."""

    def __init__(self, environ: Mapping[str, str], path: Path | None, secrets: Secrets) -> None:
        self.environ = environ
        self.secrets = secrets
        self.path = path
        self.place = Location(shown(str(path)) if path else CONFIG)
        self.problems: list[Problem] = []
        self.instances: dict[str, Settings] = {}

    def environment(self) -> Layer:
        """The layer of the environment variables."""
        values = {name: self.environ[v] for name, v in VARIABLES.items() if self.environ.get(v)}
        add_secrets(values, self.secrets)
        settings = self._checked(values, lambda path: Location(VARIABLES[str(path[0])]))
        return Layer("the environment", settings)

    def file(self, chosen: str | None) -> list[Layer]:
        """The layers of the file: the chosen instance, then the rest."""
        root = self._root()
        nodes = self._instances(root, root.get("instances"))
        rest = Map(root.file, root.at)
        rest.update((k, v) for k, v in root.items() if k != "instances")
        rest.marks.update(root.marks)
        top = self._layer(self.place.file, rest)
        named = {name: self._layer(f'instance "{name}" of {self.place.file}', node) for name, node in nodes.items()}
        self.instances = {name: layer.settings for name, layer in named.items()}
        used = [(nodes[chosen], named[chosen])] if chosen in nodes else []
        if chosen and not used and not self.problems:
            self._unknown(chosen, root)
        layers = [*used, (rest, top)]
        self._evaluate_now(layers)
        return [layer for _, layer in layers]

    def _evaluate_now(self, layers: Sequence[tuple[Map, Layer]]) -> None:
        """Report unset variables in settings that are used without a server too, and note where the key field is."""
        for _, layer in layers:
            unset = layer.unresolved.items()
            self.problems += [problem for name, problem in unset if name.startswith(("vars.", "issue_key_field"))]
        key = next((node for node, layer in layers if layer.settings.issue_key_field), None)
        self.place = key.where("issue_key_field") if key is not None else self.place

    def _root(self) -> Map:
        if self.path is None:
            return Map(CONFIG)
        if self.path.is_dir():
            raise ConfigError(f"{self.place} is a folder; --config needs a file.")
        # Only comments: fine for a configuration, while an empty manifest is an error.
        if self.path.is_file() and not has_content(self.path):
            return Map(self.place.file)
        loaded = load_yaml([self.path], _AnyName(), computed=(Command, Keyring))
        self.problems += loaded.problems
        for document in loaded.documents[1:]:
            self.problems.append(Problem(document.where(), "more than one YAML document", hint="remove all but one"))
        return loaded.documents[0] if loaded.documents else Map(self.place.file)

    def _instances(self, root: Map, node: Any) -> dict[str, Map]:
        """The mappings under `instances`, by name."""
        if node is None:
            return {}
        if not isinstance(node, Map):
            message = "instances: expected a mapping of names to settings"
            self.problems.append(Problem(root.where("instances"), message))
            return {}
        for name, value in node.items():
            if not isinstance(value, Map):
                self.problems.append(Problem(node.where(name), f'instance "{name}": expected a mapping of settings'))
        return {name: value for name, value in node.items() if isinstance(value, Map)}

    def _unknown(self, chosen: str, root: Map) -> None:
        known = ", ".join(self.instances)
        hint = suggest(chosen, self.instances) or (f"known instances: {known}" if known else "it has no `instances`")
        self.problems.append(Problem(self.place, f'unknown instance "{chosen}"', hint=hint))

    def _layer(self, origin: str, node: Map) -> Layer:
        values, unresolved = _evaluated(node, self.environ)
        add_secrets(values, self.secrets)
        self.secrets.add(*(v for n in SECRET & node.keys() for v in used_in(node[n], self.environ)))
        settings = self._checked(values, lambda path: locate(node, path))
        folder = self.path.parent if self.path else Path()  # paths in the file are relative to it
        placed = {n: folder / Path(p).expanduser() for n in PATHS if (p := getattr(settings, n)) is not None}
        return Layer(origin, settings.model_copy(update=placed), unresolved, node)

    def _checked(self, values: Mapping[str, Any], where: Any) -> Settings:
        """The settings in `values`, or the defaults if any is invalid, which is reported."""
        try:
            return Settings.model_validate(values)
        except ValidationError as error:
            for item in error.errors(include_url=False):
                self.problems.append(Problem(where(item["loc"]), *describe_error(item)))
        return Settings()


def _evaluated(node: Map, environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Problem]]:
    """The values of a mapping with expressions evaluated, and setting → Problem for those with an unset variable."""
    values: dict[str, Any] = {}
    unresolved: dict[str, Problem] = {}
    for name, value in node.items():
        if isinstance(value, Map):
            values[name], inner = _evaluated(value, environ)
            unresolved |= {f"{name}.{part}": problem for part, problem in inner.items()}
        elif isinstance(value, Templated):
            text, wrong = expand(value.expression, environ)
            for message, hint in wrong.values():
                unresolved[name] = Problem(node.where(name), message, hint=hint)
            values |= {} if wrong else {name: str(text)}
        elif isinstance(value, Seq):
            numbered = Map(value.file, value.at)
            numbered.update((str(index), item) for index, item in enumerate(value))
            numbered.marks.update((str(index), mark) for index, mark in enumerate(value.marks))
            items, inner = _evaluated(numbered, environ)
            values[name] = list(items.values())
            unresolved |= {f"{name}.{part}": problem for part, problem in inner.items()}
        elif value is not None:
            values[name] = value.line if isinstance(value, Included) else value
    return values, unresolved
