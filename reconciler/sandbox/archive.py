"""Finds Debian's archive in this machine's apt sources, and Debian's keyring. Only reads files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from reconciler.errors import SandboxError
from reconciler.record import Record

APT = Path("/etc/apt")
KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    # Newer releases of Debian use this suffix.
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)
OWN_SERVER = "or set REDMINE_URL and REDMINE_API_KEY to use an existing Redmine"

# Debian's main suites. No other distribution uses these names, so they identify Debian's archive.
SUITES = frozenset(
    [
        "bullseye",
        "bookworm",
        "trixie",
        "forky",
        "duke",
        "sid",
        "unstable",
        "testing",
        "stable",
        "oldstable",
        "oldoldstable",
    ]
)
ONE_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)$")


class Source(Record):
    """One apt source, in either of apt's two formats (sources.list(5))."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""


def debian_archive(apt: Path = APT) -> str:
    """The URL of Debian's archive, from the apt sources in `apt`.

    Raises SandboxError if there is none.
    """
    # A source that names its keyring is certainly Debian's; one without may be a third party's.
    candidates = sorted(filter(is_debian, sources(apt)), key=lambda s: not s.signed_by)
    for source in candidates:
        # A CD may come first in the sources, and does not have everything.
        return next(uri for uri in source.uris if not uri.startswith("cdrom:"))
    raise SandboxError(
        f"No apt source under {apt} is Debian's, so the URL of Debian's archive is unknown. "
        f"Set it with --archive URL, {OWN_SERVER}."
    )


def keyring() -> Path:
    """Debian's archive keyring. Raises SandboxError if it is not installed."""
    for path in KEYRINGS:
        if path.is_file():
            return path
    raise SandboxError(
        "Cannot verify Debian's packages: the keyring is missing. "
        f"Install the package debian-archive-keyring, {OWN_SERVER}."
    )


def is_debian(source: Source) -> bool:
    """Whether `source` is Debian's main archive, not a third party's archive for Debian."""
    # Third parties use Debian's suite names for their own archives, but not its keyring.
    keyed = not source.signed_by or "debian-archive" in source.signed_by
    usable = any(not uri.startswith("cdrom:") for uri in source.uris)
    return keyed and usable and "main" in source.components and not SUITES.isdisjoint(source.suites)


def sources(apt: Path) -> Iterator[Source]:
    """All enabled sources of binary packages under `apt`."""
    parts = sorted((apt / "sources.list.d").glob("*"))
    for path in [apt / "sources.list", *parts]:
        if path.suffix == ".sources" and path.is_file():
            yield from deb822(path.read_text(errors="replace"))
        elif path.suffix == ".list" and path.is_file():
            yield from one_line(path.read_text(errors="replace"))


def one_line(text: str) -> Iterator[Source]:
    """The sources of a `.list` file."""
    for line in text.splitlines():
        if match := ONE_LINE.match(line.partition("#")[0].strip()):
            options = dict(o.partition("=")[::2] for o in (match["options"] or "").split())
            yield Source(
                (match["uri"],),
                (match["suite"],),
                tuple(match["components"].split()),
                options.get("signed-by", ""),
            )


def deb822(text: str) -> Iterator[Source]:
    """The sources of a `.sources` file."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    # Comments go first: in deb822 they may stand inside a stanza, or look like its end.
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        fields = _fields(stanza)
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() not in (
            "no",
            "false",
        ):
            uris, suites, components = (tuple(fields.get(k, "").split()) for k in ("uris", "suites", "components"))
            yield Source(uris, suites, components, fields.get("signed-by", ""))


def _fields(stanza: str) -> dict[str, str]:
    # A line that begins with a blank continues the field above it.
    unfolded = re.sub(r"\n[ \t]+", " ", stanza)
    pairs = (line.partition(":") for line in unfolded.splitlines() if ":" in line)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}
