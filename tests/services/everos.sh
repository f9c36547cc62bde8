#!/usr/bin/env bash
# A real EverOS on loopback for the contract tests, with a stub for its models.
#   tests/services/everos.sh start [DIR]   prints TEST_EVEROS_URL=…, and keeps it in DIR/env
#   tests/services/everos.sh stop [DIR]
# EVEROS_BIN: the `everos` command to run; without it EverOS is installed from PyPI for a Python 3.12 that is found here.
set -euo pipefail

command=${1:?start or stop}
dir=${2:-${TMPDIR:-/tmp}/gateway-everos}
everos=${EVEROS_BIN:-}
version=1.5.1
venv=${XDG_CACHE_HOME:-$HOME/.cache}/memory-gateway/everos-$version
port=${EVEROS_PORT:-1995}
llm_port=${LLM_STUB_PORT:-1996}
here=$(cd "$(dirname "$0")" && pwd)

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
  "$venv/bin/pip" install --quiet --disable-pip-version-check "everos[multimodal]==$version"
  touch "$venv/complete"
}

wait_for() {
  for _ in $(seq 1 240); do
    if curl --silent --fail --max-time 2 "$1" >/dev/null; then return 0; fi
    if ! kill -0 "$2" 2>/dev/null; then break; fi
    sleep 0.25
  done
  echo "EverOS did not come up; see $dir/everos.log" >&2
  tail -n 20 "$dir/everos.log" >&2
  return 1
}

start() {
  install_everos
  mkdir -p "$dir/data"
  [ -f "$dir/data/everos.toml" ] || "$everos" init --root "$dir/data" >"$dir/init.log" 2>&1
  "$here/../../node_modules/.bin/node" "$here/llm-stub.ts" "$llm_port" >"$dir/llm-stub.log" 2>&1 &
  echo $! >"$dir/llm-stub.pid"
  local url="http://127.0.0.1:$llm_port/v1"
  ENV=DEV PYTHONPATH="$here/offline" \
    EVEROS_LLM__BASE_URL=$url EVEROS_LLM__API_KEY=stub EVEROS_LLM__MODEL=stub \
    EVEROS_MULTIMODAL__BASE_URL=$url EVEROS_MULTIMODAL__API_KEY=stub EVEROS_MULTIMODAL__MODEL=stub \
    EVEROS_EMBEDDING__BASE_URL=${EVEROS_EMBEDDING_URL-$url} EVEROS_EMBEDDING__API_KEY=stub EVEROS_EMBEDDING__MODEL=stub \
    EVEROS_RERANK__API_KEY= \
    "$everos" server start --host 127.0.0.1 --port "$port" --root "$dir/data" >"$dir/everos.log" 2>&1 &
  echo $! >"$dir/everos.pid"
  if ! wait_for "http://127.0.0.1:$port/health" "$(cat "$dir/everos.pid")"; then
    stop
    return 1
  fi
  echo "TEST_EVEROS_URL=http://127.0.0.1:$port" | tee "$dir/env"
}

stop() {
  for name in everos llm-stub; do
    if [ -f "$dir/$name.pid" ]; then
      kill "$(cat "$dir/$name.pid")" 2>/dev/null || true
      rm -f "$dir/$name.pid"
    fi
  done
}

case $command in
  start) start ;;
  stop) stop ;;
  *) echo "start or stop" >&2; exit 2 ;;
esac
