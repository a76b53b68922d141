"""A throw-away real Redmine on loopback: from Debian's packages, without root or changes to the system.

    archive    where the machine's own apt sources say that Debian is; Debian's keyring
    packages   the packages, downloaded with a private apt state and unpacked into a folder
    inside     running a program inside that folder: a user namespace, or a plain chroot as root
    base       one Redmine per version, migrated and configured; made once, atomically
    database   SQLite copies that are safe while the server runs
    server     puma as a daemon: start, wait, stop
    instance   `Sandbox`: start, status, reset, stop, destroy

One folder holds it all (`RECONCILER_SANDBOX_HOME`, else the user's cache folder):

    6.1.lock                            one start at a time
    6.1/                                a Debian with Redmine 6.1: shared by its instances
    6.1/var/lib/redmine/NAME/           an instance: database, snapshot, files, logs, pid, key
"""

from reconciler.sandbox.base import VERSIONS, default_home
from reconciler.sandbox.instance import Running, Sandbox, destroy_all, instances

__all__ = ["VERSIONS", "Running", "Sandbox", "default_home", "destroy_all", "instances"]
