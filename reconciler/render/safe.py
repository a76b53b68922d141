"""Makes text from servers and manifests harmless: each function escapes any text for one format.

All of them replace invisible characters and those that rearrange others (C0 and C1 control characters, bidirectional
overrides, invisible marks, lone surrogates, and what XML excludes) by U+FFFD, and line breaks and tabs by a space.
"""

from __future__ import annotations

import html as stdlib_html
import re

BREAKS = re.compile("\r\n|[\t\n\v\f\r\x85\u2028\u2029]")
INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff0-\ufffb\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
)
COMMAND = re.compile(r"##(?=[\w.]*\[)|^\s*::")
"""`##[command]` and `##vso[command]`, which CI servers execute anywhere in a line of a log, and `::command::` at its
start, where blanks before it do not matter."""

PUNCTUATION = re.compile(r"[\\`*_{}\[\]()<>#|~@&$^!]|^[-+=:]|(?<=\d)\.(?=\s|$)|(?<=www)\.|:(?=//|\w+:)")
"""Characters with a meaning in Markdown: anywhere, at the start, after a number, in a link, around an emoji name."""
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "@<!-- -->", "#": "#<!-- -->"}
"""GitHub and GitLab link even an escaped `@name` or `#12`; a comment after the sign prevents it."""


def terminal(text: str) -> str:
    """One line that cannot move the cursor, change colors, reorder the text around it or command a CI server."""
    # A shortcut for nearly all texts: none of the characters that are replaced is printable.
    if text.isprintable() and "##" not in text and "::" not in text:
        return text
    clean = INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", BREAKS.sub(" ", text))
    return COMMAND.sub(lambda match: f"{match[0][:-1]} {match[0][-1]}", clean)


def markdown(text: str) -> str:
    """Text for Markdown (CommonMark and GitHub's) that is shown literally, also in a table cell."""
    # An empty list item could turn the line before it into a heading.
    clean = terminal(text).strip()
    return PUNCTUATION.sub(lambda match: ENTITIES.get(match[0], "\\" + match[0]), clean) or "&nbsp;"


def code(text: str, *, cell: bool = False) -> str:
    """A code span for Markdown. `cell` is for tables, where a pipe ends the cell even in code."""
    clean = terminal(text) or " "
    # Longer than any run of backticks inside, which would end the span.
    fence = "`" * (_longest_run(clean) + 1)
    # Markdown strips one space from both ends of a code span, and a backtick there would lengthen the fence.
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
    """Text for HTML, for an element or a quoted attribute."""
    return stdlib_html.escape(terminal(text), quote=True)


def html_in_markdown(text: str) -> str:
    """Text for an HTML element in Markdown, outside of code: a name or a number there must not become a link."""
    escaped = stdlib_html.escape(terminal(text), quote=False)
    return re.sub("[@#]", lambda match: ENTITIES[match[0]], escaped)


def workflow(text: str, *, part: bool = False) -> str:
    """The message of a GitHub workflow command; `part` is for one of its properties (`file=…`)."""
    # `%` first, because the other escapes contain it.
    escaped = terminal(text).replace("%", "%25")
    return escaped.replace(":", "%3A").replace(",", "%2C") if part else escaped
