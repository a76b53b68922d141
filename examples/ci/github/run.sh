#!/bin/sh
# Runs COMMAND on PATHS with ARGUMENTS: annotations on stdout, the result in the summary of the step and, for the comment,
# in $RUNNER_TEMP/reconciler.md.
set -eu
format=
[ "$COMMAND" = check ] || format="--format github"
# A saved plan has all it needs from the manifests.
case " $ARGUMENTS " in *" --plan "*) PATHS= ;; esac
# shellcheck disable=SC2086  # options and paths are words
exec reconciler "$COMMAND" $format --report "markdown=$GITHUB_STEP_SUMMARY" --report "$RUNNER_TEMP/reconciler.md" \
  $ARGUMENTS $PATHS
