"""New issues in a Redmine on a machine of its own, as most are: the client's work takes nothing from the server's.

The Redmine is a stand-in with two workers, each of which takes as long for a request as a real one takes for a POST.
"""

from __future__ import annotations

import json
from pathlib import Path

import httpx
from contest import Contender, Rules, contest
from fleet_servers import fleet
from online import WORKERS, environment, fastest
from process import TOOL, output_of, python, say
from results import TOOL as NAME
from results import Part, Scenario
from worlds import write_manifest

from reconciler.sandbox import Running

SECONDS = 0.03
"""For which a request occupies a worker: Redmine 6.1 takes this for an issue on the machine of the other figures."""


def run(folder: Path, rules: Rules, count: int = 1000) -> Part:
    """An apply beside bare HTTP."""
    say(f"A server on a machine of its own: create {count:,} issues …")
    server = f"a server on another machine (simulated: {WORKERS} workers, {SECONDS * 1000:.0f} ms for each request)"
    with fleet([0.0], 0, WORKERS, SECONDS) as (url,), environment(Running("", "", url, "canned", 0, 0, Path())):
        return Part("elsewhere", server, (created(folder, url, rules, count),))


def created(folder: Path, url: str, rules: Rules, count: int) -> Scenario:
    """The issues of a manifest, none of which is there."""
    full, recorded = write_manifest(folder / "full.yaml", count), folder / "recorded.json"
    output_of(python("record.py", recorded, "apply", full))
    sent = json.loads(recorded.read_text())

    def empty() -> None:
        httpx.delete(url)

    tool = Contender(NAME, (*TOOL, "apply", "--yes", str(full)), len(sent), before=empty)
    bare = fastest(url, folder / "posts", [one for one in sent if one[0] == "POST"], before=empty)
    return Scenario("create", count, contest([tool, bare], rules))
