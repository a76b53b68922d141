#!/bin/sh
# Plans and applies examples/quickstart on a disposable Redmine, which it starts, or on the server that REDMINE_URL and
# REDMINE_API_KEY name. It can run repeatedly: the disposable one is reset first. REDMINE_VERSION: 6.1, 6.0 or 5.0.
# On your own server it touches nothing but the project reconciler-demo and the accounts demo-john and demo-amy. The plan
# and the report stay in build/demo as pages.
set -eu
cd "$(dirname "$0")/.."
manifests=examples/quickstart
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
  setup=
  [ ! -f "$manifests/setup.rb" ] || setup="--setup $manifests/setup.rb"
  # shellcheck disable=SC2086  # the options are words
  {
    printf '$ eval "$(reconciler sandbox start %s)"; export REDMINE_URL REDMINE_API_KEY\n' "$sandbox${setup:+ $setup}"
    address=$(reconciler sandbox start $sandbox $setup)
    run reconciler sandbox reset $sandbox
    export $address
  }
fi

run reconciler validate "$manifests"
run reconciler plan --report "$pages/plan.html" "$manifests"
run reconciler apply --yes --report "$pages/report.html" "$manifests"

printf '\n# Applied: no changes remain.\n'
run reconciler plan --detailed-exitcode "$manifests"

printf '\n# The release moves by two weeks: the plan shows only that.\n'
cp -R "$manifests" "$work/quickstart"
run sed -i s/2026-12-01/2026-12-15/ "$work/quickstart/redmine.yaml"
run reconciler plan "$work/quickstart"
run reconciler apply --yes "$work/quickstart"

printf '\nOpen:       %s/projects/reconciler-demo\n' "$REDMINE_URL"
if [ -n "$sandbox" ]; then
  stop="$(command -v reconciler) sandbox stop $sandbox"
  printf 'Log in as:  admin / admin\nStop it:    %s\nRemove it:  %s --destroy\n' "$stop" "$stop"
fi
printf 'Report:     file://%s/report.html\nPlan:       file://%s/plan.html\n' "$pages" "$pages"
