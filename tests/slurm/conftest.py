"""A Slurm of its own for these tests: started by up.sh, ended by down.sh; skipped with the reason where that cannot be."""

import fcntl
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "srun", "munged")
PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
APT_S = 120
LOCK = Path("/tmp/nuinfer-slurm.lock")
LOCK_S = 900
REQUIRED = "NUINFER_SLURM_REQUIRED"


def why_not() -> str | None:
    """Return why no Slurm can be started here, None where it can; installs what lacks inside a container."""
    if os.geteuid() != 0:
        return "Slurm's daemons need root"
    configuration = Path("/etc/slurm/slurm.conf")
    if configuration.exists() and "ClusterName=nuinfertest" not in configuration.read_text():
        return f"{configuration} is of another cluster"
    if missing():
        if Path("/run/systemd/system").exists():
            # There the packages would start services on somebody's machine.
            return f"no {', '.join(missing())}: apt-get install {' '.join(PACKAGES)}"
        try:
            install()
        except (OSError, subprocess.SubprocessError) as error:
            return f"no {', '.join(missing())}, and apt-get does not bring them: {error}"
    return f"no {', '.join(missing())}" if missing() else None


def missing() -> list[str]:
    """Return the programs that lack."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


def install() -> None:
    """Install Debian's Slurm and munge; a list of packages may lack or be old, so that it is read again for a second try."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    packages = ["apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES]
    for command in (packages, ["apt-get", "update"], packages):
        done = subprocess.run(command, env=environment, capture_output=True, timeout=APT_S, check=False)
        if command is packages and done.returncode == 0:
            return
    done.check_returncode()


@pytest.fixture(scope="session")
def slurm(tmp_path_factory) -> str:
    """Return the name of the one node of a running Slurm."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with LOCK.open("w") as lock:
        # One machine, one /etc/slurm: test runs of two checkouts take turns.
        end = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > end:
                    pytest.skip(f"another test run has held {LOCK} for {LOCK_S} s")
                time.sleep(1)
        subprocess.run([HERE / "down.sh"], check=True)  # of a run that was killed
        try:
            started = subprocess.run([HERE / "up.sh"], capture_output=True, text=True, check=False)
            if "runs already" in started.stderr:
                pytest.skip(started.stderr.strip())
            if started.returncode and os.environ.get(REQUIRED) != "1":
                said = started.stderr.strip()[-400:]
                pytest.skip(f"Slurm's daemons do not start here ({REQUIRED}=1 makes this a failure): {said}")
            assert started.returncode == 0, started.stdout + started.stderr
            yield os.uname().nodename.split(".")[0]
        finally:
            subprocess.run([HERE / "down.sh"], check=True)
