#!/usr/bin/env bash
# Goes on with the rollouts of a stack that are under way, or begins one: does what is due, and ends. What that changes in the stack file goes into the
# repository, as a commit on the branch or as a pull request to it. Nothing of the checkout changes but the stack file.
#
#   rollout.sh STACK [SERVICE [VERSION]]
#
# Needs git, pulumi, kubectl and weir on PATH; the project as working directory; in the environment what preview.sh needs. WEIR_CI_CHANGES: commit, or
# pull-request (also when it is empty), which needs gh on PATH, GH_TOKEN, with the right to write contents and pull requests, and GITHUB_REPOSITORY.
# WEIR_CI_REASON: why a rollout is begun, for weir history.
# Exit codes: 0 done, or nothing was due; 1 it could not be done, or the change could not be pushed; 3 a version was taken back, or is held.
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

need_project "${@:1:1}"
need_tools git
need_backend
stack=$1 file=Pulumi.$1.yaml proposal=weir-rollout-$1
arguments=(${2:+"$2"} ${3:+"$3"} ${WEIR_CI_REASON:+--reason "$WEIR_CI_REASON"})
case ${WEIR_CI_CHANGES:-pull-request} in
  commit) propose= ;;
  pull-request)
    propose=yes
    need_tools gh
    : "${GITHUB_REPOSITORY:?has to be OWNER/NAME, for the pull request}"
    ;;
  *) fail 2 "WEIR_CI_CHANGES is $WEIR_CI_CHANGES; it has to be commit or pull-request" ;;
esac
branch=${GITHUB_REF_NAME:-$(git symbolic-ref --quiet --short HEAD)} || fail 2 "no branch is checked out, so that nobody knows where changes are to go"
git diff --quiet HEAD -- "$file" || fail 2 "$file has changes that are not committed: commit them, or take them back with git restore $file"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The runner has no name of its own.
if ! git config user.email > /dev/null; then
  export GIT_AUTHOR_NAME='github-actions[bot]' GIT_AUTHOR_EMAIL='41898282+github-actions[bot]@users.noreply.github.com'
  export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
fi

# remote COMMAND…: git, with GH_TOKEN where there is one: the checkout keeps no credentials.
remote() {
  git ${GH_TOKEN:+-c credential.helper= -c 'credential.helper=!gh auth git-credential'} "$@"
}

# tip BRANCH: its newest commit in the repository that was cloned; fails where it has no such branch.
tip() {
  remote fetch --quiet origin "refs/heads/$1" && git rev-parse FETCH_HEAD
}

# proposed: what earlier steps have proposed and nobody has merged yet is in the stack file too; says the commit that proposes it.
proposed() {
  local commit code=0
  remote ls-remote --exit-code origin "refs/heads/$proposal" > /dev/null || code=$?
  ((code != 2)) || return 0 # there is none
  commit=$(tip "$proposal") || fail 1 "it is not known what earlier steps have proposed: branch $proposal cannot be fetched, see above. Nothing was done."
  git show "$commit~1:./$file" > "$work/proposed-on.yaml"
  git show "$commit:./$file" > "$work/proposed.yaml"
  if git merge-file --quiet "$file" "$work/proposed-on.yaml" "$work/proposed.yaml"; then
    touch "$work/fits"
  else
    git show "HEAD:./$file" > "$file"
    say warning "what commit $commit proposes for $file no longer fits onto $branch. The rollout goes on without it, and what it changes takes its place."
  fi
  echo "$commit"
}

# publish TARGET OLD: the change of the stack file, on top of the newest commit of the branch, becomes the newest of TARGET. OLD: what a proposal replaces.
# Nothing where the branch has the change already.
publish() {
  local target=$1 old=$2 newest commit try
  for try in 1 2 3 4 5; do
    newest=$(tip "$branch") || fail 1 "branch $branch cannot be fetched, see above. This is the change of $file, to be committed by hand: $(< "$work/edit.diff")"
    git show "$newest:./$file" > "$work/merged.yaml"
    git merge-file --quiet "$work/merged.yaml" "$work/before.yaml" "$work/after.yaml" \
      || fail 1 "$file was changed on $branch where the rollout changed it. Commit its change by hand, so that the next deploy does not undo it: $(< "$work/edit.diff")"
    git show "$newest:./$file" | cmp --quiet - "$work/merged.yaml" && return 0
    cmp --quiet "$work/merged.yaml" "$work/after.yaml" || weir check --file "$work/merged.yaml" > /dev/null \
      || fail 1 "with what $branch has by now, $file would have the errors above. Commit the rollout's change by hand: $(< "$work/edit.diff")"
    commit=$(committed "$newest")
    # Nobody else pushes between the two, or the push is refused.
    if remote push --quiet ${propose:+"--force-with-lease=refs/heads/$target:$old"} origin "$commit:refs/heads/$target"; then
      echo "$commit" > "$work/pushed"
      return 0
    fi
    say notice "the push was refused (try $try): somebody else has pushed meanwhile"
    sleep 1
  done
  fail 1 "the change of $file could not be pushed to $target, see above. Commit it by hand, so that the next deploy does not undo it: $(< "$work/edit.diff")"
}

# committed PARENT: a commit that puts the merged file onto another one. The checkout's index and branch have no part in it.
committed() {
  local mode blob
  export GIT_INDEX_FILE=$work/index
  mode=$(git ls-tree "$1" -- "$file" | cut -d ' ' -f 1)
  blob=$(git hash-object -w -- "$work/merged.yaml")
  git read-tree "$1"
  git update-index --cacheinfo "$mode,$blob,$(git rev-parse --show-prefix)$file"
  git commit-tree "$(git write-tree)" -p "$1" -F "$work/message.txt"
}

# pull_request COMMIT: there is one for the proposal, with the words of its commit.
pull_request() {
  local pulls=repos/$GITHUB_REPOSITORY/pulls number title
  title=$(git log -1 --format=%s "$1")
  git log -1 --format=%b "$1" | words fenced > "$work/body.md"
  number=$(gh api "$pulls?state=open&head=${GITHUB_REPOSITORY%%/*}:$proposal&base=$branch" --jq '.[].number') || return 1
  if [[ -n $number && -e $work/pushed ]]; then
    gh api --silent --method PATCH "$pulls/$number" --raw-field "title=$title" --field "body=@$work/body.md"
  elif [[ -z $number ]]; then
    gh api --silent --method POST "$pulls" --raw-field "title=$title" --field "body=@$work/body.md" \
      --raw-field "head=$proposal" --raw-field "base=$branch"
  fi
}

rollout() {
  weir rollout "${arguments[@]}" --once --yes --json --stack "$stack" >> "$work/states.json"
}

git show "HEAD:./$file" > "$work/before.yaml"
old=
[[ -z $propose ]] || old=$(proposed)
cp "$file" "$work/began.yaml"
touch "$work/states.json"
code=0
# In a shell of its own: whatever ends it, what has changed until then is published.
(patiently "$stack" rollout) || code=$?
cp "$file" "$work/after.yaml"
PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} python "$ci/rollout_words.py" "$stack" "$work/states.json" "$code" > "$work/message.txt"
cat "$work/message.txt"
summary < "$work/message.txt"

if ! diff -u --label "$file" --label "$file" "$work/before.yaml" "$work/after.yaml" | tee "$work/edit.diff"; then
  if [[ -z $propose ]]; then
    publish "$branch" ""
  else
    cmp --quiet "$work/began.yaml" "$work/after.yaml" || publish "$proposal" "$old"
    commit=$([[ ! -e $work/pushed ]] || cat "$work/pushed")
    commit=${commit:-$old}
    [[ -z $commit ]] || pull_request "$commit" \
      || fail 1 "branch $proposal has the change of $file, and it is not known whether there is a pull request for it: see what gh says above"
  fi
elif [[ -n $old && -e $work/fits ]]; then
  # The branch has what was proposed, or the rollout has taken it back. GitHub closes the pull request with it.
  remote push --quiet "--force-with-lease=refs/heads/$proposal:$old" origin ":refs/heads/$proposal"
fi

case $code in
  0) ;;
  3) fail 3 "stack $stack: a version was taken back, or is held, see above" ;;
  *) fail "$code" "stack $stack: not all that was due could be done, see above. Traffic stays as it is; the next run goes on." ;;
esac
