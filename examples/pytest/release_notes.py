"""The program under test: release notes of a version, from the issues of a Redmine."""

from __future__ import annotations

import json
from urllib.parse import urlencode
from urllib.request import Request, urlopen


def release_notes(url: str, api_key: str, version: int) -> str:
    """A line for each closed issue of a version, by its number."""
    query = urlencode({"fixed_version_id": version, "status_id": "closed", "sort": "id"})
    with urlopen(Request(f"{url}/issues.json?{query}", headers={"X-Redmine-API-Key": api_key})) as response:
        issues = json.load(response)["issues"]
    return "\n".join(f"- {issue['subject']} (#{issue['id']})" for issue in issues)
