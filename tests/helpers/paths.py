"""Where the files of the project and of its tests are."""

from __future__ import annotations

from pathlib import Path

HELPERS = Path(__file__).parent
TESTS = HELPERS.parent
ROOT = TESTS.parent
GOLDEN = TESTS / "unit" / "render" / "golden"
SETUP = HELPERS / "setup.rb"
"""What every test server has; `UGLY` and `WORN` are run in one on top of it."""
UGLY = HELPERS / "ugly.rb"
WORN = HELPERS / "worn.rb"
