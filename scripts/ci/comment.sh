#!/usr/bin/env bash
# One comment on a pull request with the words of all stacks. The first run writes it, every further one replaces its text.
#
#   comment.sh DIR STACK…      DIR/STACK.md is what preview.sh wrote
#
# Needs gh and python on PATH; in the environment GH_TOKEN, with the right to write pull requests, PULL_REQUEST, the number, and
# GITHUB_REPOSITORY, which GitHub sets. COMMIT: what was previewed. COMMENT_AUTHOR: whose the comment is, where GH_TOKEN is not the job's own.
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

(($# >= 2)) || fail 2 "say where the words are, and of which stacks: comment.sh DIR STACK…"
need_tools gh python
: "${PULL_REQUEST:?has to be the number of the pull request}" "${GITHUB_REPOSITORY:?has to be OWNER/NAME}"
directory=$1
shift
body=$(mktemp)
trap 'rm -f "$body"' EXIT

words comment "$directory" "$@" > "$body"
comments=$(gh api --paginate --slurp "repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments?per_page=100") \
  || fail 1 "the comments of pull request $PULL_REQUEST cannot be read: see what gh says above"
comment=$(words find "${COMMENT_AUTHOR:-github-actions[bot]}" <<< "$comments")
if [[ -n $comment ]]; then
  gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$comment" --field "body=@$body"
  echo "comment $comment is updated"
else
  gh api --silent --method POST "repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments" --field "body=@$body"
  echo "the comment is written"
fi
