#!/usr/bin/env bash
# A whole Slurm on this machine for the tests: controller, one node of two fake GPUs, munge. Up in a second or two; down.sh ends it.
# Root alone can do this, and jobs find the daemons only through /etc/slurm/slurm.conf: another cluster's is never touched.
set -euo pipefail

folder=${SLURM_TEST_DIR:-/tmp/nuinfer-slurm}
cluster=nuinfertest
node=$(hostname -s)
memory_mb=$(awk '/^MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)

fail() {
  echo "up.sh: $1" >&2
  exit 1
}

[ "$(id -u)" = 0 ] || fail "Slurm's daemons need root: run it as root, for example in a container"
for program in slurmctld slurmd sinfo munged munge; do
  command -v "$program" > /dev/null || fail "no $program: apt-get install slurmctld slurmd slurm-client munge"
done
if [ -e /etc/slurm/slurm.conf ] && ! grep -q "^ClusterName=$cluster\$" /etc/slurm/slurm.conf; then
  fail "/etc/slurm/slurm.conf is of another cluster: nothing is touched"
fi
if [ -e /usr/local/bin/sacct ] && ! grep -q "$cluster" /usr/local/bin/sacct; then
  fail "/usr/local/bin/sacct is another program: nothing is touched"
fi
for daemon in slurmctld slurmd; do
  ! pidof "$daemon" > /dev/null || fail "$daemon runs already: down.sh ends the test cluster's"
done

mkdir -p "$folder"/{state,spool,log} /etc/slurm
cat > /etc/slurm/slurm.conf << CONF
ClusterName=$cluster
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
# Without cgroups: memory is scheduled and not enforced, time is both.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SchedulerType=sched/backfill
# A production cluster looks at its queue every half minute; a test does not wait so long.
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
# Finished jobs stay known to squeue: the sacct below reads them there.
MinJobAge=600
KillWait=2
GresTypes=gpu
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc --all) RealMemory=$memory_mb Gres=gpu:fake:2 State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=2-00:00:00 DefMemPerCPU=500 State=UP
CONF

# Two character devices stand for GPUs: with a regular file Slurm would set no CUDA_VISIBLE_DEVICES.
cat > /etc/slurm/gres.conf << CONF
AutoDetect=off
NodeName=$node Name=gpu Type=fake File=/dev/null,/dev/zero
CONF

mkdir -p /run/munge
chown munge: /run/munge
if [ ! -s /etc/munge/munge.key ]; then
  head -c 1024 /dev/urandom > /etc/munge/munge.key
  chown munge: /etc/munge/munge.key
  chmod 400 /etc/munge/munge.key
fi
if ! munge -n > /dev/null 2>&1; then
  runuser -u munge -- munged --pid-file=/run/munge/munged.pid
  cp /run/munge/munged.pid "$folder/munged.pid" # ours to end
fi

# The executor asks sacct, which has nothing to say without an accounting database: the controller's memory answers for it.
cat > /usr/local/bin/sacct << SHIM
#!/bin/sh
# sacct of $cluster: states of jobs by name, without a database
while [ \$# -gt 0 ]; do
  case \$1 in --name) name=\$2; shift ;; --name=*) name=\${1#--name=} ;; esac
  shift
done
[ -n "\$name" ] || exit 0
exec squeue --states=all --noheader --format='%i|%T' --name "\$name"
SHIM
chmod +x /usr/local/bin/sacct

slurmctld -c
slurmd -c
for _ in $(seq 60); do
  if [ "$(sinfo --noheader --format=%T 2> /dev/null)" = idle ]; then
    sinfo --Node --format='%N %P %T %c CPUs %m MB %G'
    exit 0
  fi
  sleep 0.5
done
tail -n 20 "$folder"/log/*.log >&2
fail "the node did not come up in 30 s"
