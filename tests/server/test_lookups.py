"""Names of what only an administrator can make, on a real Redmine: priorities that are not offered, queries."""

from __future__ import annotations

from engine import problems_of, rows
from plans import inside
from promises import Api, sql

from reconciler.sandbox import Running


def test_a_priority_that_redmine_has_and_does_not_offer(world: Running) -> None:
    """Redmine lists a priority that is not active like the others; the tool reads it and refuses it as a new value."""
    sql(world, "UPDATE enumerations SET active = 0 WHERE name = 'Urgent' AND type = 'IssuePriority'")
    listed = {
        row["name"]: row["active"] for row in rows(world, "/enumerations/issue_priorities.json", "issue_priorities")
    }
    assert listed["Urgent"] is False
    (found,) = problems_of(world, inside("issues: [{subject: s, priority: Urgent}]"))
    assert found.message == 'priority: the issue priority "Urgent" is not active'


def test_which_queries_a_project_can_have(world: Running) -> None:
    """A default query is one that any users see in all projects, on whatever page of the list it is."""
    with Api(world) as api:
        other = api.make("/projects", identifier="other", name="Other")["id"]
    columns = "name, visibility, project_id, user_id, type, filters"
    queries = [("Private", 0, "NULL"), ("Foreign", 2, other), ("Zebra", 2, "NULL")]
    queries += [(f"More {number}", 2, "NULL") for number in range(100)]
    values = ", ".join(f"('{name}', {seen}, {project}, 1, 'IssueQuery', '--- {{}}')" for name, seen, project in queries)
    sql(world, f"INSERT INTO queries ({columns}) VALUES {values}")

    def said(name: str) -> list[str]:
        return [p.message for p in problems_of(world, inside(f"default_issue_query: {name}"))]

    assert said("Zebra") == said("Reported issues") == []
    for name in ("Private", "Foreign"):
        assert said(name) == [f'default_issue_query: there is no query "{name}" on the server']
