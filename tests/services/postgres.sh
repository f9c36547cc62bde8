#!/usr/bin/env bash
# A PostgreSQL on which tests may create databases.
#   tests/services/postgres.sh start DIR   writes TEST_DATABASE_URL=… to DIR/env
#   tests/services/postgres.sh stop DIR
# TEST_DATABASE_URL, or the server on 127.0.0.1:5432 that trusts us, is used as it is; else one is installed from Debian's
# packages and started in DIR on port 5499.
set -euo pipefail

command=${1:?start or stop}
dir=${2:?a folder}
port=5499
export DEBIAN_FRONTEND=noninteractive

binaries() { ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1; }
answers() { command -v psql >/dev/null && psql --no-psqlrc --quiet --tuples-only --command 'select 1' "$1" >/dev/null 2>&1; }
use() { echo "TEST_DATABASE_URL=$1" | tee "$dir/env"; }

start() {
  mkdir -p "$dir"
  for url in ${TEST_DATABASE_URL:-} postgres://postgres@127.0.0.1:5432/postgres; do
    if answers "$url"; then use "$url"; return; fi
  done
  if [ -z "$(binaries)" ]; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends postgresql postgresql-client >/dev/null
  fi
  chown postgres "$dir"
  chmod 755 "$dir"
  su postgres -s /bin/bash -c "$(binaries)/initdb -D $dir/data -A trust >$dir/initdb.log && \
    $(binaries)/pg_ctl -D $dir/data -w -l $dir/server.log -o '-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$dir' start >/dev/null"
  use "postgres://postgres@127.0.0.1:$port/postgres"
}

stop() {
  if [ -f "$dir/data/postmaster.pid" ]; then
    su postgres -s /bin/bash -c "$(binaries)/pg_ctl -D $dir/data -m fast stop >/dev/null"
  fi
}

case $command in
  start) start ;;
  stop) stop ;;
  *) echo "start or stop" >&2; exit 2 ;;
esac
