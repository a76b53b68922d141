"""Keep one comment for NAME on the pull request NUMBER up to date: `$RUNNER_TEMP/reconciler.md`.

TOKEN may write to pull requests; that of a run for a fork may not, and leaves the result in the summary of the step.
Needs nothing but Python.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

COMMENTS = """
query($owner: String!, $repo: String!, $number: Int!, $after: String) {
  viewer { login }
  repository(owner: $owner, name: $repo) { pullRequest(number: $number) { comments(first: 100, after: $after) {
    nodes { databaseId body author { login } }
    pageInfo { hasNextPage endCursor }
  } } }
}
"""


def call(method, url, **data):
    """Call GitHub's API; the answer."""
    headers = {"Authorization": f"Bearer {os.environ['TOKEN']}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(data).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def own_comments(owner, repo, number):
    """The comments of this account. GitHub adds `[bot]` to the login of a bot in one place, not in the other."""
    where, after = {"owner": owner, "repo": repo, "number": number}, None
    while True:
        data = call("POST", os.environ["GITHUB_GRAPHQL_URL"], query=COMMENTS, variables={**where, "after": after})[
            "data"
        ]
        me, page = data["viewer"]["login"].removesuffix("[bot]"), data["repository"]["pullRequest"]["comments"]
        yield from (node for node in page["nodes"] if (node["author"] or {}).get("login") == me)
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


def main(report):
    """Update the comment that begins with the mark, or add one."""
    if not report.is_file():
        return
    env, mark = os.environ, f"<!-- reconciler: {os.environ['NAME']} -->"
    owner, repo = env["GITHUB_REPOSITORY"].split("/")
    issues = f"{env['GITHUB_API_URL']}/repos/{owner}/{repo}/issues"
    # Not somebody else's comment with the mark: its author could change it after the review.
    mine = (one for one in own_comments(owner, repo, int(env["NUMBER"])) if one["body"].startswith(mark))
    known, body = next(mine, None), f"{mark}\n{report.read_text(encoding='utf-8')}"
    if known is None:
        call("POST", f"{issues}/{env['NUMBER']}/comments", body=body)
    else:
        call("PATCH", f"{issues}/comments/{known['databaseId']}", body=body)


if __name__ == "__main__":
    try:
        main(Path(os.environ["RUNNER_TEMP"]) / "reconciler.md")
    except urllib.error.HTTPError as error:
        if error.code not in (401, 403):
            raise
        sys.stdout.write("::warning::The comment was not written: the token may not write to this pull request.\n")
