"""Texts from servers and manifests, made harmless: each function takes any text and gives one for its format.

All of them replace what a reader cannot see or what moves other characters about (control characters, also those of C1,
bidirectional overrides, invisible marks, lone surrogates) by U+FFFD, and line breaks and tabs by a blank.
"""

from __future__ import annotations

import html as stdlib_html
import re

BREAKS = re.compile("\r\n|[\t\n\v\f\r\x85\u2028\u2029]")
INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
COMMAND = re.compile(r"##(?=[\w.]*\[)")
"""`##[command]` and `##vso[command]`: CI servers obey these anywhere in a line of a log."""

PUNCTUATION = re.compile(r"[\\`*_{}\[\]()<>#|~@&$^!]|^[-+=:]|(?<=\d)\.(?=\s|$)|(?<=www)\.|:(?=//|\w+:)")
"""What Markdown gives a meaning to: everywhere, at the beginning, after a number, in a link, around an emoji's name."""
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "@<!-- -->", "#": "#<!-- -->"}
"""An escaped `@name` or `#12` still is a mention or a link for GitHub and GitLab: a comment after the sign stops it."""


def terminal(text: str) -> str:
    """One line that cannot move the cursor, change colours, reorder what is around it or command a CI server."""
    if text.isprintable() and "##" not in text:
        return text
    return COMMAND.sub("# #", INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", BREAKS.sub(" ", text)))


def markdown(text: str) -> str:
    """Running text for Markdown (CommonMark and GitHub's): shown as it is, in a table cell too."""
    # An empty line of a list could make a heading of the line before it.
    clean = terminal(text).strip()
    return PUNCTUATION.sub(lambda match: ENTITIES.get(match[0], "\\" + match[0]), clean) or "&nbsp;"


def code(text: str, *, cell: bool = False) -> str:
    """A code span for Markdown; `cell` is for inside a table, where a pipe ends the cell even in code."""
    clean = terminal(text) or " "
    fence = "`" * (_longest_run(clean) + 1)
    pad = " " if clean[0] in "` " or clean[-1] in "` " else ""
    return (fence + pad + clean + pad + fence).replace("|", "\\|" if cell else "|")


def fenced(lines: list[str], language: str) -> str:
    """A fenced code block for Markdown."""
    clean = [terminal(line) for line in lines]
    fence = "`" * max(3, *(_longest_run(line) + 1 for line in clean))
    return "\n".join([fence + language, *clean, fence])


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def html(text: str) -> str:
    """Text for HTML, in an element or a quoted attribute."""
    return stdlib_html.escape(terminal(text), quote=True)


def workflow(text: str, *, part: bool = False) -> str:
    """The message of a GitHub workflow command; `part` is for one of its properties (`file=…`)."""
    escaped = terminal(text).replace("%", "%25")
    return escaped.replace(":", "%3A").replace(",", "%2C") if part else escaped
