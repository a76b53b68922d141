"""Redmine's own Ruby agrees on the patterns of custom fields."""

from __future__ import annotations

import json

from patterns import SAME

from reconciler.sandbox import Running, Sandbox

CHECK = """
cases = JSON.parse(%s)
wrong = cases.reject { |pattern, text, fits| Regexp.new(pattern).match?(text) == fits }
puts wrong.to_json
"""


def test_ruby_judges_patterns_as_expected(redmine: Sandbox, world: Running) -> None:
    """What the unit tests expect of each pattern is what Redmine finds."""
    cases = [(p, text, fits) for p, yes, no in SAME for fits, texts in ((True, yes), (False, no)) for text in texts]
    # A string of a string: Ruby takes JSON's escapes, and without a # it interpolates nothing.
    answer = redmine.run(CHECK % json.dumps(json.dumps(cases)))
    assert json.loads(answer.splitlines()[-1]) == []
