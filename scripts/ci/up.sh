#!/usr/bin/env bash
# Brings a stack to what its file says, then measures whether its traffic is.
#
#   up.sh STACK [OPTION OF weir verify]…
#
# Needs pulumi, kubectl and weir on PATH; the project as working directory; in the environment what preview.sh needs.
# Exit codes: 1 the update failed, or traffic could not be measured; 3 applied, and traffic is not what the config says.
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

need_project "${@:1:1}"
need_backend
stack=$1
shift

# With its preview first: what weir or a policy refuses is then refused before anything is touched.
code=0
patiently "$stack" pulumi up --yes --non-interactive --color never --stack "$stack" --policy-pack "$root/policy" || code=$?
no_stack "$stack" "$code"
((code == 0)) || fail 1 "stack $stack was not brought up, see above. What was done is recorded: mend the cause and run this job again, or revert the commit."

measured=$(mktemp)
trap 'rm -f "$measured"' EXIT
code=0
weir verify --stack "$stack" "$@" | tee "$measured" || code=$?
summary < "$measured"
case $code in
  0) ;;
  3) fail 3 "stack $stack is applied, and its traffic is not what the config says, see above. To go back: weir abort, or revert the commit." ;;
  *) fail 1 "stack $stack is applied, and its traffic could not be measured, see above" ;;
esac
