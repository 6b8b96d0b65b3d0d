# What the steps of the workflows share; sourced by them, not run.

ci=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$(dirname "$ci")")
readonly ci root

# On GitHub a line of a log can be a command to the runner. What others wrote goes into the log as well, so none counts but those of `say`.
if [[ ${GITHUB_ACTIONS:-} == true ]]; then
  resume=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  readonly resume
  printf '::stop-commands::%s\n' "$resume" >&2
fi

# words COMMAND…: needs nothing but Python and the checkout.
words() {
  PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} python "$ci/words.py" "$@"
}

# say LEVEL TEXT: error, warning or notice. On GitHub it also stands on the page of the run, else on stderr.
say() {
  local level=$1 text=$2
  if [[ ${GITHUB_ACTIONS:-} == true ]]; then
    text=${text//'%'/%25}
    text=${text//$'\r'/%0D}
    text=${text//$'\n'/%0A}
    printf '::%s::\n::%s::%s\n::stop-commands::%s\n' "$resume" "$level" "$text" "$resume" >&2
  else
    printf '%s\n' "$text" >&2
  fi
}

# fail CODE TEXT: says the error and ends the step.
fail() {
  say error "$2"
  exit "$1"
}

# need_project STACK…: each has its file here, and weir is on PATH.
need_project() {
  local stack
  (($#)) || fail 2 "name the stack: $(basename "$0") STACK"
  for stack in "$@"; do
    [[ -f Pulumi.$stack.yaml ]] || fail 2 "there is no Pulumi.$stack.yaml in $PWD: run this where the stack files are, and name one of these: $(stacks)"
  done
  need_tools weir python
}

need_tools() {
  local tool
  for tool in "$@"; do
    command -v "$tool" > /dev/null || fail 2 "there is no $tool on PATH: the action .github/actions/setup puts it there"
  done
}

stacks() {
  local file names=()
  for file in Pulumi.*.yaml; do
    file=${file#Pulumi.}
    [[ $file == '*.yaml' ]] || names+=("${file%.yaml}")
  done
  echo "${names[*]:-none}"
}

# need_backend: pulumi is on PATH, and knows where the state is kept.
need_backend() {
  local name
  need_tools pulumi
  # For a secret that is not there GitHub gives an empty text, and an empty passphrase would be one.
  for name in PULUMI_ACCESS_TOKEN PULUMI_BACKEND_URL PULUMI_CONFIG_PASSPHRASE; do
    [[ -n ${!name:-} ]] || unset "$name"
  done
  [[ -n ${PULUMI_ACCESS_TOKEN:-}${PULUMI_BACKEND_URL:-} ]] || fail 2 "where Pulumi keeps the state is not known: give the environment of this job the secret \
PULUMI_ACCESS_TOKEN, or the variable PULUMI_BACKEND_URL with the secret PULUMI_CONFIG_PASSPHRASE (docs/guide/pull-requests.md)"
}

# patiently STACK COMMAND…: runs it; as long as somebody else updates the stack, waits and runs it again, for WEIR_CI_WAIT seconds at most.
patiently() {
  local stack=$1 log code told=
  local end=$((SECONDS + ${WEIR_CI_WAIT:-600}))
  shift
  log=$(mktemp)
  while true; do
    code=0
    "$@" 2>&1 | tee "$log" || code=$?
    if ((code == 0)) || ! grep -qE 'stack is currently locked|[Uu]pdate is currently in progress' "$log"; then
      break
    fi
    if ((SECONDS >= end)); then
      rm -f "$log"
      fail 1 "stack $stack is still locked by another update. If none is under way, one was killed and left its lock: pulumi cancel --stack $stack"
    fi
    [[ -n $told ]] || say notice "another update of stack $stack is under way; this one waits for its end"
    told=yes
    sleep 2
  done
  rm -f "$log"
  return "$code"
}

# no_stack STACK CODE: ends the step when Pulumi's exit code says that the backend has no such stack.
no_stack() {
  (($2 != 6)) || fail 1 "the backend has no stack $1 yet; create it once, with the credentials of this job: pulumi stack init $1"
}

# summary: stdin as text onto the page of the run.
summary() {
  if [[ -n ${GITHUB_STEP_SUMMARY:-} ]]; then
    words fenced >> "$GITHUB_STEP_SUMMARY"
  else
    cat > /dev/null
  fi
}
