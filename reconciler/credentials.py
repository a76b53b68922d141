"""Secrets that are computed when they are used: what a program prints, or a password of the system's keyring.

Only `reconciler.yaml` can name them: manifests come from more people, who must not run programs.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from pydantic import SecretStr

from reconciler.errors import ConfigError
from reconciler.manifest.scalars import Command, Computed

TIMEOUT = 60.0
"""Seconds that a program may take; a person may have to unlock a password store."""


def revealed(name: str, value: SecretStr | Computed, folder: Path) -> SecretStr:
    """The secret of a setting. A program runs in `folder`, that of the configuration.

    Raises ConfigError, without what the program printed on its standard output.
    """
    if isinstance(value, SecretStr):
        return value
    text = _printed(name, value, folder) if isinstance(value, Command) else _kept(name, value)
    if not text or "\n" in text:
        what = "nothing" if not text else "several lines"
        raise ConfigError(f"`{name}`: {value.tag} gave {what}; expected one line with the secret.")
    return SecretStr(text)


def _printed(name: str, command: Computed, folder: Path) -> str:
    if not command:
        raise ConfigError(f"`{name}`: !command needs a list: the program and its arguments.")
    try:
        # No shell: the list is the program and its arguments. Standard input may be a manifest; programs ask for a
        # password at the terminal itself.
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False
        )
    except OSError as error:
        raise ConfigError(f"`{name}`: cannot run {command[0]}: {error.strerror}.") from error
    except subprocess.TimeoutExpired:
        # Not `from`: the exception has what the program printed.
        raise ConfigError(f"`{name}`: {command[0]} did not end within {TIMEOUT:g} seconds.") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2][:200]
        raise ConfigError(f"`{name}`: {command[0]} failed with status {done.returncode}{f': {said}' if said else '.'}")
    return done.stdout.decode(errors="replace").rstrip("\r\n")


def _kept(name: str, place: Computed) -> str:
    if len(place) != 2:
        raise ConfigError(f"`{name}`: !keyring needs a list of two: [SERVICE, USERNAME].")
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError as error:
        hint = "install redmine-reconciler[keyring]"
        raise ConfigError(f"`{name}`: the library for the system's keyring is missing: {hint}.") from error
    service, username = place
    try:
        password = keyring.get_password(service, username)
    except KeyringError as error:
        raise ConfigError(f"`{name}`: the keyring cannot be read: {str(error).rstrip('.')}.") from error
    if password is None:
        store = f"keyring set {service} {username}"
        raise ConfigError(
            f"`{name}`: the keyring has no password of {username} for {service}: store it with `{store}`."
        )
    return password
