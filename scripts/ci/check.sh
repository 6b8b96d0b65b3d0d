#!/usr/bin/env bash
# All that can be said of a pull request without secrets: whether its stack files are sound.
#
#   check.sh STACK…
#
# Needs weir on PATH and the project as working directory. Exit code 2 when a stack file is not sound.
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

need_project "$@"
say notice "There is no preview: GitHub gives the repository's secrets neither to a pull request from a fork nor to one of Dependabot. The stack files \
alone are checked. A maintainer who has read the commits gets the preview by pushing them to a branch of this repository."
code=0
for stack in "$@"; do
  weir check --stack "$stack" || code=$?
done
exit "$code"
