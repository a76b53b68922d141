"""Downloads Redmine's Debian packages with a private apt state and unpacks them into a folder.

Of the machine's apt configuration only proxies and credentials are used; its sources, preferences and package database
are neither read nor changed. No maintainer scripts run.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from reconciler.errors import SandboxError
from reconciler.sandbox import archive, process
from reconciler.sandbox.archive import OWN_SERVER

# ?essential: apt takes the essential packages for installed, but the private state has none.
PACKAGES = ("?essential", "redmine", "redmine-sqlite", "puma")
# What packages that are added depend on and no sandbox uses: the compiler of PostgreSQL's JIT, wrappers in Perl.
OPTIONAL = ("libllvm", "libz3", "libperl", "perl", "locales", "libc-l10n", "systemd", "libsystemd-shared")
TOOLS = ("apt-get", "dpkg", "dpkg-deb", "tar", "sh")
ADDRESS = re.compile(r"[a-z][a-z+]*:/\S+")
MERGED = ("bin", "sbin", "lib", "lib64")
# Not all of doc/: Redmine's configuration reads doc/redmine* to determine the database type.
UNUSED = ("./usr/share/man", "./usr/share/locale", "./usr/share/info", "./usr/share/doc/[!r]*")
FILES = {  # what maintainer scripts would create
    "etc/passwd": "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\nwww-data:x:33:\n",
    "etc/hosts": "127.0.0.1 localhost\n",
}
LISTS_TIMEOUT, DOWNLOAD_TIMEOUT, UNPACK_TIMEOUT = 180.0, 1200.0, 120.0  # seconds

# Hooks of the machine's own configuration must not run for a private state. `#clear` works only in a file, not with -o.
CONFIGURATION = """
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
Dir::State "{state}/state";
Dir::State::status "{state}/status";
Dir::Cache "{state}/cache";
Dir::Etc::sourcelist "{state}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Debug::NoLocking "true";
APT::Default-Release "";
APT::Sandbox::User "";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
"""


def unpack(suite: str, root: Path, address: str | None, say: Callable[[str], None]) -> None:
    """Unpack Redmine from Debian's `suite`, with its dependencies, into the new folder `root`.

    `address` is the URL of a Debian archive; None means the one in the machine's apt sources. Signatures are verified
    with Debian's keyring. Raises SandboxError if a tool, the keyring, the archive or the suite is missing.
    """
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=f"{root.name}-apt-") as state:
        settings = _lists(Path(state), suite, address, say)
        say("Downloading Redmine and its dependencies (about 100 MB, once per version) …")
        # Only apt's resolver and downloads are used: `install` itself would need root and run maintainer scripts.
        _apt(settings, suite, DOWNLOAD_TIMEOUT, "install", "--download-only", "--yes", *PACKAGES)
        debs = _downloaded(Path(state), say)
        _make_tree(root)
        _unpack(debs, root)
        _write_files(root)


def add(
    wanted: Sequence[str], suite: str, root: Path, address: str | None, say: Callable[[str], None], title: str
) -> None:
    """Unpack the packages `wanted`, called `title`, with what they need into `root`, which has Redmine.

    Programs of `root` may be running: no file that they use is replaced.
    """
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=f"{root.name}.new-apt-") as state:
        settings = _lists(Path(state), suite, address, say)
        there = _needed(settings, suite, PACKAGES)
        missing = sorted(_needed(settings, suite, (*PACKAGES, *wanted)) - there)
        say(f"Downloading {title} (about 30 MB, once per version) …")
        # `install` would download Redmine's packages again, as the private state has none.
        folder = Path(state, "cache/archives")
        names = [name for name in missing if not name.startswith(OPTIONAL)]
        _apt(settings, suite, DOWNLOAD_TIMEOUT, "download", *names, folder=folder)
        _unpack(_downloaded(Path(state), say), root)


def _lists(state: Path, suite: str, address: str | None, say: Callable[[str], None]) -> Path:
    """apt's configuration for a private state in the folder `state`, with the package lists of `suite`."""
    process.require(*TOOLS)
    if address is not None and not ADDRESS.fullmatch(address):
        raise SandboxError(f"{address!r} is not the URL of a Debian archive, such as http://HOST/debian.")
    address, keyring = address or archive.debian_archive(), archive.keyring()
    settings = _private_state(state, _source(address, keyring, suite))
    say(f"Reading the package lists of Debian {suite} …")
    _apt(settings, suite, LISTS_TIMEOUT, "update")
    return settings


def _needed(settings: Path, suite: str, packages: Sequence[str]) -> set[str]:
    """The names of all packages that an installation of `packages` on an empty system would download."""
    lines = _apt(settings, suite, LISTS_TIMEOUT, "install", "--print-uris", "--yes", *packages).splitlines()
    # 'http://…/ruby-pg_1.4.5-1_amd64.deb' ruby-pg_1.4.5-1_amd64.deb 384584 SHA256:…
    return {line.split()[1].partition("_")[0] for line in lines if line.startswith("'")}


def _downloaded(state: Path, say: Callable[[str], None]) -> list[Path]:
    debs = sorted(Path(state, "cache/archives").glob("*.deb"))
    say(f"Unpacking {len(debs)} packages …")
    return debs


def _source(address: str, keyring: Path, suite: str) -> str:
    # Debian testing's Release file expires after a week, and mirrors may lag; the signature is still verified.
    architecture = process.run(["dpkg", "--print-architecture"], what="dpkg", timeout=10).strip()
    return f"deb [arch={architecture} signed-by={keyring} check-valid-until=no] {address} {suite} main\n"


def _private_state(state: Path, source: str) -> Path:
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (state / folder).mkdir(parents=True)
    (state / "status").touch()
    (state / "sources.list").write_text(source)
    settings = state / "apt.conf"
    settings.write_text(CONFIGURATION.format(state=state))
    return settings


def _apt(settings: Path, suite: str, timeout: float, *arguments: str, folder: Path = Path("/")) -> str:
    # Error-Mode=any: otherwise `update` exits with 0 although a list could not be read.
    argv = ["apt-get", "-c", str(settings), "-qq", "-o", "APT::Update::Error-Mode=any", *arguments]
    # `download` writes into the current folder.
    argv = ["sh", "-c", 'cd "$0" && exec "$@"', str(folder), *argv]
    try:
        return process.run(argv, what=f"apt-get {arguments[0]}", timeout=timeout)
    except SandboxError as error:
        raise SandboxError(
            f"Cannot download Redmine's packages from Debian {suite}. Check the network and the URL of the archive, "
            "choose another archive with --archive URL or another version with --redmine (5.0 is in bookworm, 6.0 in "
            f"trixie, 6.1 in forky), {OWN_SERVER}.\n{error}"
        ) from None


def _make_tree(root: Path) -> None:
    make_folders(*(root / "usr" / name for name in MERGED), *(root / name for name in ("dev", "etc", "proc", "tmp")))
    for name in MERGED:  # merged /usr: the links must exist before the first package
        (root / name).symlink_to(f"usr/{name}")


def _unpack(debs: list[Path], root: Path) -> None:
    # Order does not matter: without maintainer scripts, packages are only files.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        # `list` raises the first error; the lazy result would hide it.
        list(pool.map(lambda deb: _unpack_one(deb, root), debs))


def _write_files(root: Path) -> None:
    (root / "tmp").chmod(0o1777)
    for name, text in FILES.items():
        (root / name).write_text(text)
        (root / name).chmod(0o644)


def make_folders(*paths: Path) -> None:
    """Create folders that every user may enter, whatever the caller's umask."""
    # A program, as `process.run` sets the umask for it alone; in this process it would be that of all threads.
    process.run(["mkdir", "-p", *map(str, paths)], what="mkdir", timeout=10)


def _unpack_one(deb: Path, root: Path) -> None:
    excludes = [f"--exclude={pattern}" for pattern in UNUSED]
    # --no-same-permissions: no setuid programs in a user's folder. No pipe, because sh has no pipefail.
    script = 'dpkg-deb --fsys-tarfile "$0" >"$0.tar" && tar -x -f "$0.tar" "$@" && rm "$0" "$0.tar"'
    options = [
        "-C",
        str(root),
        "--keep-directory-symlink",
        "--no-same-owner",
        "--no-same-permissions",
        *excludes,
    ]
    process.run(["sh", "-c", script, str(deb), *options], what=f"Unpacking {deb.name}", timeout=UNPACK_TIMEOUT)
