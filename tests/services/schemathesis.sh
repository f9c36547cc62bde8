#!/usr/bin/env bash
# Schemathesis, which makes requests from an OpenAPI document and compares the answers with it; installed from PyPI for a Python 3.12 that is found here.
#   tests/services/schemathesis.sh install      prints the path of the command
set -euo pipefail

version=4.32.5
venv=${XDG_CACHE_HOME:-$HOME/.cache}/memory-gateway/schemathesis-$version

find_python() {
  for python in python3.12 "$HOME"/.pyenv/versions/3.12*/bin/python3; do
    if "$python" -c '' 2>/dev/null; then echo "$python"; return; fi
  done
  echo 'Schemathesis needs Python 3.12.' >&2
  return 1
}

[ "${1:-}" = install ] || { echo 'install' >&2; exit 2; }
if [ ! -f "$venv/complete" ]; then
  rm -rf "$venv"
  "$(find_python)" -m venv "$venv"
  "$venv/bin/pip" install --quiet --no-compile --disable-pip-version-check "schemathesis==$version" >&2
  touch "$venv/complete"
fi
echo "$venv/bin/schemathesis"
