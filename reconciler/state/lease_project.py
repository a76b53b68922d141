"""Whether a run makes the project of its own lease, or gives it the wiki that the lease is kept in."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.kinds import kinds
from reconciler.model.address import CONTAINER, Address
from reconciler.model.containers import Modules
from reconciler.model.kind import Object
from reconciler.settings import Lease

WIKI = "wiki"


def is_made(objects: Mapping[Address, Object], lease: Lease | None) -> bool:
    """Whether the manifests declare the project of the lease, and not without a wiki."""
    project = lease and objects.get(Address(CONTAINER, lease.project))
    if not project or project.spec.state == "absent":
        return False
    modules = kinds()[CONTAINER].capability(Modules).enabled(None, project.spec)
    return modules is None or WIKI in modules
