"""Options that several commands have, and the state that they leave for the edge of the program."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from reconciler.config import Config
    from reconciler.manifest.excerpt import Source

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class State:
    """What was said on the command line. `sources` has the texts that problems are shown with."""

    config: str | None = None
    instance: str | None = None
    url: str | None = None
    concurrency: int | None = None
    verbose: bool = False
    debug: bool = False
    no_color: bool = False
    format: str = "text"
    problems_on_stdout: bool = False
    printed: bool = False
    sources: MutableMapping[str, Source] = field(default_factory=dict)

    def configuration(self, paths: tuple[str, ...] = ()) -> Config:
        """The configuration for manifests at `paths`. Raises ConfigError."""
        from reconciler import config

        flags = {"url": self.url, "concurrency": self.concurrency}
        given = {name: value for name, value in flags.items() if value is not None}
        return config.load(paths, file=self.config, instance=self.instance, flags=given)


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Remember an option that was given, before or after the name of the command."""
    if value not in (None, False):
        setattr(context.find_object(State), parameter.name or "", value)


def _common(*names: str, **settings: Any) -> Callable[[F], F]:
    return click.option(*names, expose_value=False, callback=_keep, **settings)


def common(function: F) -> F:
    """The options of every command; also accepted before its name."""
    for option in reversed(COMMON):
        function = option(function)
    return function


COMMON = (
    _common("--config", metavar="FILE", help="Settings (default: reconciler.yaml beside the manifests or above)."),
    _common("--instance", metavar="NAME", help="Which of the `instances` in the settings."),
    _common("--url", metavar="URL", help="Address of the Redmine."),
    _common("--concurrency", type=click.IntRange(min=1), metavar="N", help="Requests at the same time (default: 8)."),
    _common("-v", "--verbose", is_flag=True, help="Show every request, and how many there were, on stderr."),
    _common("--debug", is_flag=True, help="Show where in the program an error comes from."),
    _common("--no-color", is_flag=True, help="No colours (also: NO_COLOR; FORCE_COLOR for the opposite)."),
)


def _format(context: click.Context, parameter: click.Parameter, value: str) -> str:
    context.find_object(State).format = value  # type: ignore[union-attr]
    return value


def formats(*names: str) -> Callable[[F], F]:
    """`--format`; the first name is the default."""
    kind = click.Choice(names, case_sensitive=False)
    return click.option(
        "--format", "form", type=kind, default=names[0], show_default=True, is_eager=True, callback=_format
    )


def selection(function: F) -> F:
    """`--target` and `--exclude`."""
    target = click.option(
        "--target",
        "targets",
        multiple=True,
        metavar="KIND/KEY",
        help="Only these objects and what they need, such as version/web-shop/*. Repeatable.",
    )
    exclude = click.option(
        "--exclude",
        "excludes",
        multiple=True,
        metavar="KIND/KEY",
        help="Not these objects, nor what needs them. Repeatable.",
    )
    return target(exclude(function))


resend = click.option(
    "--resend",
    multiple=True,
    metavar="KIND/KEY.FIELD",
    help="Send this field though Redmine does not show it, such as user/jsmith.password. Repeatable.",
)
unarchive = click.option(
    "--unarchive",
    is_flag=True,
    help="Unarchive projects that something is declared of, to compare it; they are archived again.",
)
paths = click.argument("paths", nargs=-1, metavar="[PATH]...")
