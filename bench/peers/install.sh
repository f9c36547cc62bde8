#!/usr/bin/env bash
# Peers of the benchmarks, each in a folder of ~/.cache/memory-gateway, at a fixed version.
#   bench/peers/install.sh portkey|mem0|litellm VERSION      prints the folder
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/memory-gateway
export PATH=$(cd "$(dirname "$0")/../.." && pwd)/node_modules/.bin:$PATH

packages() {
  cd "$1"
  # Scripts are run of nothing but what has to be compiled.
  npm install --silent --no-audit --no-fund --legacy-peer-deps --ignore-scripts >&2
  for name in "${@:2}"; do compile "$name"; done
}

# For the Node that runs it: where npm is set to the headers of another one, those of a package are taken.
compile() {
  [[ $(npm config get nodedir 2>/dev/null) =~ ^(|undefined|null)$ ]] && npm rebuild --silent "$1" >&2
  if ! loads "$1"; then
    mkdir headers
    npm install --silent --no-audit --no-fund --no-save --ignore-scripts --prefix headers "node-$(node -p 'process.platform + "-" + process.arch')@$(node -p process.versions.node)" >&2
    npm_config_nodedir=$(echo "$PWD"/headers/node_modules/node-*) npm rebuild --silent --build-from-source "$1" >&2
    rm -rf headers
    loads "$1"
  fi
}

loads() { node -e "new (require('$1'))(':memory:')" 2>/dev/null; }

install() {
  case $1 in
    portkey)
      # With a newer @hono/node-server it answers every stream with 500.
      echo '{"private":true,"dependencies":{"@portkey-ai/gateway":"'"$3"'"},"overrides":{"@hono/node-server":"1.13.8"}}' >"$2/package.json"
      packages "$2"
      ;;
    mem0)
      echo '{"private":true,"dependencies":{"mem0ai":"'"$3"'","better-sqlite3":"12.6.2"}}' >"$2/package.json"
      packages "$2" better-sqlite3
      ;;
    litellm)
      "$(find_python)" -m venv "$2/venv"
      "$2/venv/bin/pip" install --quiet --disable-pip-version-check "litellm[proxy]==$3" >&2
      ;;
  esac
}

find_python() {
  for python in "$HOME"/.pyenv/versions/3.1[123]*/bin/python3 python3.12 python3.13 python3.11 python3; do
    if "$python" -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then echo "$python"; return; fi
  done
  echo 'LiteLLM needs Python 3.11 to 3.13.' >&2
  return 1
}

[[ ${1:-} =~ ^(portkey|mem0|litellm)$ && ${2:-} =~ ^[0-9.]+$ ]] || { echo 'portkey|mem0|litellm VERSION' >&2; exit 2; }
folder=$cache/bench-$1-$2
mkdir -p "$cache"
exec 9>"$folder.lock"
flock 9
if [ ! -f "$folder/complete" ]; then
  rm -rf "$folder"
  mkdir "$folder"
  install "$1" "$folder" "$2"
  touch "$folder/complete"
fi
echo "$folder"
