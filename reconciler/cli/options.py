"""Options shared by several commands, and the state they set."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import click

from reconciler.masking import Secrets

if TYPE_CHECKING:
    from reconciler.config import Config
    from reconciler.manifest.excerpt import Source

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class State:
    """The common options of a run. `sources` has the manifest texts that problems quote, `secrets` what none shows."""

    config: str | None = None
    instance: str | None = None
    url: str | None = None
    api_key_file: str | None = None
    api_key: str | None = None
    """What `api_key_file` has, once it was read."""
    concurrency: int | None = None
    verbose: bool = False
    debug: bool = False
    no_color: bool = False
    full: bool = False
    format: str = "text"
    problems_on_stdout: bool = False
    printed: bool = False
    sources: MutableMapping[str, Source] = field(default_factory=dict)
    secrets: Secrets = field(default_factory=Secrets)
    noted: set[str] = field(default_factory=set)

    def configuration(self, paths: tuple[str, ...] = ()) -> Config:
        """The configuration for manifests at `paths`. Raises ConfigError. Prints its notes, each once."""
        from reconciler import config
        from reconciler.cli import output

        flags = {"url": self.url, "api_key": self._key(paths), "concurrency": self.concurrency}
        given = {name: value for name, value in flags.items() if value is not None}
        found = config.load(paths, file=self.config, instance=self.instance, flags=given, secrets=self.secrets)
        for note in found.notes:
            if note not in self.noted:
                output.say(output.safe(f"Note: {note}"))
        self.noted.update(found.notes)
        return found

    def _key(self, paths: tuple[str, ...]) -> str | None:
        """The key of `--api-key-file`. Raises ConfigError, UsageError."""
        if self.api_key_file is None:
            return None
        from reconciler.cli import key_file  # with getpass, which few runs need

        return key_file.key(self, self.api_key_file, paths)


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Store an option, whether given before or after the command name."""
    # Only given values: the option exists twice, and the default of one must not override the other.
    if value not in (None, False):
        setattr(context.find_object(State), parameter.name or "", value)


def _common(*names: str, **settings: Any) -> Callable[[F], F]:
    return click.option(*names, expose_value=False, callback=_keep, **settings)


def common(function: F) -> F:
    """The options of every command; also accepted before the command name."""
    # Decorators apply from the inside out: reversed, `--help` lists the options in the order below.
    for option in reversed(COMMON):
        function = option(function)
    return function


COMMON = (
    _common(
        "--config",
        metavar="FILE",
        help="Configuration file (default: reconciler.yaml in the manifests' folder or above).",
    ),
    _common("--instance", metavar="NAME", help="Use this entry of `instances` in the configuration."),
    _common("--url", metavar="URL", help="URL of the Redmine server."),
    _common(
        "--api-key-file",
        metavar="FILE",
        help="File with the API key, or - to read it from standard input.",
    ),
    _common(
        "--concurrency",
        type=click.IntRange(min=1),
        metavar="N",
        help="Maximum number of concurrent requests (default: 8).",
    ),
    _common("-v", "--verbose", is_flag=True, help="Log each request and the total on stderr."),
    _common("--debug", is_flag=True, help="Show a traceback for errors."),
    _common("--no-color", is_flag=True, help="Disable colors (like NO_COLOR; FORCE_COLOR enables them)."),
)


def _format(context: click.Context, parameter: click.Parameter, value: str) -> str:
    context.find_object(State).format = value  # type: ignore[union-attr]
    return value


def formats(*names: str) -> Callable[[F], F]:
    """`--format`; the first name is the default.

    Eager, so that errors in other options are already printed in that format.
    """
    kind = click.Choice(names, case_sensitive=False)
    return click.option(
        "--format",
        "form",
        type=kind,
        default=names[0],
        show_default=True,
        is_eager=True,
        callback=_format,
        help="Format of the output.",
    )


def selection(function: F) -> F:
    """`--target` and `--exclude`."""
    target = click.option(
        "--target",
        "targets",
        multiple=True,
        metavar="KIND/KEY",
        help="Only matching objects and their dependencies, e.g. version/web-shop/*. Repeatable.",
    )
    exclude = click.option(
        "--exclude",
        "excludes",
        multiple=True,
        metavar="KIND/KEY",
        help="Leave out matching objects, what needs a change of them, and what is inside a project. Repeatable.",
    )
    return target(exclude(function))


resend = click.option(
    "--resend",
    multiple=True,
    metavar="KIND/KEY.FIELD",
    help="Send a write-only field again, e.g. user/jsmith.password. Repeatable.",
)
unarchive = click.option(
    "--unarchive",
    is_flag=True,
    help="Unarchive projects with declared contents to compare them, then archive them again.",
)
prune = click.option(
    "--prune",
    is_flag=True,
    help="Also delete what no manifest declares in the collections that are `authoritative`.",
)
full = _common("--full", is_flag=True, help="Do not shorten long texts in JSON.")
paths = click.argument("paths", nargs=-1, metavar="[PATH]...")
