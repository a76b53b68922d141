"""What people write with python-redmine: get or create, change what differs; or write everything to a file.

    python script.py seed ISSUES.csv              a look-up for each row, then a POST, a PUT or nothing
    python script.py seed ISSUES.csv --list-first the same, with one list of all issues instead of the look-ups
    python script.py export FILE                  all issues with their notes and watchers, as JSON

REDMINE_URL and REDMINE_API_KEY say where. The last line says what was done, and how many requests it took.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from redminelib import Redmine

PROJECT = "bench"
SENT: Counter[str] = Counter()
DONE: Counter[str] = Counter(created=0, updated=0, unchanged=0)
Fields = dict[str, Any]


def count(response: requests.Response, *_: object, **__: object) -> None:
    """Called by requests for each answer."""
    SENT[response.request.method or ""] += 1


def connect() -> Any:
    """The server."""
    given = {"hooks": {"response": count}}
    return Redmine(os.environ["REDMINE_URL"], key=os.environ["REDMINE_API_KEY"], requests=given)


def ids(resources: Any) -> dict[str, int]:
    """Names to ids."""
    return {resource.name: resource.id for resource in resources}


def rows(redmine: Any, path: str) -> Iterator[Fields]:
    """The rows of the file with ids instead of names."""
    trackers, priorities = ids(redmine.tracker.all()), ids(redmine.enumeration.filter(resource="issue_priorities"))
    versions = ids(redmine.version.filter(project_id=PROJECT))
    with Path(path).open(newline="") as file:
        for row in csv.DictReader(file):
            yield {
                "subject": row["subject"],
                "tracker_id": trackers[row["tracker"]],
                "priority_id": priorities[row["priority"]],
                "fixed_version_id": versions[row["fixed_version"]],
                "description": row["description"],
                "start_date": row["start_date"],
                "due_date": row["due_date"],
                "estimated_hours": float(row["estimated_hours"]),
                "done_ratio": int(row["done_ratio"]),
            }


def live(issue: Any) -> Fields:
    """An issue of the server in the same form."""
    return {
        "subject": issue.subject,
        "tracker_id": issue.tracker.id,
        "priority_id": issue.priority.id,
        "fixed_version_id": issue.fixed_version.id,
        "description": issue.description.replace("\r\n", "\n"),
        "start_date": str(issue.start_date),
        "due_date": str(issue.due_date),
        "estimated_hours": issue.estimated_hours,
        "done_ratio": issue.done_ratio,
    }


def ensure(redmine: Any, issue: Any, fields: Fields) -> None:
    """Create it if there is none, else send what differs."""
    if issue is None:
        redmine.issue.create(project_id=PROJECT, **fields)
        DONE["created"] += 1
        return
    there = live(issue)
    if changed := {name: value for name, value in fields.items() if there[name] != value}:
        redmine.issue.update(issue.id, **changed)
    DONE["updated" if changed else "unchanged"] += 1


def find(redmine: Any, fields: Fields) -> Any:
    """The issue with this subject, or None."""
    found = list(redmine.issue.filter(project_id=PROJECT, subject=fields["subject"], status_id="*"))
    return found[0] if found else None


def seed(path: str, *options: str) -> None:
    """Bring the server to what the file says."""
    redmine = connect()
    known = None
    if "--list-first" in options:
        known = {issue.subject: issue for issue in redmine.issue.filter(project_id=PROJECT, status_id="*")}
    for fields in rows(redmine, path):
        issue = find(redmine, fields) if known is None else known.get(fields["subject"])
        ensure(redmine, issue, fields)


def export(path: str) -> None:
    """All issues with what only their own pages show."""
    redmine = connect()
    issues = redmine.issue.filter(project_id=PROJECT, status_id="*")
    pages = (redmine.issue.get(issue.id, include=["journals", "watchers", "attachments"]) for issue in issues)
    Path(path).write_text(json.dumps([_exported(page) for page in pages], indent=1))


def _exported(issue: Any) -> Fields:
    watchers = [watcher.name for watcher in issue.watchers]
    notes = [journal.notes for journal in issue.journals if getattr(journal, "notes", "")]
    return {**live(issue), "watchers": watchers, "notes": notes}


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    {"seed": seed, "export": export}[command](*arguments)
    print(json.dumps({**DONE, "requests": SENT.total()}))
