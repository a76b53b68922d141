"""What users may not do in a project, as far as an export knows: it reads the members and the roles' permissions."""

from __future__ import annotations

from reconciler.model.address import Address
from reconciler.model.name_index import Context


def lacks(login: str, permission: str, context: Context) -> bool:
    """Whether a user certainly lacks a permission in the project."""
    user = context.names.row(Address("user", login)) or {}
    project = context.names.row(context.container) or {}
    # A project without any membership is one whose members were not read: nothing is certain then.
    if user.get("admin") or not context.names.live("membership").ids:
        return False
    if not _is_member(login, context):
        # In a public project there is the role of non members, whose permissions no list shows (5.0 to 7.0).
        return not project.get("is_public", True)
    return not _any_role(login, permission, context)


def lacks_as_member(login: str, permission: str, context: Context) -> bool:
    """Whether no role of a user as a member has a permission; administrators count like others."""
    known = bool(context.names.live("membership").ids)
    return known and not (_is_member(login, context) and _any_role(login, permission, context))


def _membership(login: str, context: Context) -> Address:
    return Address("membership", f"{context.project}/user:{login}")


def _is_member(login: str, context: Context) -> bool:
    return context.names.id(_membership(login, context)) is not None


def _any_role(login: str, permission: str, context: Context) -> bool:
    roles = (context.names.row(_membership(login, context)) or {}).get("roles", ())
    sets = (context.names.live("role").rows.get(role["id"], {}).get("permissions") for role in roles)
    # None: the role's own page was not read, so it may have the permission.
    return any(permissions is None or permission in permissions for permissions in sets)
