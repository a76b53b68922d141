"""The site of the docs, as `make docs` builds it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from paths import ROOT


class Links(HTMLParser):
    """Where a page leads, what it loads, and what can be linked to in it."""

    def __init__(self) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors.add(given.get("id", ""))
        if tag == "a":
            self.links.add(given.get("href", ""))
        elif tag in ("link", "script", "img"):
            self.loaded |= {given.get("href", ""), given.get("src", "")} if given.get("rel") != "canonical" else set()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Links]:
    """All pages by path; a warning of mkdocs fails the build."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", folder]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = {path: Links() for path in folder.rglob("*.html") if path.name != "404.html"}
    for path, page in pages.items():
        page.feed(path.read_text(encoding="utf-8"))
    return pages


@pytest.mark.package
def test_each_page_of_the_docs_is_on_the_site(site: dict[Path, Links]) -> None:
    """Those of docs/, and the README, the changelog and others beside it."""
    names = {"/".join(path.parts[path.parts.index("site0") + 1 :]) for path in site}
    docs = {str(path.relative_to(ROOT / "docs").with_suffix(".html")) for path in (ROOT / "docs").rglob("*.md")}
    assert names >= docs | {"index.html", "CHANGELOG.html", "CONTRIBUTING.html", "examples/index.html"}


@pytest.mark.package
def test_links_of_the_site_lead_somewhere(site: dict[Path, Links]) -> None:
    """A link within the site leads to a file of it, and to something in that with the name of its fragment."""
    wrong = []
    for path, page in site.items():
        for link in page.links:
            parts = urlsplit(link)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if parts.scheme or not link:
                continue
            known = target in site and (not parts.fragment or unquote(parts.fragment) in site[target].anchors)
            if not (known or (target.is_file() and target not in site)):
                wrong.append((path.name, link))
    assert wrong == []


@pytest.mark.package
def test_the_site_loads_nothing_from_elsewhere(site: dict[Path, Links]) -> None:
    """No script, style, font or image comes from another server: the site can be read offline."""
    assert [
        (path.name, url) for path, page in site.items() for url in page.loaded if re.match(r"(https?:)?//", url)
    ] == []
