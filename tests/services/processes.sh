# Sourced by the scripts beside it: starts processes whose pid files lie in $dir, and ends those and no others.

# Its output goes to $log_dir.
launch() {
  local name=$1
  shift
  setsid "$@" </dev/null >"${log_dir:-$dir}/$name.log" 2>&1 &
  echo "$! $(started_at $!)" >"$dir/$name.pid"
}

started_at() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# The pid of a process that was launched, if it still is that one: a pid may have been given to another since.
living() {
  local pid started
  [[ -f $dir/$1.pid ]] || return 1
  read -r pid started <"$dir/$1.pid"
  [[ -n $started && $(started_at "$pid") == "$started" ]] && echo "$pid"
}

# Ends what was launched under these names, all at once, and waits for them up to ten seconds.
end() {
  local name pid
  for name in "$@"; do
    if pid=$(living "$name"); then kill "$pid" 2>/dev/null || true; fi
  done
  for name in "$@"; do
    for _ in $(seq 100); do
      living "$name" >/dev/null || break
      sleep 0.1
    done
    if pid=$(living "$name"); then kill -9 "$pid" 2>/dev/null || true; fi
    rm -f "$dir/$name.pid"
  done
}

# Waits until somebody listens on the port of loopback; fails when the named process is gone, or after a minute.
wait_for_port() {
  for _ in $(seq 600); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null; then return; fi
    living "$1" >/dev/null || break
    sleep 0.1
  done
  echo "$1 does not listen on port $2: see ${log_dir:-$dir}" >&2
  return 1
}

# Installs Debian packages whose command is missing, given as command:package.
install_missing() {
  local missing=() pair
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
  done
  ((${#missing[@]})) || return 0
  export DEBIAN_FRONTEND=noninteractive
  echo "installing ${missing[*]}" >&2
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$dir/apt.log" 2>&1 || {
    apt-get update -qq >>"$dir/apt.log" 2>&1
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >>"$dir/apt.log" 2>&1
  }
}
