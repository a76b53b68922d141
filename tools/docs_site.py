"""A hook of mkdocs (`make docs`): the pages outside docs/, and links to files of the repository.

The pages are written for the repository, so that links work where it is browsed. On the site, README.md is the first
page; other pages and files outside docs/ keep their paths. Only what a page links to is taken along.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
DOCS = "docs"
HOME = {"README.md": "index.md"}
"""Pages that have another path on the site than in the repository."""
FENCE = re.compile(r"(^ *```.*?^ *```\n)", re.M | re.S)
LINK = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^)#:\s]+)(#[^)]*)?\)")


def on_config(config: MkDocsConfig) -> None:
    """Leave out of the navigation what is not written yet."""
    assert config.nav is not None
    config.nav = [kept for entry in config.nav if (kept := _written(entry))]


def _written(entry: Any) -> Any:
    (title, target), *_ = entry.items()
    if isinstance(target, list):
        return {title: [kept for each in target if (kept := _written(each))]}
    return entry if (ROOT / _in_repository(target)).is_file() else None


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the navigation, and the files that pages link to, which are outside docs/."""
    waiting = [_in_repository(uri) for uri in _pages(config.nav)]
    waiting += [_in_repository(file.src_uri) for file in files.documentation_pages()]
    for path in waiting:
        if files.get_file_from_path(_on_site(path)) is None:
            file = File.generated(
                config, _on_site(path), abs_src_path=str(ROOT / path), inclusion=InclusionLevel.INCLUDED
            )
            files.append(file)
        text = (ROOT / path).read_text(encoding="utf-8") if path.endswith(".md") else ""
        waiting += sorted({linked for linked in _links(path, text) if (ROOT / linked).is_file()} - set(waiting))
    return files


def _pages(nav: Any) -> Iterator[str]:
    for entry in nav:
        for target in entry.values():
            yield from _pages(target) if isinstance(target, list) else [target]


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Point links at where their targets are on the site; a link to a folder becomes its text."""
    here = _in_repository(page.file.src_uri)

    def there(match: re.Match[str]) -> str:
        text, target, fragment = match[1], match[2], match[3] or ""
        linked = _joined(here, target)
        if (ROOT / linked).is_dir():
            return text
        return f"[{text}]({os.path.relpath(_on_site(linked), PurePosixPath(page.file.src_uri).parent)}{fragment})"

    return _outside_fences(markdown, lambda text: LINK.sub(there, text))


def _outside_fences(markdown: str, change: Callable[[str], str]) -> str:
    return "".join(part if FENCE.fullmatch(part) else change(part) for part in FENCE.split(markdown))


def _links(page: str, text: str) -> Iterator[str]:
    for match in LINK.finditer(FENCE.sub("", text)):
        yield _joined(page, match[2])


def _joined(page: str, target: str) -> str:
    return os.path.normpath(PurePosixPath(page).parent / target)


def _in_repository(uri: str) -> str:
    names = {site: path for path, site in HOME.items()}
    if uri in names:
        return names[uri]
    return f"{DOCS}/{uri}" if (ROOT / DOCS / uri).exists() or not (ROOT / uri).exists() else uri


def _on_site(path: str) -> str:
    return HOME.get(path) or path.removeprefix(f"{DOCS}/")
