"""Configuration: flags > environment > the chosen instance > the rest of `reconciler.yaml`.

The file is parsed like a manifest, so every problem has a place and `${NAME}` works. An expression is evaluated only
when its setting is used: a variable that one instance needs does not have to be set for another instance, nor for
commands that need no server. Credentials are sent only to the server that they are configured for.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from reconciler.errors import ConfigError, Location, Problem
from reconciler.manifest.loader import Map, Templated, expand, locate, suggest
from reconciler.manifest.loader import load as load_yaml
from reconciler.manifest.sources import CONFIG, find_config, has_content, shown
from reconciler.redmine.transport import Connection

VARIABLES = {
    "url": "REDMINE_URL",
    "api_key": "REDMINE_API_KEY",
    "username": "REDMINE_USERNAME",
    "password": "REDMINE_PASSWORD",
    "bearer": "REDMINE_BEARER_TOKEN",
    "switch_user": "REDMINE_SWITCH_USER",
    "ca_file": "REDMINE_CA_FILE",
    "client_cert": "REDMINE_CLIENT_CERT",
    "client_key": "REDMINE_CLIENT_KEY",
    "proxy": "REDMINE_PROXY",
    "timeout": "REDMINE_TIMEOUT",
    "deadline": "REDMINE_DEADLINE",
    "concurrency": "REDMINE_CONCURRENCY",
    "retries": "REDMINE_RETRIES",
}
"""Setting → environment variable; an empty variable counts as unset."""

INSTANCE = "RECONCILER_INSTANCE"
CREDENTIALS = ("api_key", "username", "password", "bearer")
BASIC_AUTH = ("username", "password")
PATHS = ("ca_file", "client_cert", "client_key")
FIRST_OF_FILE = 2
"""Index of the first layer from the file; the layers before it are the command line and the environment."""
HIDDEN = frozenset({*CREDENTIALS, "proxy"})
"""Settings whose values are never shown in a message: a proxy URL may contain a password."""


class Limits(BaseModel):
    """Limits for one apply. Deleting an issue with its subtasks, or a project with its contents, counts as one."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    deletes: Annotated[int, Field(ge=0, description="Objects that one apply may delete. Default: 10.")] = 10
    delete_ratio: Annotated[
        float | None, Field(ge=0, le=1, description="Share of the declared objects that one apply may delete.")
    ] = None


class Settings(BaseModel):
    """The settings at the top level of `reconciler.yaml`, and of each instance."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    url: Annotated[str | None, Field(description="URL of the Redmine, including its path, if any.")] = None
    api_key: Annotated[SecretStr | None, Field(description="API key of the account. Write it as ${NAME}.")] = None
    username: Annotated[str | None, Field(description="Login for Basic authentication, with `password`.")] = None
    password: Annotated[SecretStr | None, Field(description="Password of `username`. Write it as ${NAME}.")] = None
    bearer: Annotated[SecretStr | None, Field(description="OAuth 2 token (Redmine 6.1). Write it as ${NAME}.")] = None
    switch_user: Annotated[str | None, Field(description="Login to act as. Administrators only.")] = None
    ca_file: Annotated[Path | None, Field(description="CA certificates to trust besides the system's (PEM).")] = None
    client_cert: Annotated[Path | None, Field(description="Client certificate (PEM).")] = None
    client_key: Annotated[Path | None, Field(description="Private key of `client_cert`, if not in it.")] = None
    proxy: Annotated[str | None, Field(repr=False, description="URL of an http or https proxy.")] = None
    timeout: Annotated[float | None, Field(gt=0, description="Seconds per network operation. Default: 30.")] = None
    deadline: Annotated[float | None, Field(gt=0, description="Seconds per request with retries. Default: 120.")] = None
    concurrency: Annotated[int | None, Field(gt=0, description="Maximum concurrent requests. Default: 8.")] = None
    retries: Annotated[int | None, Field(ge=0, description="Maximum number of retries per request. Default: 5.")] = None
    issue_key_field: Annotated[
        str | None, Field(min_length=1, description="Name of the issue custom field that stores each issue's key.")
    ] = None
    limits: Annotated[Limits | None, Field(description="Deletion limits for one apply.")] = None
    vars: Annotated[dict[str, str], Field(description="Values for ${NAME} that the environment does not set.")] = {}


@dataclass(frozen=True, slots=True)
class Layer:
    """The settings of one origin. `unresolved` are those with a `${NAME}` that is not set."""

    origin: str
    settings: Settings
    unresolved: Mapping[str, Problem] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether this origin sets a setting."""
        return name in self.unresolved or getattr(self.settings, name) is not None


@dataclass(frozen=True, slots=True)
class Config:
    """All settings. `layers` are in order of precedence; `place` is the file, or the place of `issue_key_field`."""

    layers: tuple[Layer, ...]
    place: Location
    instances: Mapping[str, Settings]
    environ: Mapping[str, str] = field(repr=False)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that the engine uses: `place`, and `issue_key_field` if set."""
        name = self._value("issue_key_field")
        return {"place": self.place, **({"issue_key_field": name} if name else {})}

    @property
    def limits(self) -> Limits:
        """The deletion limits for one apply."""
        return self._value("limits") or Limits()

    @property
    def variables(self) -> dict[str, str]:
        """Values for `${NAME}` in manifests: the environment, then the instance's `vars`, then the top-level `vars`."""
        variables: dict[str, str] = {}
        for layer in reversed(self.layers):
            variables |= layer.settings.vars
        return variables | dict(self.environ)  # last, so that the environment wins

    def connection(self) -> Connection:
        """How to reach the server. Raises ConfigError if that is missing, invalid or unsafe."""
        names = [n for n in VARIABLES if n not in CREDENTIALS]
        values = {n: value for n in names if (value := self._value(n)) is not None}
        if "url" not in values:
            raise ConfigError(self._no_url())
        return Connection(**values, **self._credentials(values["url"]))

    def _layer(self, *names: str) -> Layer | None:
        """The first layer that sets one of these settings."""
        return next((layer for layer in self.layers if any(map(layer.has, names))), None)

    def _value(self, name: str) -> Any:
        layer = self._layer(name)
        if layer is None:
            return None
        if name in layer.unresolved:
            raise ConfigError(_error_text([layer.unresolved[name]]))
        return getattr(layer.settings, name)

    def _no_url(self) -> str:
        if self.instances and self._instance is None:
            return f"Several instances are configured: choose one with --instance ({', '.join(self.instances)})."
        return f"No Redmine is configured: set --url, {VARIABLES['url']}, or `url` in {self.place.file}."

    @property
    def _instance(self) -> Layer | None:
        return next((layer for layer in self.layers if layer.origin.startswith("instance ")), None)

    # -- credentials -------------------------------------------------------------------------------------------

    def _credentials(self, url: str) -> dict[str, Any]:
        """The credentials of the first layer that has any.

        Credentials of different layers are never mixed, except for a login and its password.
        """
        layer = self._layer(*CREDENTIALS)
        if layer is None:
            raise ConfigError(
                f"No credentials for {url}: set {VARIABLES['api_key']}, or `api_key` in {self.place.file} "
                f"(a user's key is shown at {url.rstrip('/')}/my/account), or {VARIABLES['username']} and "
                f"{VARIABLES['password']}."
            )
        given = [n for n in CREDENTIALS if layer.has(n)]
        names = BASIC_AUTH if set(given) <= set(BASIC_AUTH) else given
        for name in names:
            self._refuse_foreign(name, url)
        return {n: self._value(n) for n in names}

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
                f"`{name}` from {layer.origin} is for {' or '.join(sorted(own))} and is not sent to {url}, which "
                f"is set by {above.origin}: set the credentials for {url} in the same place, or remove one of the two."
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
) -> Config:
    """The configuration for manifests at `paths` (default: the current folder).

    `file` replaces the search for `reconciler.yaml`, `instance` overrides RECONCILER_INSTANCE, and `flags` (`url`,
    `concurrency`) override everything. Raises ConfigError with all problems of the file and the environment.
    """
    environ = os.environ if environ is None else environ
    path = Path(file) if file is not None else find_config(paths)
    reader = _Reader(environ, path)
    layers = [Layer("the command line", Settings(**(flags or {}))), reader.environment()]
    chosen = instance or environ.get(INSTANCE) or None
    layers += reader.file(chosen)
    if reader.problems:
        raise ConfigError(_error_text(reader.problems))
    if chosen:
        _refuse_contradiction(chosen, *layers[1:3])
    return Config(tuple(layers), reader.place, reader.instances, environ)


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

    def __init__(self, environ: Mapping[str, str], path: Path | None) -> None:
        self.environ = environ
        self.path = path
        self.place = Location(shown(str(path)) if path else CONFIG)
        self.problems: list[Problem] = []
        self.instances: dict[str, Settings] = {}

    def environment(self) -> Layer:
        """The layer of the environment variables."""
        values = {name: self.environ[v] for name, v in VARIABLES.items() if self.environ.get(v)}
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
        loaded = load_yaml([self.path], _AnyName())
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
        settings = self._checked(values, lambda path: locate(node, path))
        folder = self.path.parent if self.path else Path()  # paths in the file are relative to it
        placed = {n: folder / Path(p).expanduser() for n in PATHS if (p := getattr(settings, n)) is not None}
        return Layer(origin, settings.model_copy(update=placed), unresolved)

    def _checked(self, values: Mapping[str, Any], where: Any) -> Settings:
        """The settings in `values`, or the defaults if any is invalid, which is reported."""
        try:
            return Settings.model_validate(values)
        except ValidationError as error:
            for item in error.errors(include_url=False):
                self.problems.append(Problem(where(item["loc"]), *_describe_error(item)))
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
        elif value is not None:
            values[name] = value
    return values, unresolved


EXPECTED = {
    "string_type": "a string",
    "path_type": "a path",
    "dict_type": "a mapping of names to strings",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
}


def _describe_error(item: Any) -> tuple[str, str, str]:
    """(message, subject, hint) for one of pydantic's errors."""
    name = ".".join(map(str, item["loc"]))
    if item["type"] == "extra_forbidden":
        known = [*Settings.model_fields, "instances"]
        return f'unknown setting "{name}"', "", suggest(name, known)
    given = item["input"]
    # Never quote a value that may be a secret: messages end up in logs.
    quotable = isinstance(given, str) and str(item["loc"][0]) not in HIDDEN
    found = f', found "{given}"' if quotable else ""
    expected = EXPECTED.get(item["type"])
    message = f"expected {expected}" if expected else item["msg"][0].lower() + item["msg"][1:]
    return f"{name}: {message}{found}", "", ""


def _error_text(problems: Iterable[Problem]) -> str:
    """All problems as the message of one error."""
    ordered = sorted(problems, key=lambda p: (p.location, p.message))
    return "\n".join(["The configuration is invalid:", *(f"  {problem}" for problem in ordered)])
