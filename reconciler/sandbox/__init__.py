"""A disposable Redmine on 127.0.0.1, from Debian's packages, without root or changes to the system.

    archive    find the URL of Debian's archive in the machine's apt sources, and Debian's keyring
    packages   download the packages with a private apt state and unpack them into a folder
    inside     run a program inside that folder: in a user namespace, or in a chroot as root
    base       one migrated and configured Redmine per version, built once and atomically
    database   what an instance asks of its database; sqlite, postgresql: the two that there are
    server     puma as a daemon: start, wait, stop
    instance   `Sandbox`: start, status, reset, stop, destroy

Everything is in one folder (`RECONCILER_SANDBOX_HOME`, else in the user's cache folder):

    6.1.lock                            serializes starts and removals
    6.1/                                a Debian with Redmine 6.1, shared by its instances
    6.1/var/lib/redmine/NAME/           an instance: database, snapshot, files, logs, pid, key
    6.1/usr/lib/postgresql/             added when a sandbox with PostgreSQL is asked for the first time
"""

from reconciler.sandbox.base import DATABASES, VERSIONS, default_home
from reconciler.sandbox.instance import Running, Sandbox, destroy_all, instances

__all__ = ["DATABASES", "VERSIONS", "Running", "Sandbox", "default_home", "destroy_all", "instances"]
