"""The package's description: README.md, with links that work where the files around it are not.

Everything else about the package is in pyproject.toml.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
LINK = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\((?!\w+:)([^)]*)\)")


def description(readme: str, files: str = "", version: str = "") -> str:
    """The text, with relative links turned into links below `files`; into their words if there is no such address."""

    def linked(match: re.Match[str]) -> str:
        words, path = match[1], match[2]
        return f"[{words}]({files.format(version=version, path=path)})" if files and path[0] != "#" else words

    return LINK.sub(linked, readme)


def version() -> str:
    """The version of the package, from its text."""
    found = re.search(
        r'^__version__ = "(.+)"$', (ROOT / "reconciler" / "__init__.py").read_text(encoding="utf-8"), re.M
    )
    assert found is not None
    return found[1]


def main() -> None:
    """What setuptools runs."""
    own = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"].get("release", {})
    text = description((ROOT / "README.md").read_text(encoding="utf-8"), own.get("files", ""), version())
    setup(long_description=text, long_description_content_type="text/markdown")


if __name__ == "__main__":
    main()
