#!/bin/sh
# Runs COMMAND on PATHS with ARGUMENTS: annotations on stdout, the result in the summary of the step and, for the comment,
# in $RUNNER_TEMP/reconciler.md; the exit code is the output `exit-code`, too.
set -eu
# Without a result of this run, that of an earlier step must not become the comment.
rm -f "$RUNNER_TEMP/reconciler.md"
format=
[ "$COMMAND" = check ] || format="--format github"
# A saved plan has all it needs from the manifests.
# shellcheck disable=SC2086  # options and paths are words
for word in $ARGUMENTS; do
  case $word in --plan | --plan=*) PATHS= ;; esac
done
code=0
# shellcheck disable=SC2086
reconciler "$COMMAND" $format --report "markdown=$GITHUB_STEP_SUMMARY" --report "$RUNNER_TEMP/reconciler.md" \
  $ARGUMENTS $PATHS || code=$?
echo "exit-code=$code" >> "$GITHUB_OUTPUT"
exit "$code"
