"""Where the browser is in which pages are tested; as a program, whether there is one."""

from __future__ import annotations

import os
import shutil
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "The tests of HTML pages need Chromium: apt-get install chromium, or set CHROMIUM to the path of a browser."
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
QUIET = ("--disable-background-networking", "--disable-component-update")
"""It sends nothing by itself."""


def path() -> str:
    """The path of Chromium. Raises LookupError with a sentence that says what to install."""
    names = [os.environ["CHROMIUM"]] if os.environ.get("CHROMIUM") else NAMES
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise LookupError(MISSING)
    return found


if __name__ == "__main__":
    try:
        print(path())
    except LookupError as missing:
        sys.exit(str(missing))
