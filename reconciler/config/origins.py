"""Where each setting comes from: `reconciler config show`. Nothing here runs a program or asks a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from functools import partial
from typing import Any, Literal

from msgspec.structs import replace
from pydantic import BaseModel, SecretStr

from reconciler.config import Config, hidden
from reconciler.config.file import ENVIRONMENT, Layer
from reconciler.errors import ConfigError, Location
from reconciler.manifest.excerpt import looks_secret
from reconciler.manifest.expressions import with_hidden_defaults, with_hidden_parts
from reconciler.manifest.loader import Map, locate
from reconciler.manifest.scalars import Computed
from reconciler.masking import MASK, shown_url
from reconciler.record import Record
from reconciler.redmine.connection import Connection
from reconciler.redmine.urls import checked_address, checked_url
from reconciler.settings import CREDENTIALS, SECRET, VARIABLES, Lease, Limits, Settings

FLAGS = {"url": "--url", "api_key": "--api-key-file", "concurrency": "--concurrency"}
"""Setting → the option that sets it."""
MODELS: Mapping[str, type[BaseModel]] = {"limits": Limits, "lease": Lease}
"""Settings that are mappings with settings of their own."""
MAPPINGS = ("headers", "user_ids")
CHECKS: Mapping[str, Callable[[str], object]] = {"url": checked_url, "proxy": partial(checked_address, "proxy")}
"""The settings that are URLs, each with what refuses one that cannot be used."""
URLS = CHECKS.keys()
COMMANDS = ("catalog_command",)


class Origin(Record):
    """What sets a value: an option, an environment variable, a place in the file, or nothing but the default."""

    type: Literal["option", "environment", "file", "default", "unset"]
    name: str = ""
    """The option or variable."""
    place: Location | None = None
    instance: str = ""
    """The instance, for a place inside one."""

    def __str__(self) -> str:
        if self.type in ("default", "unset"):
            return self.type if self.type == "default" else "not set"
        where = self.name or str(self.place)
        return f"{where} (instance {self.instance})" if self.instance else where


class Setting(Record):
    """A setting and its value as it may be shown: a secret is masked, what a program computes is not computed.

    `expression` is what the file says for a value with `${NAME}`; `overrides` are the origins of values that are not
    used; `problem` is why the value cannot be used.
    """

    name: str
    value: Any
    origin: Origin
    secret: bool = False
    expression: str = ""
    overrides: tuple[Origin, ...] = ()
    problem: str = ""


DEFAULTS: Mapping[str, Any] = {
    **{field.name: field.default for field in fields(Connection) if field.name in ("timeout", "deadline")},
    **{field.name: field.default for field in fields(Connection) if field.name in ("concurrency", "retries")},
    **{field.name: field.default for field in fields(Connection) if field.name == "catalog_timeout"},
    "prune_users": "lock",
}
"""What is used where nothing sets it."""


def settings(config: Config) -> list[Setting]:
    """All settings in the order of the reference, with their values and origins."""
    return [found for name in Settings.model_fields for found in _settings(name, config)]


def _settings(name: str, config: Config) -> Iterator[Setting]:
    if name == "vars":
        yield from _variables(config)
        return
    layers = [layer for layer in config.layers if layer.has(name)]
    value = getattr(layers[0].settings, name) if layers else DEFAULTS.get(name)
    parts = _parts(name, value)
    if parts is None or (layers and layers[0].unset(name)):
        yield _setting(name, value, layers, config)
        return
    for part, inner in parts.items():
        yield _part(name, part, inner, layers, config)


def _parts(name: str, value: Any) -> dict[str, Any] | None:
    """The settings inside a setting; None if it is none that has any."""
    if name == "limits" or (name == "lease" and value is not None):
        return (value or Limits()).model_dump()
    return value if name in MAPPINGS and value else None


def _setting(name: str, value: Any, layers: list[Layer], config: Config) -> Setting:
    if not layers:
        return Setting(name, value, Origin("default" if value is not None else "unset"), name in SECRET)
    layer = layers[0]
    unset = layer.unset(name)
    overrides = tuple(_origin(other, name) for other in layers[1:])
    expression = _expression(layer.node, name, secret=name in SECRET)
    shown = _shown(name, value, hidden.by_names(layer.node.get(name), config.environ))
    found = Setting(name, shown, _origin(layer, name), name in SECRET, expression)
    return replace(found, overrides=overrides, problem=unset.message if unset else _unusable(name, config))


def _part(name: str, part: str, value: Any, layers: list[Layer], config: Config) -> Setting:
    """One setting inside another one, such as `limits.deletes`."""
    node = layers[0].node.get(name) if layers else None
    declared = isinstance(node, Map) and part in node
    origin = _origin(layers[0], name, part) if declared else Origin("default" if value is not None else "unset")
    expression = _expression(node, part, secret=name in SECRET) if isinstance(node, Map) else ""
    masks = hidden.by_names(node.get(part), config.environ) if isinstance(node, Map) else {}
    return Setting(f"{name}.{part}", _shown(name, value, masks), origin, name in SECRET, expression)


def _origin(layer: Layer, name: str, *inner: str) -> Origin:
    if layer.node.where().line:
        return Origin("file", place=locate(layer.node, [name, *inner]), instance=layer.instance)
    if layer.origin == ENVIRONMENT:
        return Origin("environment", VARIABLES[name])
    return Origin("option", FLAGS[name])


def _shown(name: str, value: Any, masks: Mapping[str, str]) -> Any:
    """A value as it may be shown, as plain data. `masks` are values with what a secret `${NAME}` gave masked."""
    if isinstance(value, Computed):
        # Its arguments may have secrets too.
        more = ", …" if len(value) > 1 else ""
        return f"{value.tag} [{value[0] if value else ''}{more}]"
    if value is None or name in SECRET or isinstance(value, SecretStr):
        return None if value is None else MASK
    if isinstance(value, tuple):
        texts = [masks.get(item, item) for item in value]
        return hidden.command(texts) if name in COMMANDS else [hidden.shell(item) for item in texts]
    if masks:
        # What is not there literally, such as a path, is none of a text in which a part can be masked.
        value = masks.get(str(value), MASK)
    return _text(name, value)


def _text(name: str, value: Any) -> Any:
    return value if isinstance(value, int | float) else _said(name, str(value))


def _expression(node: Map, name: str, *, secret: bool) -> str:
    """What the file says for a value that has `${NAME}` in it; of a secret, only the names."""
    said = (part.expression for part in hidden.templated(node.get(name)))
    known = (with_hidden_parts(e, MASK) if secret else with_hidden_defaults(e, MASK, looks_secret) for e in said)
    return ", ".join(_said(name, one) for one in known)


def _said(name: str, text: str) -> str:
    return hidden.shell(shown_url(text) if name in URLS else text)


def _unusable(name: str, config: Config) -> str:
    """Why a URL cannot be used; why a credential is not used, or refused."""
    if name in URLS:
        return _unusable_url(name, config)
    if name not in CREDENTIALS:
        return ""
    used = config.used_credentials
    if name not in used:
        origin = next(layer.origin for layer in config.layers if any(map(layer.has, used)))
        verb = "is" if len(used) == 1 else "are"
        return f"not used, because {' and '.join(used)} of {origin} {verb}"
    try:
        config.check_server(name)
    except ConfigError as error:
        return str(error)
    return ""


def _unusable_url(name: str, config: Config) -> str:
    text = next(getattr(layer.settings, name) for layer in config.layers if layer.has(name))
    try:
        CHECKS[name](text)
    except ConfigError as error:
        return str(error)
    return ""


def _variables(config: Config) -> Iterator[Setting]:
    """The `vars` of the file, as manifests see them: the environment wins, then the instance."""
    names = dict.fromkeys(name for layer in config.layers for name in layer.settings.vars)
    for name in names:
        layers = [layer for layer in config.layers if name in layer.settings.vars]
        origins = [_origin(layer, "vars", name) for layer in layers]
        if name in config.environ:
            origins.insert(0, Origin("environment", name))
        value, secret = config.variables[name], looks_secret(name)
        node = layers[0].node.get("vars")
        declared = isinstance(node, Map) and len(origins) == len(layers)
        expression = _expression(node, name, secret=secret) if isinstance(node, Map) and declared else ""
        masks = hidden.by_names(node.get(name), config.environ) if isinstance(node, Map) and declared else {}
        shown = MASK if secret else _shown(name, value, masks)
        yield Setting(f"vars.{name}", shown, origins[0], secret, expression, tuple(origins[1:]))
