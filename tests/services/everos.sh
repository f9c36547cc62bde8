#!/usr/bin/env bash
# A real EverOS on loopback for the tests, with a stub for its models.
#   tests/services/everos.sh start [DIR]   prints TEST_EVEROS_URL=…, and keeps it in DIR/env
#   tests/services/everos.sh stop [DIR]
# EVEROS_BIN: the `everos` command to run; without it EverOS is installed from PyPI for a Python 3.12 that is found here.
# EVEROS_PORT, LLM_STUB_PORT: where they listen. EVEROS_LLM_URL: a stub that runs already. EVEROS_EMBEDDING_URL,
# EVEROS_MULTIMODAL_URL, EVEROS_RERANK_URL: another one for that; empty: none. Settings EVEROS_<SECTION>__<KEY> pass through.
set -euo pipefail

command=${1:-}
if [[ ! $command =~ ^(start|stop)$ ]]; then
  echo "usage: $0 start|stop [DIR]" >&2
  exit 2
fi
mkdir -p "${2:-${TMPDIR:-/tmp}/gateway-everos}"
dir=$(cd "${2:-${TMPDIR:-/tmp}/gateway-everos}" && pwd)
everos=${EVEROS_BIN:-}
version=1.5.1
venv=${XDG_CACHE_HOME:-$HOME/.cache}/memory-gateway/everos-$version
port=${EVEROS_PORT:-1995}
llm_port=${LLM_STUB_PORT:-1996}
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/services/processes.sh
. "$here/processes.sh"

find_python() {
  for python in python3.12 "$HOME"/.pyenv/versions/3.12*/bin/python3; do
    if "$python" -c '' 2>/dev/null; then echo "$python"; return; fi
  done
  echo 'EverOS needs Python 3.12.' >&2
  return 1
}

install_everos() {
  [ -z "$everos" ] || return 0
  everos=$venv/bin/everos
  [ ! -f "$venv/complete" ] || return 0
  rm -rf "$venv"
  "$(find_python)" -m venv "$venv"
  "$venv/bin/pip" install --quiet --no-compile --disable-pip-version-check "everos[multimodal]==$version"
  touch "$venv/complete"
}

# An address of a model, and the key that goes with it: EverOS counts a model without a key as none.
model() { echo "EVEROS_$1__BASE_URL=$2 EVEROS_$1__API_KEY=${2:+stub} EVEROS_$1__MODEL=stub"; }

wait_for_health() {
  for _ in $(seq 240); do
    if curl --silent --fail --max-time 2 "http://127.0.0.1:$port/health" >/dev/null; then return; fi
    living everos >/dev/null || break
    sleep 0.25
  done
  echo "EverOS did not come up; see $dir/everos.log" >&2
  tail -n 20 "$dir/everos.log" >&2
  return 1
}

start() {
  install_everos
  if living everos >/dev/null && [[ -f $dir/env ]]; then
    cat "$dir/env"
    return
  fi
  mkdir -p "$dir/data"
  [ -f "$dir/data/everos.toml" ] || "$everos" init --root "$dir/data" >"$dir/init.log" 2>&1
  local url=${EVEROS_LLM_URL:-}
  if [ -z "$url" ]; then
    url="http://127.0.0.1:$llm_port/v1"
    launch llm-stub "$here/../../node_modules/.bin/node" "$here/llm-stub.ts" "$llm_port"
  fi
  # shellcheck disable=SC2046
  launch everos env ENV=DEV PYTHONPATH="$here/offline" EVEROS_RERANK__PROVIDER=vllm \
    $(model LLM "$url") $(model MULTIMODAL "${EVEROS_MULTIMODAL_URL-$url}") \
    $(model EMBEDDING "${EVEROS_EMBEDDING_URL-$url}") $(model RERANK "${EVEROS_RERANK_URL-}") \
    "$everos" server start --host 127.0.0.1 --port "$port" --root "$dir/data"
  if ! wait_for_health; then
    stop
    return 1
  fi
  echo "TEST_EVEROS_URL=http://127.0.0.1:$port" | tee "$dir/env"
}

stop() {
  end everos llm-stub
  rm -f "$dir/env"
}

"$command"
