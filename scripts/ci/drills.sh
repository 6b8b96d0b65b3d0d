#!/usr/bin/env bash
# Ends the drills of a stack that have outlived their time, also those whose command was killed on somebody's machine. It applies nothing else:
# where an update would do more than that, a deploy is waiting for its approval, and this is not the way around it.
#
#   drills.sh STACK
#
# Needs pulumi, kubectl and weir on PATH; the project as working directory; in the environment what preview.sh needs.
# Exit codes: 0 none is left; 1 one could not be ended; 3 one is left, because an update would do more than end it.
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

need_project "${@:1:1}"
need_backend
stack=$1 file=Pulumi.$1.yaml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ended: the faults in the cluster whose end has passed.
ended() {
  weir status --stack "$stack" --file "$file" --window 0 --json > "$work/status.json" \
    || fail 1 "the cluster of stack $stack cannot be read, see above"
  words ended "$work/status.json"
}

code=0
pulumi preview --json --non-interactive --color never --stack "$stack" > "$work/$stack.json" 2> "$work/$stack.err" || code=$?
no_stack "$stack" "$code"
if ((code)); then
  words failure "$work/$stack" >&2
  fail 1 "the drills of stack $stack cannot be ended: an update would fail, see above"
fi
words more "$stack" "$work/$stack" > "$work/more.txt"
if [[ ! -s $work/more.txt ]]; then
  cp "$file" "$work/before.yaml"
  patiently "$stack" weir drill --clean --stack "$stack" || fail 1 "the drills of stack $stack could not be ended, see above"
  if ! diff -u --label "$file" --label "$file" "$work/before.yaml" "$file" | tee "$work/edit.diff"; then
    summary < "$work/edit.diff"
    say warning "$file in the repository still has a drill that is over: commit the change above. Until then weir check refuses the file."
  fi
  if [[ -n $(ended) ]]; then
    patiently "$stack" pulumi up --yes --skip-preview --non-interactive --color never --stack "$stack" \
      || fail 1 "the drills of stack $stack could not be ended, see above"
  fi
fi

ended > "$work/ended.txt"
if [[ -s $work/ended.txt ]]; then
  cat "$work/ended.txt"
  summary < "$work/ended.txt"
  fail 3 "stack $stack: the faults above are over and still in force. They go with the next update, which would also do this: $(< "$work/more.txt")"
fi
echo "stack $stack: no fault has outlived its end"
