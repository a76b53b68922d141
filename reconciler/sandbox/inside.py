"""Runs a program inside an unpacked Debian: in a user namespace, or in a plain chroot as root."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from reconciler.errors import SandboxError
from reconciler.sandbox import process
from reconciler.sandbox.archive import OWN_SERVER

APP = "/usr/share/redmine"
NOBODY = 33  # www-data, in every Debian
DEVICES = {"null": (1, 3), "zero": (1, 5), "random": (1, 8), "urandom": (1, 9)}

# A leaked GEM_PATH, RUBYLIB or BUNDLE_GEMFILE breaks bundler, so the caller's environment is not passed on.
ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/tmp",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "RAILS_ENV": "production",
    "SCHEMA": "/dev/null",  # else Rails dumps the schema into the shared tree
    "REDMINE_LANG": "en",
    "BUNDLE_SILENCE_ROOT_WARNING": "1",
}
# No --pid: programs inside must record pids that are valid outside. `slave`: mounts outside still show inside.
UNSHARE = ("unshare", "--map-root-user", "--mount", "--propagation", "slave")
# Bound, as an ordinary user cannot make device nodes, not even as root of a namespace.
BIND = 'mount --rbind /dev "$0/dev" && exec'
ENTER = f'{BIND} chroot "$0" "$@"'
# In one more namespace, as a program in a chroot may make none. The same user outside.
ENTER_UNPRIVILEGED = f'{BIND} unshare --user --map-user={NOBODY} --map-group={NOBODY} --root="$0" "$@"'


def command(root: Path, argv: Sequence[str], env: Mapping[str, str]) -> list[str]:
    """The command line that runs `argv` in Redmine's folder inside `root`, with only `env` as its environment."""
    return _command(root, argv, env, ENTER)


def unprivileged(root: Path, argv: Sequence[str]) -> list[str]:
    """As `command`, for programs that refuse to run as root, which everybody is in a user namespace of `command`."""
    return _command(root, argv, {}, ENTER_UNPRIVILEGED)


def _command(root: Path, argv: Sequence[str], env: Mapping[str, str], enter: str) -> list[str]:
    pairs = [f"{key}={value}" for key, value in (ENVIRONMENT | dict(env)).items()]
    inner = ["/usr/bin/env", "-i", "-C", APP, *pairs, *argv]
    if namespaces():
        return [*UNSHARE, "sh", "-c", enter, str(root), *inner]
    # Real root here, so Redmine runs as another user.
    return ["chroot", f"--userspec=+{NOBODY}:+{NOBODY}", str(root), *inner]


def prepare(root: Path, owned: Path) -> None:
    """Prepare `root` for programs inside it, and make `owned`, a folder in it, writable for them."""
    if not namespaces():
        _make_devices(root / "dev")
    uid, gid = (os.geteuid(), os.getegid()) if namespaces() else (NOBODY, NOBODY)
    if owned.stat().st_uid != uid:
        # Links themselves, not what they lead to: that may be outside.
        for path in (owned, *owned.rglob("*")):
            os.chown(path, uid, gid, follow_symlinks=False)


@cache
def namespaces() -> bool:
    """Whether this user may create user namespaces with mounts; some kernels and containers forbid it.

    Raises SandboxError if neither that nor a chroot (as root) is possible.
    """
    if _can_unshare():
        return True
    if os.geteuid() == 0:
        process.require("chroot")
        return False
    raise SandboxError(
        "The sandbox needs user namespaces, which this machine does not allow for ordinary users. Install "
        "util-linux (unshare); or allow them (sysctl kernel.unprivileged_userns_clone=1, or "
        f"kernel.apparmor_restrict_unprivileged_userns=0); or run as root; {OWN_SERVER}."
    )


def _can_unshare() -> bool:
    if shutil.which("unshare", path=process.PATH) is None:
        return False
    # Tried, not read from sysctl: containers and AppArmor can forbid the mount although the namespace is allowed.
    probe = [*UNSHARE, "mount", "--rbind", "/dev", "/dev"]
    env = os.environ | {"PATH": process.PATH}
    try:
        return subprocess.run(probe, env=env, capture_output=True, timeout=10).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _make_devices(folder: Path) -> None:
    for name, (major, minor) in DEVICES.items():
        node = folder / name
        if node.exists():
            continue
        try:
            os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(major, minor))
        except PermissionError:
            raise SandboxError(
                "This container allows neither user namespaces nor device nodes, and the sandbox needs one of them. "
                f"Run the container with CAP_MKNOD, {OWN_SERVER}."
            ) from None
        node.chmod(0o666)
