#!/usr/bin/env bash
# A real OpenStack Swift with its S3 surface on loopback: another dialect of S3 than Ceph's. All data in one scratch folder,
# whose file system must have extended attributes.
#   swift-s3.sh start DIR    installs what is missing (Debian, root), starts, prints the settings of the contract tests
#   swift-s3.sh stop DIR     stops what start started
# The settings are TEST_SWIFT_S3_…, kept in DIR/env too. Starting twice is harmless. SWIFT_PORT: the first of five ports.
set -euo pipefail

command=${1:-}
if [[ -z ${2:-} || ! $command =~ ^(start|stop)$ ]]; then
  echo "usage: $0 start|stop DIR" >&2
  exit 2
fi
mkdir -p "$2"
dir=$(cd "$2" && pwd)
log_dir=$dir/log
proxy=${SWIFT_PORT:-8285}
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/services/processes.sh
. "$here/processes.sh"
servers=(account:$((proxy + 1)) container:$((proxy + 2)) object:$((proxy + 3)))

stop() {
  end proxy account container object memcached
  rm -f "$dir/env"
}

configure() {
  printf '[swift-hash]\nswift_hash_path_suffix = gateway\n[storage-policy:0]\nname = gold\ndefault = yes\n' >"$dir/etc/swift.conf"
  local pair name port
  for pair in "${servers[@]}"; do
    name=${pair%%:*} port=${pair##*:}
    cat >"$dir/etc/$name-server.conf" <<CONF
[DEFAULT]
swift_dir = $dir/etc
devices = $dir/srv
mount_check = false
bind_ip = 127.0.0.1
bind_port = $port
workers = 0
disable_fallocate = true
[pipeline:main]
pipeline = $name-server
[app:$name-server]
use = egg:swift#$name
[$name-replicator]
[$name-updater]
[$name-auditor]
CONF
    (
      cd "$dir/etc"
      swift-ring-builder "$name.builder" create 4 1 0
      swift-ring-builder "$name.builder" add "r1z1-127.0.0.1:$port/d1" 1
      swift-ring-builder "$name.builder" rebalance
    ) >>"$log_dir/setup.out" &
  done
  cat >"$dir/etc/proxy-server.conf" <<CONF
[DEFAULT]
swift_dir = $dir/etc
bind_ip = 127.0.0.1
bind_port = $proxy
workers = 0
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk tempurl s3api tempauth copy slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$((proxy + 4))
[filter:slo]
use = egg:swift#slo
min_segment_size = 1
CONF
  for name in catch_errors gatekeeper healthcheck listing_formats bulk tempurl copy dlo versioned_writes symlink; do
    printf '[filter:%s]\nuse = egg:swift#%s\n' "$name" "$name" >>"$dir/etc/proxy-server.conf"
  done
  wait
}

start() {
  if living proxy >/dev/null && [[ -f $dir/env ]]; then
    echo "swift-s3: already running" >&2
    return
  fi
  stop
  install_missing swift-proxy-server:swift-proxy swift-account-server:swift-account \
    swift-container-server:swift-container swift-object-server:swift-object memcached:memcached
  rm -rf "$dir"/{etc,srv,log}
  mkdir -p "$dir"/{etc,srv/d1,log}
  configure
  chmod 755 "$dir"
  chown -R swift "$dir"/{etc,srv,log}
  launch memcached memcached -u nobody -l 127.0.0.1 -p $((proxy + 4))
  for pair in "${servers[@]}"; do
    launch "${pair%%:*}" "swift-${pair%%:*}-server" "$dir/etc/${pair%%:*}-server.conf" -v
  done
  launch proxy swift-proxy-server "$dir/etc/proxy-server.conf" -v
  for pair in "${servers[@]}" proxy:"$proxy"; do wait_for_port "${pair%%:*}" "${pair##*:}"; done
  cat >"$dir/env.part" <<ENV
export TEST_SWIFT_S3_ENDPOINT=http://127.0.0.1:$proxy
export TEST_SWIFT_S3_ACCESS_KEY_ID=test:tester
export TEST_SWIFT_S3_SECRET_ACCESS_KEY=testing
export TEST_SWIFT_S3_BUCKET=gateway-test
ENV
  bash "$here/create-bucket.sh" "http://127.0.0.1:$proxy" test:tester testing gateway-test
  mv "$dir/env.part" "$dir/env"
}

case $command in
  start)
    trap 'echo "swift-s3: could not start: see $log_dir" >&2; stop' ERR
    start
    cat "$dir/env"
    ;;
  stop) stop ;;
esac
