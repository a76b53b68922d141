"""Keep one note with a plan on the merge request of this pipeline: `python3 note.py plan.md`.

GITLAB_TOKEN is a project access token with the scope `api`. Needs nothing but Python.
"""

import json
import os
import sys
import urllib.request
from pathlib import Path

MARK = "<!-- reconciler -->"


def call(method, url, **data):
    """Call GitLab's API; the answer."""
    headers = {"PRIVATE-TOKEN": os.environ["GITLAB_TOKEN"], "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(data).encode() if data else None, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def pages(url):
    """All items of a list."""
    number = 1
    while items := call("GET", f"{url}?per_page=100&page={number}"):
        yield from items
        number += 1


def main(name):
    """Update the note that begins with the mark, or add one."""
    env = os.environ
    api = env["CI_API_V4_URL"]
    notes = f"{api}/projects/{env['CI_PROJECT_ID']}/merge_requests/{env['CI_MERGE_REQUEST_IID']}/notes"
    body = f"{MARK}\n{Path(name).read_text(encoding='utf-8')}"
    # Only a note of this token: whoever wrote it could change it after the review.
    me = call("GET", f"{api}/user")["id"]
    mine = (note for note in pages(notes) if note["author"]["id"] == me and note["body"].startswith(MARK))
    known = next((note["id"] for note in mine), None)
    if known is None:
        call("POST", notes, body=body)
    else:
        call("PUT", f"{notes}/{known}", body=body)


if __name__ == "__main__":
    if "GITLAB_TOKEN" not in os.environ:
        sys.exit("No note without GITLAB_TOKEN.")
    main(sys.argv[1])
