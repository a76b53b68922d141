"""What the Redmine in memory (`canned.py`) knows of rows: how lists and pages show them, and Redmine's default data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

Row = dict[str, Any]
FIELDS = [
    "assigned_to",
    "category",
    "fixed_version",
    "parent_issue",
    "start_date",
    "due_date",
    "estimated_hours",
    "done_ratio",
    "description",
    "priority",
]
STANDARD = [
    name if "_date" in name or name in ("estimated_hours", "done_ratio", "description") else f"{name}_id"
    for name in FIELDS
]
PEOPLE = ("users", "groups")

REFERENCES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "projects": {
        "parent": ("projects",),
        "trackers": ("trackers",),
        "issue_custom_fields": ("custom_fields",),
        "default_version": ("versions",),
        "default_assignee": PEOPLE,
    },
    "users": {"auth_source": ("auth_sources",)},
    "groups": {"users": ("users",)},
    "memberships": {"project": ("projects",), "user": ("users",), "group": ("groups",), "roles": ("roles",)},
    "versions": {"project": ("projects",)},
    "issue_categories": {"project": ("projects",), "assigned_to": PEOPLE},
    "issues": {
        "project": ("projects",),
        "tracker": ("trackers",),
        "status": ("issue_statuses",),
        "priority": ("issue_priorities",),
        "author": ("users",),
        "assigned_to": PEOPLE,
        "category": ("issue_categories",),
        "fixed_version": ("versions",),
        "watchers": PEOPLE,
    },
    "time_entries": {"project": ("projects",), "user": ("users",), "activity": ("time_entry_activities",)},
    "news": {"project": ("projects",), "author": ("users",)},
}
"""What in a row of a list is shown as id and name, and the lists of what it names."""

NUMBERS = {("issues", "parent"), ("time_entries", "issue")}
"""What is shown as an id alone."""

INCLUDED = {
    "projects": {"trackers", "enabled_modules", "issue_custom_fields", "issue_categories", "time_entry_activities"},
    "groups": {"users"},
    "users": {"auth_source"},
    "issues": {"relations", "attachments", "watchers", "journals"},
    "news": {"attachments"},
    "wiki_pages": {"attachments"},
}
"""What is shown on demand (`include`) only."""
ON_PAGES = {
    "projects": {"default_version", "default_assignee"},
    "groups": {"users"},
    "users": {"api_key"},
    "issues": {"watchers", "journals"},
    "news": {"attachments"},
    "roles": {"assignable", "permissions", "issues_visibility", "time_entries_visibility", "users_visibility"},
    "wiki_pages": {"text", "author", "comments", "attachments"},
}
"""What lists do not show, whatever they are asked to include."""
PAGED = {"projects", "users", "memberships", "issues", "time_entries", "news", "queries"}
COUNTED = {"versions", "issue_categories"}
"""Lists without pages that say how many rows they have."""
HIDDEN = {"inside", "start_page"}
"""What a row is known by here, and the API does not show."""
DATED = {"news", "time_entries"}
"""Lists that Redmine sorts by `created_on`."""


def created_on(number: int) -> str:
    """When a row was created: one in each second."""
    return (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ")


NEW: Mapping[str, Row] = {
    "projects": {
        "description": "",
        "homepage": "",
        "status": 1,
        "is_public": True,
        "inherit_members": False,
        "trackers": ["Bug", "Feature", "Support"],
        "enabled_modules": ["issue_tracking"],
    },
    "users": {"admin": False, "firstname": "A", "lastname": "B", "mail": "", "status": 1},
    "groups": {"users": []},
    "versions": {"description": "", "status": "open", "due_date": None, "sharing": "none", "wiki_page_title": None},
    "issues": {
        "tracker": "Bug",
        "status": "New",
        "priority": "Normal",
        "author": "admin",
        "description": None,
        "start_date": None,
        "due_date": None,
        "done_ratio": 0,
        "is_private": False,
        "estimated_hours": None,
        "relations": [],
        "attachments": [],
        "watchers": [],
        "journals": [],
    },
    "time_entries": {"user": "admin", "hours": 1.0, "comments": "", "spent_on": "2026-11-02", "activity": "Design"},
    "news": {"author": "admin", "summary": "", "description": "", "attachments": []},
    "wiki_pages": {"text": "", "version": 1, "comments": None, "attachments": []},
    "custom_fields": {
        "customized_type": "issue",
        "field_format": "string",
        "is_filter": True,
        "multiple": False,
        "default_value": None,
        "trackers": [{"id": 1}, {"id": 2}, {"id": 3}],
    },
}
"""What a new row has where nothing is said."""
TYPES = {
    "projects": "project",
    "users": "user",
    "groups": "group",
    "versions": "version",
    "issues": "issue",
    "time_entries": "time_entry",
}
"""The lists whose rows have custom fields, and what these are fields of."""


def default_data() -> dict[str, list[Row]]:
    """What Redmine's default data has of what the tool reads."""

    def named(*names: str, first: int = 1, **more: Any) -> list[Row]:
        return [{"id": n, "name": name, **more} for n, name in enumerate(names, first)]

    new = {"id": 1, "name": "New"}
    statuses = named("New", "In Progress", "Resolved", "Feedback", "Closed", "Rejected")
    priorities = named("Low", "Normal", "High", "Urgent", "Immediate", active=True)
    return {
        "trackers": named("Bug", "Feature", "Support", default_status=new, enabled_standard_fields=STANDARD),
        "issue_statuses": [{**row, "is_closed": row["id"] > 4} for row in statuses],
        "issue_priorities": [{**row, "is_default": row["id"] == 2} for row in priorities],
        "time_entry_activities": named("Design", "Development", first=8, is_default=False, active=True),
        "roles": named("Manager", "Developer", "Reporter", first=3, assignable=True),
        "queries": [],
        "custom_fields": [],
        "groups": [
            {"id": 2, "name": "Anonymous users", "builtin": "anonymous"},
            {"id": 3, "name": "Non member users", "builtin": "non_member"},
        ],
        "users": [
            {"id": 1, "login": "admin", "admin": True, "firstname": "Redmine", "lastname": "Admin", "status": 1}
            | {"mail": "admin@example.net", "updated_on": "2026-11-29T02:05:34Z", "custom_fields": []}
        ],
    }


NAMES = ("identifier", "login", "name", "subject", "title")
"""What a row is called by, in this order."""
ARCHIVED = 9
SENT = {
    "role_ids": "roles",
    "user_ids": "users",
    "tracker_ids": "trackers",
    "issue_custom_field_ids": "issue_custom_fields",
    "enabled_module_names": "enabled_modules",
    "watcher_user_ids": "watchers",
    "parent_issue_id": "parent",
    "default_assigned_to_id": "default_assignee",
}
ONLY_IF_SET = {
    "parent",
    "assigned_to",
    "category",
    "fixed_version",
    "default_version",
    "default_assignee",
    "auth_source",
}
"""References that a row does not have at all where there is nothing."""
