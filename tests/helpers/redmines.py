"""Downloads and sets up the Redmines that the tests start: as a program, at the same time as style and types are checked.

What fails is left to the tests that need it: each says then what is wrong, and the others run.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from servers import DATABASE, VERSIONS

from reconciler.errors import SandboxError
from reconciler.sandbox import base


def prepare(version: str) -> None:
    """Make what all sandboxes of a version share, unless it is there."""
    home = base.default_home()
    try:
        with base.lock(home, version, print):
            base.make(home, version, None, lambda text: print(f"{version}: {text}"), base.DATABASES[DATABASE])
    except SandboxError as error:
        print(error)


if __name__ == "__main__":
    with ThreadPoolExecutor(len(VERSIONS)) as threads:
        list(threads.map(prepare, VERSIONS))
