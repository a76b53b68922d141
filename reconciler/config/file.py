"""The layers of the configuration: what the environment sets, and `reconciler.yaml` with its instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reconciler.errors import ConfigError, Location, Problem
from reconciler.manifest.loader import Included, Map, Seq, Templated, expand, locate, suggest
from reconciler.manifest.loader import load as load_yaml
from reconciler.manifest.scalars import Command, Keyring, used_in
from reconciler.manifest.sources import CONFIG, has_content, shown
from reconciler.masking import Secrets
from reconciler.settings import SECRET, UNSET, VARIABLES, Settings, add_secrets, describe_error

ENVIRONMENT = "the environment"
PATHS = ("ca_file", "client_cert", "client_key")


@dataclass(frozen=True, slots=True)
class Layer:
    """The settings of one origin. `unresolved` are those with a `${NAME}` that is not set."""

    origin: str
    settings: Settings
    unresolved: Mapping[str, Problem] = field(default_factory=dict)
    node: Map = field(default_factory=Map, repr=False)
    instance: str = ""

    def has(self, name: str) -> bool:
        """Whether this origin sets a setting."""
        return self.unset(name) is not None or getattr(self.settings, name) is not None

    def unset(self, name: str) -> Problem | None:
        """The problem of a setting, or of a part of it, with a `${NAME}` that is not set."""
        return next((p for n, p in self.unresolved.items() if n == name or n.startswith(f"{name}.")), None)


def _line(text: str) -> str:
    """A text without the line break at its end: it may come from a file, as in a Secret of Kubernetes."""
    return text.rstrip("\r\n")


class _AnyName(dict[str, str]):
    """Contains every name, so that the parser reports no unset variable: expressions are evaluated on use.

    Only the name of a file that `!file` reads is evaluated at once.
    """

    def __contains__(self, name: object) -> bool:
        return True


class Reader:
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
        given = ((name, _line(self.environ.get(variable, ""))) for name, variable in VARIABLES.items())
        values = {name: value for name, value in given if value}
        add_secrets(values, self.secrets)
        settings = self._checked(values, lambda path: Location(VARIABLES[str(path[0])]))
        return Layer(ENVIRONMENT, settings)

    def file(self, chosen: str | None) -> list[Layer]:
        """The layers of the file: the chosen instance, then the rest."""
        root = self._root()
        nodes = self._instances(root, root.get("instances"))
        rest = Map(root.file, root.at)
        rest.update((k, v) for k, v in root.items() if k != "instances")
        rest.marks.update(root.marks)
        top = self._layer(self.place.file, rest)
        named = {
            name: replace(self._layer(f'instance "{name}" of {self.place.file}', node), instance=name)
            for name, node in nodes.items()
        }
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
        loaded = load_yaml([self.path], _AnyName(self.environ), computed=(Command, Keyring))
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
        if not values:
            return UNSET
        try:
            return Settings.model_validate(values)
        except ValidationError as error:
            for item in error.errors(include_url=False):
                self.problems.append(Problem(where(item["loc"]), *describe_error(item)))
        return UNSET


def _evaluated(
    node: Map, environ: Mapping[str, str], *, nulls: bool = False
) -> tuple[dict[str, Any], dict[str, Problem]]:
    """The values of a mapping with expressions evaluated, and setting → Problem for those with an unset variable.

    A null counts as not set, unless `nulls` are kept: those of a list, where one is an item that is missing.
    """
    values: dict[str, Any] = {}
    unresolved: dict[str, Problem] = {}
    for name, value in node.items():
        if isinstance(value, Map):
            values[name], inner = _evaluated(value, environ)
            unresolved |= {f"{name}.{part}": problem for part, problem in inner.items()}
        elif isinstance(value, Templated):
            text, wrong = expand(value.expression, environ)
            for fault in wrong:
                unresolved[name] = Problem(node.where(name), fault.message, hint=fault.hint)
            # Still with its expression, by which a message knows what it must not quote.
            values |= {} if wrong else {name: Templated(_line(str(text)), value.expression)}
        elif isinstance(value, Seq):
            numbered = Map(value.file, value.at)
            numbered.update((str(index), item) for index, item in enumerate(value))
            numbered.marks.update((str(index), mark) for index, mark in enumerate(value.marks))
            items, inner = _evaluated(numbered, environ, nulls=True)
            values[name] = list(items.values())
            unresolved |= {f"{name}.{part}": problem for part, problem in inner.items()}
        elif value is not None or nulls:
            values[name] = value.line if isinstance(value, Included) else value
    return values, unresolved
