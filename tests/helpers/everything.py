"""A manifest with every kind of object, and what becomes of it: for the tests that disturb an apply anywhere.

Applied to an empty Redmine, EVERYTHING takes creates, links, transitions, gates, uploads, notes, relations and watchers;
CHANGED, applied after it, takes updates, renames, replacements, reopened gates and deletions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

MODULES = ["issue_tracking", "wiki", "time_tracking", "news", "files"]
TRACKERS = ["Bug", "Feature"]
AMY = {"login": "amy", "firstname": "Amy", "lastname": "Able", "mail": "amy@example.net", "password": "correct horse"}
BOB = {"login": "bob", "firstname": "Bob", "lastname": "Bold", "mail": "bob@example.net"}
FILES = {"note.txt": b"a note", "blob.bin": bytes(range(256)), "new.txt": b"another note"}
EVERYTHING: dict[str, Any] = {
    "users": [AMY, {**BOB, "status": "locked"}],
    "groups": [{"name": "Support", "users": ["amy", "bob"], "custom_fields": {"Group string": "x"}}, {"name": "Empty"}],
    "projects": [
        {
            "identifier": "hq",
            "name": "HQ",
            "enabled_modules": MODULES,
            "trackers": TRACKERS,
            "default_version": "2.0",
            "default_issue_query": "Updated issues",
            "issue_custom_fields": ["Some projects"],
            "members": [
                {"user": "amy", "roles": ["Manager", "Developer"]},
                {"group": "Support", "roles": ["Reporter"]},
            ],
            "versions": [{"name": "2.0", "sharing": "descendants"}],
            "custom_fields": {"Project list": "red"},
            "wiki_pages": [
                {"title": "Home", "text": "h1. Home", "start_page": True, "comments": "the first"},
                {
                    "title": "Below",
                    "text": "below\nhome\n",
                    "parent": "Home",
                    "attachments": [{"file": "note.txt", "description": "A note"}],
                },
            ],
            "news": [
                {
                    "title": "Open",
                    "summary": "We are open",
                    "description": "text",
                    "attachments": [{"file": "note.txt"}, {"file": "blob.bin"}],
                }
            ],
            "files": [{"path": "blob.bin", "version": "2.0", "description": "A blob"}],
            "time_entries": [{"user": "amy", "spent_on": "2026-11-02", "activity": "Design", "hours": 2}],
        },
        {
            "identifier": "shop",
            "name": "Shop",
            "parent": "hq",
            "enabled_modules": MODULES,
            "trackers": TRACKERS,
            "status": "closed",
            "members": [{"user": "bob", "roles": ["Developer"]}, {"user": "amy", "roles": ["Reporter"]}],
            "versions": [{"name": "1.0", "status": "locked", "due_date": "2030-06-01"}],
            "issue_categories": [{"name": "Backend", "assigned_to": "bob"}],
            "wiki_pages": [{"title": "Wiki", "text": "its only page"}],
            "news": [{"title": "Open", "description": "text"}],
            "files": [{"path": "note.txt"}],
            "issues": [
                {
                    "key": "top",
                    "subject": "Top",
                    "tracker": "Bug",
                    "status": "Closed",
                    "fixed_version": "1.0",
                    "assigned_to": "bob",
                    "watchers": ["amy"],
                    "custom_fields": {
                        "Issue user": "amy",
                        "Issue version": "1.0",
                        "Issue bool": True,
                        "Bugs only": "x",
                    },
                },
                {
                    "key": "below",
                    "subject": "Below",
                    "parent": "top",
                    "status": "Rejected",
                    "category": "Backend",
                    "assigned_to": None,
                    "fixed_version": None,
                    "description": "one\ntwo\n",
                    "estimated_hours": 1.5,
                    "watchers": [],
                    "relations": [{"relates": "shared"}],
                },
                {
                    "key": "shared",
                    "subject": "Shared",
                    "tracker": "Feature",
                    "fixed_version": "2.0",
                    "done_ratio": 30,
                    "watchers": [],
                    "notes": ["first", {"text": "from amy", "author": "amy"}, {"text": "secret", "private": True}],
                },
                {
                    "key": "first",
                    "subject": "First",
                    "author": "amy",
                    "status": "Closed",
                    "watchers": ["amy"],
                    "relations": [{"blocks": "top"}, {"copied_to": "shared"}],
                    "attachments": [
                        {"file": "note.txt"},
                        {"file": "blob.bin", "filename": "b.bin", "description": "B"},
                    ],
                },
            ],
            "time_entries": [
                {
                    "issue": "top",
                    "user": "amy",
                    "spent_on": "2026-11-03",
                    "activity": "Development",
                    "comments": "done",
                    "hours": 1.5,
                    "custom_fields": {"TimeEntry string": "x"},
                }
            ],
        },
    ],
}
CHANGED: dict[str, Any] = {
    "users": [AMY, {**BOB, "lastname": "Bald", "status": "active"}],
    "groups": [{"name": "Helpers", "renamed_from": "Support", "users": ["bob"]}, {"name": "Empty", "users": ["amy"]}],
    "projects": [
        {
            "identifier": "hq",
            "members": [{"group": "Helpers", "roles": ["Developer"]}],
            "wiki_pages": [
                {"title": "Start", "renamed_from": "Home", "text": "h1. Start"},
                {
                    "title": "Below",
                    "parent": None,
                    "attachments": [{"file": "new.txt", "filename": "note.txt"}, {"file": "blob.bin"}],
                },
                {"title": "Lower", "text": "below", "parent": "Below"},
            ],
            "news": [
                {
                    "title": "Shut",
                    "renamed_from": "Open",
                    "summary": None,
                    "attachments": [
                        {"filename": "note.txt", "state": "absent"},
                        {"file": "blob.bin", "description": "B"},
                    ],
                }
            ],
            "files": [{"path": "new.txt", "filename": "blob.bin", "version": "2.0"}],
            "time_entries": [{"user": "amy", "spent_on": "2026-11-02", "activity": "Design", "hours": 3.25}],
            "issues": [
                {
                    "key": "shared",
                    "subject": "Moved",
                    "watchers": ["amy", "bob"],
                    "relations": [],
                    "notes": [
                        "second",
                        {"text": "from Amy", "changed_from": "from amy", "author": "amy"},
                        {"text": "first", "state": "absent"},
                    ],
                }
            ],
        },
        {
            "identifier": "shop",
            "status": "closed",
            "news": [{"title": "Open", "state": "absent"}],
            "files": [{"filename": "note.txt", "state": "absent"}],
            "issues": [
                {"key": "below", "state": "absent"},
                {
                    "key": "first",
                    "watchers": ["bob"],
                    "relations": [{"precedes": "top", "delay": 2}],
                    "attachments": [
                        {"file": "new.txt", "filename": "note.txt"},
                        {"filename": "b.bin", "state": "absent"},
                    ],
                    "notes": [{"text": "late", "author": "amy"}],
                },
            ],
            "time_entries": [
                {
                    "issue": "top",
                    "user": "amy",
                    "spent_on": "2026-11-03",
                    "activity": "Development",
                    "comments": "done",
                    "state": "absent",
                }
            ],
        },
    ],
}


def with_files(folder: Path) -> Path:
    """The folder, with the files that the manifests name."""
    for name, content in FILES.items():
        Path(folder, name).write_bytes(content)
    return folder
