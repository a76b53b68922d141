"""The worlds that are measured in: manifests, the same as a table for the script, and as rows of the database."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HEAD = """projects:
  - identifier: bench
    name: Bench
    trackers: [Bug, Feature]
    versions:
      - {name: "1.0"}
    issues:
"""


@dataclass(frozen=True)
class Item:
    """The issue of a number; a changed one has made progress."""

    number: int
    changed: bool = False

    @property
    def fields(self) -> dict[str, Any]:
        """What is declared, in the order of a manifest."""
        i = self.number
        return {
            "tracker": "Bug" if i % 2 else "Feature",
            "subject": f"Item {i} of the benchmark",
            "description": f"The first line of item {i}\nand a second one that is a little longer.\n",
            "priority": "High" if i % 7 == 0 else "Normal",
            "fixed_version": "1.0",
            "start_date": f"2026-01-{i % 28 + 1:02d}",
            "due_date": f"2026-02-{i % 28 + 1:02d}",
            "estimated_hours": i % 9 + 0.5,
            "done_ratio": (i + self.changed) % 10 * 10,
        }


def items(count: int, changed: int = 0) -> list[Item]:
    """So many issues, so many of which are others than before, evenly spread."""
    every = count // changed if changed else count + 1
    return [Item(i, changed=bool(changed) and i % every == 0) for i in range(count)]


def manifest(issues: int, changed: int = 0) -> Iterator[str]:
    """A project with a version and many issues, as a person would write them."""
    yield HEAD
    for item in items(issues, changed):
        yield f"      - key: item-{item.number}\n"
        for name, value in item.fields.items():
            yield f"        {name}: {_value(name, value)}\n"


def _value(name: str, value: Any) -> str:
    if name == "description":
        return "|\n" + "".join(f"          {line}\n" for line in value.splitlines()).rstrip("\n")
    return json.dumps(value) if name == "fixed_version" else str(value)


def write_manifest(path: Path, issues: int, changed: int = 0) -> Path:
    """The manifest in a file."""
    path.write_text("".join(manifest(issues, changed)))
    return path


def write_table(path: Path, rows: Sequence[Item]) -> Path:
    """The same issues as the script reads them."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(Item(0).fields))
        writer.writeheader()
        writer.writerows(item.fields for item in rows)
    return path


def write_requests(path: Path, requests: Sequence[Any]) -> Path:
    """Requests as `bare.py` reads them."""
    path.write_text(json.dumps(requests))
    return path


ISSUES = """
count = %d
Issue.delete_all
Journal.delete_all
Watcher.delete_all
project = Project.find_by(identifier: 'bench') || Project.create!(identifier: 'bench', name: 'Bench')
project.trackers = Tracker.where(name: %%w(Bug Feature))
project.enabled_module_names = ['issue_tracking']
version = project.versions.find_by(name: '1.0') || Version.create!(project: project, name: '1.0')
admin, status, now = User.find_by!(login: 'admin'), IssueStatus.find_by!(name: 'New'), Time.now.utc
trackers = %%w(Feature Bug).map { |name| Tracker.find_by!(name: name).id }
high, normal = %%w(High Normal).map { |name| IssuePriority.find_by!(name: name).id }
people = 20.times.map do |i|
  user = User.find_by(firstname: 'Some', lastname: "Body #{i}") ||
    User.new(firstname: 'Some', lastname: "Body #{i}", mail: "somebody#{i}@example.net")
  user.login = "somebody#{i}"
  user.save!
  user.id
end
count.times.each_slice(1000) do |slice|
  Issue.insert_all(slice.map { |i| {
    project_id: project.id, tracker_id: trackers[i %% 2], subject: "Item #{i} of the benchmark", status_id: status.id,
    description: "The first line of item #{i}\\r\\nand a second one that is a little longer.\\r\\n",
    priority_id: i %% 7 == 0 ? high : normal, author_id: admin.id, fixed_version_id: version.id,
    start_date: Date.new(2026, 1, i %% 28 + 1), due_date: Date.new(2026, 2, i %% 28 + 1), done_ratio: i %% 10 * 10,
    estimated_hours: i %% 9 + 0.5, lft: 1, rgt: 2, created_on: now, updated_on: now } })
end
Issue.update_all('root_id = id')
Issue.ids.each_slice(1000) do |ids|
  Watcher.insert_all(ids.map { |id| { watchable_type: 'Issue', watchable_id: id, user_id: people[id %% 20] } })
  noted = ids.select { |id| id %% 10 == 0 }
  notes = noted.map { |id| { journalized_type: 'Issue', journalized_id: id, user_id: people[id %% 20],
    notes: "Said about #{id}.", created_on: now, updated_on: now, private_notes: false } }
  # Without updated_on, which Redmine 5.0 lacks.
  Journal.insert_all(notes.map { |note| note.stringify_keys.slice(*Journal.column_names) }) if notes.any?
end
"""
"""The issues of a manifest straight into the database: through the API it would take longer than what is measured.
Each is watched by one of twenty people, and one in ten has a note."""


def seeding(issues: int) -> str:
    """Ruby that makes the world of a manifest with so many issues."""
    return ISSUES % issues
