#!/usr/bin/env bash
# A real Ceph RGW (S3) on loopback, its data in memory, everything else in one scratch folder.
#   ceph-rgw.sh start DIR    installs what is missing (Debian, root), starts, prints the settings of the contract tests
#   ceph-rgw.sh stop DIR     stops what start started
# `eval "$(tests/services/ceph-rgw.sh start DIR)"` sets TEST_S3_…; they are kept in DIR/env too. Starting twice is harmless.
set -euo pipefail

command=${1:-}
if [[ -z ${2:-} || ! $command =~ ^(start|stop)$ ]]; then
  echo "usage: $0 start|stop DIR" >&2
  exit 2
fi
mkdir -p "$2"
dir=$(cd "$2" && pwd)
conf=$dir/ceph.conf
port=${RGW_PORT:-8087}
mon_port=${RGW_MON_PORT:-13310}
bucket=gateway-test

log_dir=$dir/log
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/services/processes.sh
. "$here/processes.sh"

say() { echo "ceph-rgw: $*" >&2; }

stop() {
  end rgw
  end osd
  end mon
  rm -f "$dir/env"
}

configure() {
  cat >"$conf" <<CONF
[global]
fsid = $1
mon host = [v2:127.0.0.1:$mon_port/0]
auth cluster required = none
auth service required = none
auth client required = none
# Without cephx the default of this one keeps radosgw in a loop of refused authentications.
ms mon client mode = crc
public network = 127.0.0.0/8
run dir = $dir/run
admin socket = $dir/run/\$name.asok
pid file = $dir/run/\$name.pid
log file = $dir/log/\$name.log
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
mon data avail crit = 1
mon data avail warn = 2
mon max pg per osd = 1000
osd pool default pg num = 4
osd pool default pg autoscale mode = off
[mon]
mon data = $dir/mon
[osd]
osd data = $dir/osd
osd objectstore = memstore
# What is kept takes memory; the long form of the kill campaign keeps some GiB.
memstore device bytes = 8589934592
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:$port
rgw thread pool size = 16
CONF
}

start() {
  if living rgw >/dev/null && [[ -f $dir/env ]]; then
    say "already running"
    return
  fi
  stop
  install_missing radosgw:radosgw ceph-mon:ceph-mon ceph-osd:ceph-osd ceph:ceph-common
  # The data of an earlier run died with its memory store.
  rm -rf "$dir"/{mon,osd,run,log,monmap}
  mkdir -p "$dir"/{mon,osd,run,log}
  local fsid osd_id
  fsid=$(cat /proc/sys/kernel/random/uuid)
  osd_id=$(cat /proc/sys/kernel/random/uuid)
  configure "$fsid"
  {
    monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$mon_port]" "$dir/monmap"
    ceph-mon -c "$conf" --mkfs -i a --monmap "$dir/monmap"
    launch mon ceph-mon -c "$conf" -i a -f
    timeout 30 ceph -c "$conf" osd new "$osd_id"
    timeout 60 ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$osd_id"
    timeout 30 ceph -c "$conf" osd crush add osd.0 1.0 root=default host=localhost
    launch osd ceph-osd -c "$conf" -i 0 -f
    timeout 90 radosgw-admin -c "$conf" user create --uid=test --display-name=test \
      --access-key=testkey --secret-key=testsecret
  } >"$dir/log/setup.out" 2>&1
  launch rgw radosgw -c "$conf" -n client.rgw -f
  wait_for_port rgw "$port"
  cat >"$dir/env.part" <<ENV
export TEST_S3_ENDPOINT=http://127.0.0.1:$port
export TEST_S3_ACCESS_KEY_ID=testkey
export TEST_S3_SECRET_ACCESS_KEY=testsecret
export TEST_S3_BUCKET=$bucket
ENV
  bash "$here/create-bucket.sh" "http://127.0.0.1:$port" testkey testsecret $bucket
  mv "$dir/env.part" "$dir/env"
}

case $command in
  start)
    trap 'say "could not start: see $dir/log"; stop' ERR
    start
    cat "$dir/env"
    ;;
  stop) stop ;;
esac
