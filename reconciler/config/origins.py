"""Where each setting comes from: `reconciler config show`. Nothing here runs a program or asks a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, Literal

from msgspec.structs import replace
from pydantic import BaseModel, SecretStr

from reconciler.config import Config
from reconciler.config.file import ENVIRONMENT, Layer
from reconciler.errors import ConfigError, Location
from reconciler.manifest.excerpt import looks_secret
from reconciler.manifest.expressions import with_hidden_parts
from reconciler.manifest.loader import Map, Seq, Templated, locate
from reconciler.manifest.scalars import Computed
from reconciler.masking import MASK, without_user_info
from reconciler.record import Record
from reconciler.redmine.connection import Connection
from reconciler.settings import CREDENTIALS, SECRET, VARIABLES, Lease, Limits, Settings

FLAGS = {"url": "--url", "api_key": "--api-key-file", "concurrency": "--concurrency"}
"""Setting → the option that sets it."""
MODELS: Mapping[str, type[BaseModel]] = {"limits": Limits, "lease": Lease}
"""Settings that are mappings with settings of their own."""
MAPPINGS = ("headers", "user_ids")
URLS = ("url", "proxy")


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
        yield _part(name, part, inner, layers)


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
    found = Setting(name, _shown(name, value), _origin(layer, name), name in SECRET, expression)
    return replace(found, overrides=overrides, problem=unset.message if unset else _unusable(name, config))


def _part(name: str, part: str, value: Any, layers: list[Layer]) -> Setting:
    """One setting inside another one, such as `limits.deletes`."""
    node = layers[0].node.get(name) if layers else None
    declared = isinstance(node, Map) and part in node
    origin = _origin(layers[0], name, part) if declared else Origin("default" if value is not None else "unset")
    expression = _expression(node, part, secret=name in SECRET) if isinstance(node, Map) else ""
    return Setting(f"{name}.{part}", _shown(name, value), origin, name in SECRET, expression)


def _origin(layer: Layer, name: str, *inner: str) -> Origin:
    if layer.node.where().line:
        return Origin("file", place=locate(layer.node, [name, *inner]), instance=layer.instance)
    if layer.origin == ENVIRONMENT:
        return Origin("environment", VARIABLES[name])
    return Origin("option", FLAGS[name])


def _shown(name: str, value: Any) -> Any:
    """A value as it may be shown, as plain data."""
    if isinstance(value, Computed):
        # Its arguments may have secrets too.
        more = ", …" if len(value) > 1 else ""
        return f"{value.tag} [{value[0] if value else ''}{more}]"
    if value is None or name in SECRET or isinstance(value, SecretStr):
        return None if value is None else MASK
    if name in URLS:
        return without_user_info(value)
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, int | float) else str(value)


def _expression(node: Map, name: str, *, secret: bool) -> str:
    """What the file says for a value that has `${NAME}` in it; of a secret, only the names."""
    value = node.get(name)
    parts = value if isinstance(value, Seq) else [value]
    said = [part.expression for part in parts if isinstance(part, Templated)]
    return ", ".join(with_hidden_parts(one, MASK) if secret else without_user_info(one) for one in said)


def _unusable(name: str, config: Config) -> str:
    """Why a credential is not used, or refused."""
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
        return without_user_info(str(error))
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
        shown = MASK if secret else value
        yield Setting(f"vars.{name}", shown, origins[0], secret, expression, tuple(origins[1:]))
