"""Requests to the program inside Redmine: one command, one request on its standard input, one marked line as answer."""

from __future__ import annotations

import base64
import json
import secrets
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from reconciler.catalog.dialog import Dialog, converse
from reconciler.errors import AnswerLost, CatalogError
from reconciler.masking import Secrets

PROTOCOL = 1
QUOTED = 2_000
"""Characters of a command's own messages that are shown."""
WIDTH = 76
"""Characters of a line of the request: a terminal between here and Redmine cuts lines after 4,095."""
PRIVATE = ("account_password", "mail_handler_api_key", "sys_api_key")
"""What a request has in plain text, and no message must show: `SECRETS` of the program."""

Answer = dict[str, Any]


def program() -> str:
    """The Ruby program."""
    return files(__package__).joinpath("program.rb").read_text(encoding="utf-8")


def script(request: Mapping[str, Any]) -> str:
    """The program with its request: what the command reads, or what an administrator runs."""
    encoded = base64.b64encode(json.dumps(request).encode()).decode()
    lines = "\n".join(encoded[at : at + WIDTH] for at in range(0, len(encoded), WIDTH))
    return f"CATALOG_REQUEST='{lines}'\n{program()}"


@dataclass(frozen=True, slots=True)
class Command:
    """How the program is started: `argv`, and the seconds that one call may take. `secrets` are never quoted."""

    argv: tuple[str, ...]
    timeout: float = 300.0
    secrets: Secrets = field(default_factory=Secrets, repr=False)

    async def call(self, request: Mapping[str, Any]) -> Answer:
        """The answer to one request.

        Raises CatalogError if the command cannot be run, or Redmine refuses it as a whole: nothing was written. Raises
        AnswerLost if a `write` may have been executed.
        """
        nonce = secrets.token_hex(16)
        # Where the command is on another machine, the program there outlives it: it must not write after this call has
        # been given up. Half of the time is for the start of Rails, which the program cannot measure.
        text = script({"protocol": PROTOCOL, "nonce": nonce, "within": self.timeout / 2, **request})
        try:
            dialog = await converse(self.argv, text.encode(), nonce.encode(), self.timeout)
        except OSError as error:
            raise CatalogError(f"catalog_command: {self.argv[0]} cannot be run: {error.strerror or error}.") from error
        except ValueError as error:
            raise CatalogError(f"catalog_command cannot be run: {error}.") from error
        return self._understood(request, text, dialog)

    def lost(self, request: Mapping[str, Any], message: str) -> Exception:
        """The error for an answer that does not say what was done."""
        sentence = f"catalog_command {message}"
        return AnswerLost(sentence, timed_out=True) if request["op"] == "write" else CatalogError(f"{sentence}.")

    def _understood(self, request: Mapping[str, Any], text: str, dialog: Dialog) -> Answer:
        answer = _decoded(dialog.answer)
        if answer is None:
            said = self._quoted(request, text, dialog)
            raise self.lost(request, self._why(dialog) + (f": {said}" if said else ""))
        if answer.get("protocol") != PROTOCOL:
            raise self.lost(request, "answered with another protocol than that of this version")
        if "unsure" in answer:
            raise self.lost(request, f"could not tell what was written: {answer['unsure']}")
        if "error" in answer:
            raise CatalogError(f"catalog_command: {answer['error']}")
        return answer

    def _why(self, dialog: Dialog) -> str:
        if dialog.timed_out:
            return f"did not answer within {self.timeout:g} seconds"
        if dialog.too_much:
            return f"printed more than {dialog.LARGEST >> 20} MiB and no answer"
        if dialog.answer is not None:
            return "answered with something that is not an answer"
        return f"ended with {_ended(dialog.code)} and no answer"

    def _quoted(self, request: Mapping[str, Any], text: str, dialog: Dialog) -> str:
        """The command's own words, on one line; a terminal on the way echoes the request, which may have passwords."""
        sent = {line.strip() for line in text.splitlines()}
        said = (dialog.said if dialog.said.strip() else dialog.noise).decode(errors="replace")
        lines = (line.strip() for line in said.splitlines())
        own = [line for line in lines if line not in sent and not line.startswith("from ")]
        masked = self._secrets(request).masked("\n".join(own), common=True)
        plain = "".join(char if char.isprintable() else " " for char in masked)
        words = " ".join(plain.split())
        return words if len(words) <= QUOTED else f"{words[: QUOTED // 2]} … {words[-QUOTED // 2 :]}"

    def _secrets(self, request: Mapping[str, Any]) -> Secrets:
        hidden = Secrets()
        hidden.include(self.secrets)
        for item in request.get("items", ()):
            hidden.add(*(str(item["set"][name]) for name in PRIVATE if (item.get("set") or {}).get(name)))
        return hidden


def _ended(code: int | None) -> str:
    if code is None:
        return "its output"
    with suppress(ValueError):
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"signal {-code}"


def _decoded(encoded: bytes | None) -> Answer | None:
    """The answer; None if it is missing or damaged."""
    with suppress(ValueError, RecursionError):
        answer = json.loads(base64.b64decode(encoded or b"", validate=True))
        return answer if isinstance(answer, dict) else None
    return None
