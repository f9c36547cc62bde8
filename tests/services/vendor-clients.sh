#!/usr/bin/env bash
# The Python clients of the services whose APIs the gateway speaks, and OpenAI's own; installed from PyPI for a Python 3.11 or later that is found here.
#   tests/services/vendor-clients.sh install      prints the path of their Python
set -euo pipefail

venv=${XDG_CACHE_HOME:-$HOME/.cache}/memory-gateway/vendor-clients-2

find_python() {
  for python in python3 python3.12 python3.13 python3.11 "$HOME"/.pyenv/versions/3.1[123]*/bin/python3; do
    # Debian's Python makes no environments without its package python3-venv.
    if "$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo "$python"; return; fi
  done
  echo "The vendors' clients need Python 3.11 or later, on Debian with python3-venv." >&2
  return 1
}

[ "${1:-}" = install ] || { echo 'install' >&2; exit 2; }
# Suites that run side by side meet here.
mkdir -p "$(dirname "$venv")"
exec 9>"$venv.lock"
flock 9
if [ ! -f "$venv/complete" ]; then
  rm -rf "$venv"
  "$(find_python)" -m venv "$venv"
  "$venv/bin/pip" install --quiet --no-compile --disable-pip-version-check memorysync==1.10.1 memorystack==1.0.4 openai==3.54.0 >&2
  touch "$venv/complete"
fi
echo "$venv/bin/python"
