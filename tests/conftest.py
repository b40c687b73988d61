"""Puts this folder on the import path (``from toy import ...``) and finds the optional shared data."""

import fcntl
import os
from pathlib import Path

import numpy as np
import pytest
from smoke_run import RESULTS, run, workdir

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return ``../shared/data`` or skip the test with the reason."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a generator with a fixed seed, fresh for every test."""
    return np.random.default_rng(20251)


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> Path:
    """Return a folder in which the smoke configuration has run: one run for all workers, so copy it before changing it."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "smoke"
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shared.with_suffix(".done").exists():
            assert not shared.exists(), "the run of another worker failed"
            output = run(workdir(shared))
            assert f"report: {shared / RESULTS / 'report.html'}" in output
            shared.with_suffix(".done").touch()
    return shared
