"""Variables that were left in the environment by work with another server: what of them is used, and what is said.

A chosen instance says which server is meant, more than a variable does that a shell or a CI job may have for another
one. So neither REDMINE_URL nor a key in the environment replaces what the instance sets itself; and a key that stands
beside a REDMINE_URL is for that server, and is sent to no other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from reconciler.config.file import Layer
from reconciler.settings import CREDENTIALS, VARIABLES, Settings


def without(
    environment: Layer, in_file: Sequence[Layer], chosen: str, instances: Collection[str]
) -> tuple[Layer, tuple[str, ...]]:
    """The environment without what is not used for the `chosen` one of the `instances`, and a sentence on what that
    concerns.

    `in_file` are the layers of the file: that of the instance first.
    """
    if not chosen:
        return environment, (*_overriding(environment.settings, in_file), *_choosing(environment.settings, instances))
    given, instance = environment.settings, in_file[0]
    by_url = next((layer for layer in in_file if layer.has("url")), None)
    if given.url is not None and by_url is not None and not _same(given.url, by_url.settings.url):
        dropped = ["url", *(name for name in CREDENTIALS if getattr(given, name) is not None)]
        note = f"{_names(dropped)} not used: {by_url.origin} has its own `url`."
        return _copy(environment, dropped), (note,)
    dropped = [name for name in _replaced(instance) if getattr(given, name) is not None]
    differing = [name for name in dropped if getattr(given, name) != getattr(instance.settings, name)]
    note = f"{_names(differing)} not used: {instance.origin} has its own credentials."
    return _copy(environment, dropped), (note,) if differing else ()


def _replaced(instance: Layer) -> tuple[str, ...]:
    """The credentials of the environment in whose place an instance has its own."""
    if any(map(instance.has, ("api_key", "password", "bearer"))):
        return CREDENTIALS
    # Its login alone: the password may come from the environment.
    return ("username", "api_key", "bearer") if instance.has("username") else ()


def _overriding(given: Settings, in_file: Iterable[Layer]) -> Iterable[str]:
    """A sentence if a credential in the environment replaces another one in the file: it may be for another server."""
    for layer in in_file:
        for name in CREDENTIALS:
            value, own = getattr(given, name), getattr(layer.settings, name)
            # With a URL of its own, the key is for that server.
            if value is not None and own is not None and value != own and given.url is None:
                yield f"{VARIABLES[name]} is used instead of `{name}` in {layer.origin}."


def _choosing(given: Settings, instances: Collection[str]) -> Iterable[str]:
    """A sentence if the environment names a server where an instance could be chosen."""
    if given.url is not None and instances:
        names = " or ".join(instances)
        unused = "nothing that an instance sets is used, such as its overlays"
        yield f"{VARIABLES['url']} names the server, and no instance is chosen (--instance {names}): {unused}."


def _same(one: str, other: str | None) -> bool:
    return other is not None and one.rstrip("/") == other.rstrip("/")


def _names(names: Sequence[str]) -> str:
    variables = [VARIABLES[name] for name in names]
    return f"{' and '.join(variables)} {'is' if len(variables) == 1 else 'are'}"


def _copy(layer: Layer, dropped: Sequence[str]) -> Layer:
    unset = layer.settings.model_copy(update=dict.fromkeys(dropped))
    return Layer(layer.origin, unset)
