"""Calibration's sampling, batched and one observation at a time: ``python benchmarks/sampling.py``.

Trains ``ours`` on the built-in generator, or reads ``--model DIR``, and times on one thread: all observations in one
batched pass (draws, densities and every calibration check); the same network through sbi's interface, one observation
after the other (draws, and the joint density of draws and truth that an expected-coverage rank needs); and, with
``--baseline``, the paper's networks in the same way.  The slow ways are timed on ``--slow`` observations and scaled up.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402 - the thread count is read when numpy and torch are loaded
import torch  # noqa: E402
from problem import builtin_problem  # noqa: E402

from nuinfer.calibration.calibrate import DEFAULT_LEVELS, calibrate  # noqa: E402
from nuinfer.seeds import stream  # noqa: E402
from nuinfer.tuning.estimator.sampling import log_prob, sample  # noqa: E402
from nuinfer.tuning.estimator.sbi_posterior import as_sbi_posterior  # noqa: E402
from nuinfer.tuning.estimator.settings import estimator_settings  # noqa: E402
from nuinfer.tuning.estimator.store import load_model  # noqa: E402
from nuinfer.tuning.estimator.training import train  # noqa: E402


def batched_s(network, names, u, x, n_draw: int) -> tuple[float, float]:
    """Return CPU seconds of one pass over all observations with every calibration check, and the worst leakage."""
    started = time.process_time()
    draws = sample(network, x, n_draw, 1)
    log_q = log_prob(network, u[:, None], x)[:, 0] - np.log(draws.acceptance)
    rng = stream(0, "benchmark", "calibrate")
    calibrate(draws.u, u, draws.log_q, log_q, draws.acceptance, DEFAULT_LEVELS, rng, names)
    return time.process_time() - started, float((1.0 - draws.acceptance).max())


def one_by_one_s(network, box, u, x, n_draw: int, with_density: bool) -> float:
    """Return CPU seconds per observation of sbi's own calls, one observation at a time."""
    posterior = as_sbi_posterior(network, box)
    theta = torch.as_tensor(box.from_unit(u), dtype=torch.float32)
    observations = torch.as_tensor(x, dtype=torch.float32)
    started = time.process_time()
    with torch.no_grad():
        for truth, observation in zip(theta, observations, strict=True):
            draws = posterior.sample((n_draw,), x=observation, show_progress_bars=False)
            if with_density:
                posterior.log_prob(torch.cat([draws, truth[None]]), x=observation)
    return (time.process_time() - started) / len(x)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--observations", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--slow", type=int, default=50)
    parser.add_argument("--throws", type=int, default=20_000, help="throws to train on without --model")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--baseline", action="store_true", help="time the paper's networks (trained in our loop) too")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    problem = builtin_problem(2e6)
    networks = {}
    if args.model:
        stored = load_model(args.model)
        networks[stored.settings.network.flow] = stored.network
    data = problem.training_data(args.throws, 0) if args.baseline or not args.model else None
    for name in (["ours"] if not args.model else []) + (["paper_networks"] if args.baseline else []):
        networks[name] = train(data, estimator_settings(name), 0).network
    u, mu = problem.throws(args.observations, 0, "test")
    x = problem.likelihood.sample(mu, stream(0, "benchmark", "sampling"))
    figures = {"observations": args.observations, "draws": args.draws}
    for name, network in networks.items():
        batched, leakage = batched_s(network, problem.box.names, u, x, args.draws)
        figures[name] = {"batched_cpu_s": batched, "leakage_worst": leakage}
        slow = (u[: args.slow], x[: args.slow], args.draws)
        for label, with_density in (("draws", False), ("draws_and_density", True)):
            seconds = one_by_one_s(network, problem.box, *slow, with_density) * args.observations
            figures[name][f"one_by_one_{label}_cpu_s"] = seconds
            figures[name][f"ratio_{label}"] = seconds / batched
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
