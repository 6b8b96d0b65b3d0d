#!/usr/bin/env bash
# Makes .venv with the packages of requirements.txt and weir in it, and puts its commands on the PATH of the steps that follow.
#
#   install.sh
#
# Needs Python 3.11 or newer and make; the checkout as working directory; GITHUB_PATH, which GitHub sets.
set -euo pipefail

make .venv/installed
echo "$PWD/.venv/bin" >> "$GITHUB_PATH"
