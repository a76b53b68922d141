#!/bin/sh
# Keeps one comment for NAME on the pull request NUMBER up to date. Needs `gh` with GH_TOKEN; a run for a pull request of a
# fork has no token that may write, and leaves the result in the summary of the step.
set -eu
report=$RUNNER_TEMP/reconciler.md
[ -s "$report" ] || exit 0
mark="<!-- reconciler: $NAME -->"
body=$RUNNER_TEMP/reconciler-comment.md
{ printf '%s\n' "$mark"; cat "$report"; } > "$body"
comments="repos/$GITHUB_REPOSITORY/issues/$NUMBER/comments"
# By the mark in the first line: another comment may quote it.
id=$(MARK=$mark gh api --paginate "$comments" --jq '.[] | select(.body | startswith(env.MARK)) | .id' | head -n 1)
if [ -n "$id" ]; then
  gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" --field "body=@$body"
else
  gh api --silent --method POST "$comments" --field "body=@$body"
fi || echo "::warning::The comment was not written: the token may not write to this pull request."
