#!/bin/sh
# Sets up a Redmine from nothing: plans and applies examples/from-nothing on a disposable one without any data, which it
# starts. It can run repeatedly: that one is reset first. REDMINE_VERSION: 6.1, 6.0 or 5.0. On the server that REDMINE_URL
# and REDMINE_API_KEY name, it is examples/quickstart, and nothing is touched but the project reconciler-demo and the
# accounts demo-john and demo-amy. The plan and the report stay in build/demo as pages.
set -eu
cd "$(dirname "$0")/.."
manifests=examples/quickstart
project=reconciler-demo
version=${REDMINE_VERSION:-6.1}
pages=$PWD/build/demo
mkdir -p "$pages"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

run() {
  printf '\n$ %s\n' "$*"
  "$@"
}

sandbox=
if [ -z "${REDMINE_URL:-}" ] || [ -z "${REDMINE_API_KEY:-}" ]; then
  sandbox="--redmine $version --name demo"
  manifests=examples/from-nothing
  project=speiche
  # shellcheck disable=SC2086  # the options are words
  {
    printf '$ eval "$(reconciler sandbox start %s)"; export REDMINE_URL REDMINE_API_KEY\n' "$sandbox --empty"
    address=$(reconciler sandbox start $sandbox --empty)
    run reconciler sandbox reset $sandbox
    export $address
  }
fi

run reconciler validate "$manifests"
run reconciler plan --report "$pages/plan.html" "$manifests"
run reconciler apply --yes --report "$pages/report.html" "$manifests"

printf '\n# Applied: no changes remain.\n'
run reconciler plan --detailed-exitcode "$manifests"

printf '\n# A date moves by two weeks: the plan shows only that.\n'
cp -R "$manifests" "$work/changed"
run sed -i -e s/2026-12-01/2026-12-15/ -e s/2027-04-10/2027-04-24/ "$work"/changed/*.yaml
run reconciler plan "$work/changed"
run reconciler apply --yes "$work/changed"

printf '\nOpen:       %s/projects/%s\n' "$REDMINE_URL" "$project"
if [ -n "$sandbox" ]; then
  stop="$(command -v reconciler) sandbox stop $sandbox"
  printf 'Log in as:  admin / admin\nStop it:    %s\nRemove it:  %s --destroy\n' "$stop" "$stop"
fi
printf 'Report:     file://%s/report.html\nPlan:       file://%s/plan.html\n' "$pages" "$pages"
