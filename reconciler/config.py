"""Which Redmine, as whom, and how: flags > environment > the chosen instance > the rest of `reconciler.yaml`.

The file is read like a manifest, so every problem has a place, and `${NAME}` works. An expression is evaluated only if
its setting is used: what one instance needs does not have to be set for another, nor for work without a server.
Credentials go only to the server that they are given for.
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
from reconciler.manifest.sources import CONFIG, find_config, says_something, shown
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
"""Setting → environment variable; one that is empty counts as not set."""

INSTANCE = "RECONCILER_INSTANCE"
CREDENTIALS = ("api_key", "username", "password", "bearer")
PAIR = ("username", "password")
PATHS = ("ca_file", "client_cert", "client_key")
FIRST_OF_FILE = 2
"""Layers before it are the command line and the environment."""
HIDDEN = frozenset({*CREDENTIALS, "proxy"})
"""Settings whose values are never repeated in a sentence."""


class Limits(BaseModel):
    """The limits of one run. A deletion that takes subtasks or a project's contents along counts as one."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    deletes: Annotated[int, Field(ge=0, description="Objects that one apply may delete. Default: 10.")] = 10
    delete_ratio: Annotated[
        float | None, Field(ge=0, le=1, description="Share of the declared objects that one apply may delete.")
    ] = None


class Settings(BaseModel):
    """What can be set, at the top of `reconciler.yaml` and for each instance."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    url: Annotated[str | None, Field(description="Address of the Redmine, with its path if it has one.")] = None
    api_key: Annotated[SecretStr | None, Field(description="API key of an account. Write it as ${NAME}.")] = None
    username: Annotated[str | None, Field(description="Login, if there is no API key; with `password`.")] = None
    password: Annotated[SecretStr | None, Field(description="Password of `username`. Write it as ${NAME}.")] = None
    bearer: Annotated[SecretStr | None, Field(description="OAuth 2 token (Redmine 6.1). Write it as ${NAME}.")] = None
    switch_user: Annotated[str | None, Field(description="Login to act as; for administrators only.")] = None
    ca_file: Annotated[Path | None, Field(description="Certificates to trust besides the system's (PEM).")] = None
    client_cert: Annotated[Path | None, Field(description="Client certificate (PEM).")] = None
    client_key: Annotated[Path | None, Field(description="Key of the client certificate, if in another file.")] = None
    proxy: Annotated[str | None, Field(repr=False, description="http or https URL of a proxy.")] = None
    timeout: Annotated[float | None, Field(gt=0, description="Seconds for each network operation. Default: 30.")] = None
    deadline: Annotated[float | None, Field(gt=0, description="Seconds for one request in all. Default: 120.")] = None
    concurrency: Annotated[int | None, Field(gt=0, description="Requests at the same time. Default: 8.")] = None
    retries: Annotated[int | None, Field(ge=0, description="Further attempts of a request. Default: 5.")] = None
    issue_key_field: Annotated[
        str | None, Field(min_length=1, description="Name of the custom field that holds the keys of issues.")
    ] = None
    limits: Annotated[Limits | None, Field(description="How much one apply may delete.")] = None
    vars: Annotated[dict[str, str], Field(description="Values for ${NAME}, where the environment has none.")] = {}


@dataclass(frozen=True, slots=True)
class Layer:
    """The settings of one origin. `faults` are those that have no value because a variable is not set."""

    origin: str
    settings: Settings
    faults: Mapping[str, Problem] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether this origin says something about a setting."""
        return name in self.faults or getattr(self.settings, name) is not None


@dataclass(frozen=True, slots=True)
class Config:
    """All settings. `layers` come in order of precedence; `place` is the file, or the place of `issue_key_field`."""

    layers: tuple[Layer, ...]
    place: Location
    instances: Mapping[str, Settings]
    environ: Mapping[str, str] = field(repr=False)

    @property
    def settings(self) -> dict[str, Any]:
        """What the engine has to know: `place`, and `issue_key_field` if there is one."""
        name = self._value("issue_key_field")
        return {"place": self.place, **({"issue_key_field": name} if name else {})}

    @property
    def limits(self) -> Limits:
        """How much one apply may delete."""
        return self._value("limits") or Limits()

    @property
    def variables(self) -> dict[str, str]:
        """Values for `${NAME}` in manifests: the environment, then `vars` of the instance, then `vars`."""
        found: dict[str, str] = {}
        for layer in reversed(self.layers):
            found |= layer.settings.vars
        return found | dict(self.environ)

    def connection(self) -> Connection:
        """How to reach the server. Raises ConfigError if that is not said, not valid, or not safe."""
        names = [n for n in VARIABLES if n not in CREDENTIALS]
        values = {n: value for n in names if (value := self._value(n)) is not None}
        if "url" not in values:
            raise ConfigError(self._no_url())
        return Connection(**values, **self._credentials(values["url"]))

    def _layer(self, *names: str) -> Layer | None:
        """The layer that decides about a setting, or about the first of several."""
        return next((layer for layer in self.layers if any(map(layer.has, names))), None)

    def _value(self, name: str) -> Any:
        layer = self._layer(name)
        if layer is None:
            return None
        if name in layer.faults:
            raise ConfigError(_sentence([layer.faults[name]]))
        return getattr(layer.settings, name)

    def _no_url(self) -> str:
        if self.instances and self._instance is None:
            return f"Several servers are configured: say which one with --instance ({', '.join(self.instances)})."
        return (
            f"No Redmine is named: give its address as --url, in {VARIABLES['url']}, or as `url` in {self.place.file}."
        )

    @property
    def _instance(self) -> Layer | None:
        return next((layer for layer in self.layers if layer.origin.startswith("instance ")), None)

    # -- credentials -------------------------------------------------------------------------------------------

    def _credentials(self, url: str) -> dict[str, Any]:
        """The credentials of the first layer that has any; only a login may stand apart from its password."""
        layer = self._layer(*CREDENTIALS)
        if layer is None:
            raise ConfigError(
                f"There are no credentials for {url}: give an API key in {VARIABLES['api_key']}, or as `api_key` in "
                f"{self.place.file} (Redmine shows a user's key at {url.rstrip('/')}/my/account), or "
                f"{VARIABLES['username']} with {VARIABLES['password']}."
            )
        given = [n for n in CREDENTIALS if layer.has(n)]
        names = PAIR if set(given) <= set(PAIR) else given
        for name in names:
            self._guard(name, url)
        return {n: self._value(n) for n in names}

    def _guard(self, name: str, url: str) -> None:
        """Raise ConfigError rather than send a credential to another server than the one it is given for."""
        layer = self._layer(name)
        above = self._layer("url")
        if layer is None or above is None or self.layers.index(layer) <= self.layers.index(above):
            return
        own = self._servers(layer)
        if own and url.rstrip("/") not in own:
            raise ConfigError(
                f"`{name}` of {layer.origin} belongs to {' or '.join(sorted(own))} and is not sent to {url}, which "
                f"{above.origin} names: give the credentials for {url} in the same place, or leave one of the two out."
            )

    def _servers(self, layer: Layer) -> set[str]:
        """The addresses that the credentials of a layer are meant for; none if they are for any."""
        index = self.layers.index(layer)
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

    `file` is used instead of looking for one, `instance` instead of RECONCILER_INSTANCE, `flags` (`url`,
    `concurrency`) before anything else. Raises ConfigError with all that is wrong in the file or the environment.
    """
    environ = os.environ if environ is None else environ
    path = Path(file) if file is not None else find_config(paths)
    reader = _Reader(environ, path)
    layers = [Layer("the command line", Settings(**(flags or {}))), reader.environment()]
    chosen = instance or environ.get(INSTANCE) or None
    layers += reader.file(chosen)
    if reader.problems:
        raise ConfigError(_sentence(reader.problems))
    if chosen:
        _refuse_contradiction(chosen, *layers[1:3])
    return Config(tuple(layers), reader.place, reader.instances, environ)


def _refuse_contradiction(chosen: str, environment: Layer, instance: Layer) -> None:
    """Raise ConfigError if the environment means another server, or account, than the instance that was chosen."""
    for name in ("url", *CREDENTIALS):
        said, own = getattr(environment.settings, name), getattr(instance.settings, name)
        if said is not None and instance.has(name) and said != own:
            where = f'the {name} of instance "{chosen}"'
            raise ConfigError(f"{VARIABLES[name]} contradicts {where}: unset it, or leave --instance out.")


class _Every(dict[str, str]):
    """Has every name, as "": expressions are kept as they are, to be evaluated when they are used."""

    def __contains__(self, name: object) -> bool:
        return True


class _Reader:
    """Reads the layers and collects what is wrong with them."""

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
        """The layers of the file: the chosen instance and the rest."""
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
        self._settle(layers)
        return [layer for _, layer in layers]

    def _settle(self, layers: Sequence[tuple[Map, Layer]]) -> None:
        """What is needed without a server too must have its values now; and where the key field is named."""
        for _, layer in layers:
            self.problems += [p for name, p in layer.faults.items() if name.startswith(("vars.", "issue_key_field"))]
        key = next((node for node, layer in layers if layer.settings.issue_key_field), None)
        self.place = key.where("issue_key_field") if key is not None else self.place

    def _root(self) -> Map:
        if self.path is None:
            return Map(CONFIG)
        if self.path.is_dir():
            raise ConfigError(f"{self.place} is a folder: --config takes a file.")
        if self.path.is_file() and not says_something(self.path):
            return Map(self.place.file)
        loaded = load_yaml([self.path], _Every())
        self.problems += loaded.problems
        for document in loaded.documents[1:]:
            self.problems.append(Problem(document.where(), "there is more than one document", hint="keep one"))
        return loaded.documents[0] if loaded.documents else Map(self.place.file)

    def _instances(self, root: Map, node: Any) -> dict[str, Map]:
        """The mappings under `instances`, by name."""
        if node is None:
            return {}
        if not isinstance(node, Map):
            said = "instances: a mapping of names to settings is expected"
            self.problems.append(Problem(root.where("instances"), said))
            return {}
        for name, value in node.items():
            if not isinstance(value, Map):
                self.problems.append(Problem(node.where(name), f'instance "{name}": a mapping of settings is expected'))
        return {name: value for name, value in node.items() if isinstance(value, Map)}

    def _unknown(self, chosen: str, root: Map) -> None:
        known = ", ".join(self.instances)
        hint = suggest(chosen, self.instances) or (f"there is: {known}" if known else "it has no `instances`")
        self.problems.append(Problem(self.place, f'there is no instance "{chosen}"', hint=hint))

    def _layer(self, origin: str, node: Map) -> Layer:
        values, faults = _evaluated(node, self.environ)
        settings = self._checked(values, lambda path: locate(node, path))
        folder = self.path.parent if self.path else Path()
        placed = {n: folder / Path(p).expanduser() for n in PATHS if (p := getattr(settings, n)) is not None}
        return Layer(origin, settings.model_copy(update=placed), faults)

    def _checked(self, values: Mapping[str, Any], where: Any) -> Settings:
        """The settings that `values` make; without those that are not valid, which are reported."""
        try:
            return Settings.model_validate(values)
        except ValidationError as error:
            for item in error.errors(include_url=False):
                self.problems.append(Problem(where(item["loc"]), *_said(item)))
        return Settings()


def _evaluated(node: Map, environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Problem]]:
    """The values of a mapping with their expressions evaluated; by setting, a Problem where that cannot be done."""
    values: dict[str, Any] = {}
    faults: dict[str, Problem] = {}
    for name, value in node.items():
        if isinstance(value, Map):
            values[name], inner = _evaluated(value, environ)
            faults |= {f"{name}.{part}": problem for part, problem in inner.items()}
        elif isinstance(value, Templated):
            text, wrong = expand(value.expression, environ)
            for message, hint in wrong.values():
                faults[name] = Problem(node.where(name), message, hint=hint)
            values |= {} if wrong else {name: str(text)}
        elif value is not None:
            values[name] = value
    return values, faults


EXPECTED = {
    "string_type": "a text",
    "path_type": "a path",
    "dict_type": "a mapping of names to texts",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
}


def _said(item: Any) -> tuple[str, str, str]:
    """(message, subject, hint) for one of pydantic's errors."""
    name = ".".join(map(str, item["loc"]))
    if item["type"] == "extra_forbidden":
        known = [*Settings.model_fields, "instances"]
        return f'unknown setting "{name}"', "", suggest(name, known)
    found = item["input"]
    plain = isinstance(found, str) and str(item["loc"][0]) not in HIDDEN
    shown_value = f', found "{found}"' if plain else ""
    expected = EXPECTED.get(item["type"])
    said = f"{expected} is expected" if expected else item["msg"][0].lower() + item["msg"][1:]
    return f"{name}: {said}{shown_value}", "", ""


def _sentence(problems: Iterable[Problem]) -> str:
    """All problems as one text."""
    ordered = sorted(problems, key=lambda p: (p.location, p.message))
    return "\n".join(["The configuration is not valid:", *(f"  {problem}" for problem in ordered)])
