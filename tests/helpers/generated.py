"""The files of the project that are made from its code. `make regen` writes them anew: read the difference.

schemas/*.schema.json       from the kinds and the output's models
docs/reference.md           from the kinds
reconciler/completion.json  from the kinds
reconciler/kinds/_index.py  from the kinds (first, by `kind_index.py`: with it, all others are made)
docs/commands.md            from the commands
man/reconciler.1            from the commands
docs/settings.md            from the settings
tests/unit/render/golden/*  from the samples of `samples.py`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from kind_index import INDEX
from paths import GOLDEN, ROOT
from samples import RENDERED

from reconciler.cli.manual import markdown, roff
from reconciler.reference.explain import reference
from reconciler.reference.json_schema import SCHEMAS, dumps
from reconciler.reference.kind_index import index
from reconciler.reference.names import names_json
from reconciler.reference.settings_page import page

STALE = "is not what the code makes: run `make regen`, and read the difference"


def _schema(name: str) -> str:
    return dumps(SCHEMAS[name]())


def _golden(name: str) -> str:
    return RENDERED[name]() + "\n"


GENERATED: Mapping[Path, Callable[[], str]] = {
    **{ROOT / "schemas" / f"{name}.schema.json": partial(_schema, name) for name in SCHEMAS},
    INDEX: index,
    ROOT / "docs" / "reference.md": reference,
    ROOT / "reconciler" / "completion.json": names_json,
    ROOT / "docs" / "commands.md": markdown,
    ROOT / "man" / "reconciler.1": roff,
    ROOT / "docs" / "settings.md": page,
    **{GOLDEN / name: partial(_golden, name) for name in RENDERED},
}
"""Each file, and what makes its text."""


def strangers() -> set[Path]:
    """Files among the generated ones that nothing makes any more."""
    folders = {path.parent for path in GENERATED} - {ROOT / "docs", ROOT / "reconciler", INDEX.parent}
    return {path for folder in folders for path in folder.iterdir()} - set(GENERATED)


def regenerate() -> None:
    """Write every file whose text has changed, remove those that nothing makes, and say which."""
    for path, make in GENERATED.items():
        text = make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"written: {path.relative_to(ROOT)}")
    for path in strangers():
        path.unlink()
        print(f"removed: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    regenerate()
