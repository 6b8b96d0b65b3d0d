#!/usr/bin/env bash
# Writes the kubeconfig of a stack's cluster where its stack file looks for it: at weir:kubeconfig, else where kubectl finds it.
#
#   kubeconfig.sh STACK
#
# Needs weir's python on PATH; the project as working directory; in the environment KUBECONFIG_CONTENT, the kubeconfig whole,
# and RUNNER_TEMP and GITHUB_ENV, which GitHub sets.
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

need_project "$@"
[[ -n ${KUBECONFIG_CONTENT:-} ]] || fail 2 "KUBECONFIG_CONTENT is empty: it has to hold the kubeconfig of the cluster of stack $1"

named=$(python -c 'import sys; from weir.cli.context import Context; print(Context(sys.argv[1]).config.kubeconfig or "")' "$1") \
  || fail 2 "Pulumi.$1.yaml has errors; see them with: weir check --stack $1"
path=${named:-$RUNNER_TEMP/kubeconfig}
path=${path/#\~\//$HOME/}
if [[ -e $path ]]; then
  fail 2 "$path is there already. A runner with a kubeconfig of its own needs no secret KUBECONFIG: remove the secret, or the file."
fi
mkdir -p "$(dirname "$path")"
(umask 077 && printf '%s\n' "$KUBECONFIG_CONTENT" > "$path")
echo "KUBECONFIG=$(realpath "$path")" >> "$GITHUB_ENV"
