#!/usr/bin/env bash
# What merging would do to a stack, in words: OUTDIR/STACK.md, which is there also when the preview fails or a policy refuses it.
#
#   preview.sh STACK OUTDIR
#
# Needs pulumi, kubectl and weir on PATH; the project as working directory; in the environment PULUMI_ACCESS_TOKEN, or PULUMI_BACKEND_URL and
# PULUMI_CONFIG_PASSPHRASE (or what the secrets provider of the stack needs). Exit code 1 when the preview fails or a policy refuses it.
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

need_project "${@:1:1}"
[[ -n ${2:-} ]] || fail 2 "name the directory for the words: preview.sh STACK OUTDIR"
need_backend
stack=$1 out=$2/$1
mkdir -p "$2"
rm -f "$out".*

# The JSON says nothing of policies; the event log, which Pulumi keeps with its debugging commands, does.
code=0
PULUMI_DEBUG_COMMANDS=true pulumi preview --json --non-interactive --color never --stack "$stack" --policy-pack "$root/policy" \
  --event-log "$out.events" > "$out.json" 2> "$out.err" || code=$?
no_stack "$stack" "$code"

words preview "$stack" "$out" "$code" > "$out.md"
cat "$out.md"
[[ -z ${GITHUB_STEP_SUMMARY:-} ]] || cat "$out.md" >> "$GITHUB_STEP_SUMMARY"
((code == 0)) || fail 1 "the preview of stack $stack is not what it should be: $(head -n 1 "$out.md")"
