"""What to plan, and how; and which objects a pattern of an option means.

Apart from the plan itself, as this decides what is read, and a plan is made after that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from reconciler.errors import ReconcilerError
from reconciler.manifest.loader import suggest
from reconciler.model.address import Address
from reconciler.record import Record


class PlanOptions(Record):
    """What to plan, and how.

    `targets` and `excludes` are globs over `kind/key`. `resend` are globs over `kind/key.field` for values that cannot
    be compared, because they are write-only (a password) or computed by Redmine: they are sent in any case. With
    `unarchive`, archived projects are opened to be compared; with `keep_going`, objects that have a problem are left
    out, with what needs them. With `prune`, undeclared objects of authoritative collections are removed; with
    `unmanaged`, all undeclared objects in declared projects are read and listed.
    """

    targets: Sequence[str] = ()
    excludes: Sequence[str] = ()
    unarchive: bool = False
    resend: Sequence[str] = ()
    keep_going: bool = False
    prune: bool = False
    unmanaged: bool = False

    @property
    def only_targets(self) -> bool:
        """Whether nothing is asked for but targets: then only what these need is read (`plan.narrow`)."""
        others = (self.excludes, self.resend, self.unarchive, self.keep_going, self.prune, self.unmanaged)
        return bool(self.targets) and not any(others)

    def check(self) -> None:
        """Raise ReconcilerError for options that contradict each other."""
        # What has a problem could be just what looks undeclared, and so could what is in an archived project.
        if self.prune and (self.keep_going or self.unarchive):
            raise ReconcilerError(
                "--prune cannot be combined with --keep-going or --unarchive: it needs to see everything."
            )


ALL = PlanOptions()


def several(names: str | Iterable[str]) -> tuple[str, ...]:
    """The names; a text is a single one, and not its letters."""
    return (names,) if isinstance(names, str) else tuple(names)


def label(address: Address) -> str:
    """The text that patterns are matched with."""
    return f"{address.kind}/{address.key}"


def matching(patterns: Sequence[str], known: Iterable[Address], option: str) -> frozenset[Address]:
    """The objects that `patterns` match. Raises ReconcilerError for one that matches none."""
    labels = {label(a): a for a in known}
    return frozenset(labels[text] for pattern in patterns for text in matches(pattern, labels, option, "object"))


def matches(pattern: str, labels: Iterable[str], option: str, what: str) -> list[str]:
    """The labels that a pattern matches.

    Raises ReconcilerError if there are none; `what` they are, and the `option`, are for its sentence.
    """
    # Also literally: keys can contain `[` and `*`. Not `fnmatch`, which ignores case on Windows.
    found = [text for text in labels if text == pattern or fnmatchcase(text, pattern)]
    if not found:
        raise ReconcilerError(f'{option} "{pattern}" matches no declared {what}{_hint(pattern, labels)}.')
    return found


def _hint(pattern: str, labels: Iterable[str]) -> str:
    near = suggest(pattern, labels)
    return f" ({near})" if near else "; a pattern is KIND/KEY, such as version/web-shop/1.0 or issue/web-shop/*"
