"""Build the wheel and the source distribution into a folder, byte for byte the same from the same commit.

    python tools/dist.py [FOLDER]       (make dist)

The source distribution is packed again with the time of the commit (or SOURCE_DATE_EPOCH), no owners and plain modes,
and the wheel is built from it: neither depends on the clock, the user or the umask.
"""

from __future__ import annotations

import fcntl
import gzip
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from build import ProjectBuilder

ROOT = Path(__file__).parent.parent


def epoch() -> int:
    """The time of all files: SOURCE_DATE_EPOCH, else that of the last commit."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    command = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def build(folder: Path) -> list[Path]:
    """Build both; their paths."""
    os.environ["SOURCE_DATE_EPOCH"] = str(epoch())
    os.umask(0o022)  # the wheel has the modes of its files
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        # One at a time: setuptools collects the files in a folder beside them.
        with (ROOT / "pyproject.toml").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            made = Path(_builder(ROOT).build("sdist", scratch))
        source = folder / made.name
        _pack(made, source, int(os.environ["SOURCE_DATE_EPOCH"]))
        with tarfile.open(source) as archive:
            # Python 3.11.0 to 3.11.3, such as Debian 12's, know no filters.
            archive.extractall(scratch, **({"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}))
        unpacked = scratch / made.name.removesuffix(".tar.gz")
        return [source, Path(_builder(unpacked).build("wheel", folder))]


def _builder(project: Path) -> ProjectBuilder:
    # With the tools of this environment: an isolated one would download them for each build.
    return ProjectBuilder(project, runner=_quietly)


def _quietly(command: list[str], cwd: str | None = None, extra_environ: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **(extra_environ or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)


def _pack(made: Path, target: Path, time: int) -> None:
    """Pack an archive again, without what differs between two machines."""
    with (
        tarfile.open(made) as old,
        target.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=time) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda m: m.name):
            plain = tarfile.TarInfo(member.name)
            plain.size, plain.type, plain.mtime = member.size, member.type, time
            plain.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            new.addfile(plain, old.extractfile(member) if member.isfile() else None)


if __name__ == "__main__":
    for path in build(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist"):
        print(f"Written: {os.path.relpath(path)}")
