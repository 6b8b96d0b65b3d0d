#!/usr/bin/env bash
# Whether a cluster is still what the stack file says. Looks, and touches nothing.
#
#   drift.sh STACK
#
# Needs pulumi, kubectl and weir on PATH; the project as working directory; in the environment what preview.sh needs.
# Exit codes: 0 it is; 3 it is not, and what differs is said; 1 it could not be seen.
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

need_project "${@:1:1}"
need_backend
stack=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

code=0
pulumi preview --refresh --json --non-interactive --color never --stack "$stack" > "$work/$stack.json" 2> "$work/$stack.err" || code=$?
no_stack "$stack" "$code"
# Pulumi knows the fields that it wrote; weir status sees those that somebody added as well.
weir status --stack "$stack" --file "Pulumi.$stack.yaml" --window 0 --json > "$work/status.json" \
  || fail 1 "the cluster of stack $stack cannot be read, see above"
words drift "$stack" "$work" "$code" > "$work/drift.txt"
if [[ -s $work/drift.txt ]]; then
  cat "$work/drift.txt"
  summary < "$work/drift.txt"
  fail 3 "stack $stack: the cluster is not what Pulumi.$stack.yaml says, see above. Is the file right: pulumi up --refresh --stack $stack. Is the cluster \
right: write into the file what it has."
fi
if ((code)); then
  words failure "$work/$stack" >&2
  fail 1 "stack $stack cannot be compared with its cluster, see above"
fi
echo "stack $stack: the cluster is what Pulumi.$stack.yaml says"
