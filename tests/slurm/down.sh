#!/usr/bin/env bash
# Ends what up.sh started, and nothing else: jobs, daemons, the configuration in /etc/slurm, the stand-in for sacct.
set -uo pipefail

folder=${SLURM_TEST_DIR:-/tmp/nuinfer-slurm}
cluster=nuinfertest

if [ -e /etc/slurm/slurm.conf ] && ! grep -q "^ClusterName=$cluster\$" /etc/slurm/slurm.conf; then
  echo "down.sh: /etc/slurm/slurm.conf is of another cluster: nothing is touched" >&2
  exit 1
fi

# End the daemon of a pid file, and wait for its end: a file left by a machine that went down names another process.
end() {
  local pid
  pid=$(cat "$folder/$1.pid" 2> /dev/null) || return 0
  if [ "$(cat "/proc/$pid/comm" 2> /dev/null)" = "$1" ]; then
    kill "$pid"
    for _ in $(seq 50); do
      [ -e "/proc/$pid" ] || break
      sleep 0.1
    done
  fi
  rm -f "$folder/$1.pid"
}

if [ -e /etc/slurm/slurm.conf ]; then
  # A controller that does not answer must not hold the rest up.
  timeout 10 scancel --user="$(id -un)" 2> /dev/null
  for _ in $(seq 20); do
    [ -n "$(timeout 10 squeue --noheader 2> /dev/null)" ] || break
    sleep 0.5
  done
fi
end slurmd
end slurmctld
end munged
rm -f /etc/slurm/slurm.conf /etc/slurm/gres.conf
grep -qs "$cluster" /usr/local/bin/sacct && rm -f /usr/local/bin/sacct
rm -rf "$folder"
exit 0
