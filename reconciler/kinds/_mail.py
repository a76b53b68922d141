"""Which mail addresses no Redmine takes as they are (`EmailAddress`): what 5.0 and 6.1 disagree on is left to them."""

from __future__ import annotations

import re

# 5.0 wants a domain with a dot, 6.1 follows RFC 5322 (`URI::MailTo`).
OLDER = re.compile(r"[^@\s]+@([-a-z0-9]+\.)+(xn--[-a-z0-9]+|[a-z]{2,})", re.IGNORECASE | re.ASCII)
LABEL = r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
NEWER = re.compile(rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{LABEL}(\.{LABEL})*")


def fault(address: str) -> str:
    """What is wrong with an address, or ""."""
    if address != address.strip():
        return "blanks around it, which Redmine removes"
    domain = address.rpartition("@")[2]
    if not domain.isascii():
        # 5.0 refuses such a domain, 6.1 stores it encoded: a change in every plan.
        encoded = _encoded(domain)
        return f"write its domain as {encoded}, as Redmine stores it" if encoded else REFUSED
    return "" if OLDER.fullmatch(address) or NEWER.fullmatch(address) else REFUSED


REFUSED = "Redmine refuses it as an e-mail address"


def _encoded(domain: str) -> str:
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return ""
