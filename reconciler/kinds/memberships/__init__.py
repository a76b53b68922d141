"""Memberships, with the roles that members inherit."""

from reconciler.kinds.memberships.kind import Memberships

KINDS = (Memberships(),)
