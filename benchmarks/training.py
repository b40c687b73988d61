"""Training against the published baseline: ``python benchmarks/training.py --throws 200000 --seeds 3``.

Per seed, in one process and on one thread: sbi's own loop with the paper's networks (``paper``), the same networks in our
loop (``paper_networks``), our default networks with a short schedule (``ours_fast``) and with the default one (``ours``),
all on the same throws, of which each loop holds a tenth back for validation.  Losses, calibration and the distance from
the exact posterior are read off test throws that no training has seen.  ``--choose`` finds the short schedules: the
shortest whose figures on validation throws, averaged over the seeds, are all at least as good as the baseline's.

A configuration's figures are written as it ends, and not measured again for the same arguments, settings and physics;
remove the folder ``--out`` to measure another state of the code.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402 - the thread count is read when numpy and torch are loaded
import torch  # noqa: E402
from problem import Problem, builtin_problem  # noqa: E402

from nuinfer.calibration.calibrate import DEFAULT_LEVELS, calibrate  # noqa: E402
from nuinfer.calibration.summary import comparison_table, kl_gap  # noqa: E402
from nuinfer.seeds import stream  # noqa: E402
from nuinfer.tuning.estimator.sampling import log_prob, sample  # noqa: E402
from nuinfer.tuning.estimator.settings import EstimatorSettings, estimator_settings  # noqa: E402
from nuinfer.tuning.estimator.training import Trained, TrainingData, mean_loss, train  # noqa: E402
from nuinfer.tuning.exact import importance_sample, neural_importance  # noqa: E402

CONFIGURATIONS = ("paper", "paper_networks", "ours_fast", "ours")
LADDER = {"ours_fast": (1, 2, 3, 4, 6, 8, 12), "paper_networks": (6, 8, 10, 12, 16, 20)}
FIGURES = ("loss", "kl_gap", "width", "coverage_marginal", "coverage_joint", "efficiency")


def evaluate(problem: Problem, network: torch.nn.Module, split: str, seed: int, n_exact: int, n_loss: int) -> dict:
    """Return the quality figures on ``n_loss`` throws of ``split``, the exact ones on the first ``n_exact``."""
    u, mu = problem.throws(n_loss, seed, split)
    x = problem.likelihood.sample(mu, stream(seed, "benchmark", "noise", split))
    loss = mean_loss(network, *(torch.as_tensor(a, dtype=torch.float32) for a in (u, x)))
    u, x = u[:n_exact], x[:n_exact]
    exact = importance_sample(problem.exact, x, stream(seed, "benchmark", "exact", split))
    started = time.process_time()
    draws = sample(network, x, 1000, seed)
    sampling_s = time.process_time() - started
    log_q = log_prob(network, u[:, None], x)[:, 0] - np.log(draws.acceptance)
    log_exact = problem.exact.log_prob_u(u, x) - exact.log_evidence
    gap = kl_gap(log_exact, log_q)
    names = problem.box.names
    compared = comparison_table(draws.u.mean(axis=1), draws.u.std(axis=1), exact.mean, exact.sd, names)
    _, metrics = calibrate(
        draws.u, u, draws.log_q, log_q, draws.acceptance, DEFAULT_LEVELS, stream(seed, "benchmark", "ranks"), names
    )
    ratios = [compared[n]["median_width_ratio"] for n in names]
    marginal = [abs(metrics["parameters"][n]["coverage"]["max_deviation"]) for n in names]
    efficiency = neural_importance(problem.exact, draws.u, draws.log_q, x).efficiency
    return {
        "loss": loss,
        "kl_gap": gap["mean"],
        "kl_gap_error": gap["error"],
        "exact_log_density": float(log_exact.mean()),
        "width": float(np.max(np.abs(np.array(ratios) - 1.0))),
        "width_ratios": ratios,
        "rms_shifts": [compared[n]["rms_shift"] for n in names],
        "coverage_marginal": max(marginal),
        "coverage_joint": abs(metrics["joint"]["coverage"]["max_deviation"]),
        "sbc_ks_p": [metrics["parameters"][n]["sbc_ks_p"] for n in names],
        "efficiency": float(np.median(efficiency)),
        "efficiency_q05": float(np.quantile(efficiency, 0.05)),
        "leakage_mean": float(np.mean(1.0 - draws.acceptance)),
        "leakage_worst": float(np.max(1.0 - draws.acceptance)),
        "sampling_cpu_s": sampling_s,
        "exact_flagged": exact.n_flagged,
    }


def at_least_as_good(figures: dict, baseline: dict, n_exact: int) -> dict[str, bool]:
    """Compare every figure with the baseline's; coverage within the scatter of ``n_exact`` perfect posteriors is good."""
    floor = 1.36 / np.sqrt(n_exact)  # 95 % point of the Kolmogorov statistic
    slack = {"coverage_marginal": floor, "coverage_joint": floor}
    smaller = {k: figures[k] <= max(baseline[k], slack.get(k, 0.0)) for k in FIGURES if k != "efficiency"}
    return {**smaller, "efficiency": figures["efficiency"] >= baseline["efficiency"]}


def timed(data: TrainingData, settings: EstimatorSettings, seed: int) -> tuple[Trained, dict]:
    """Train and return CPU and wall seconds, whole run and to the best epoch, beside the result."""
    wall = time.perf_counter()
    trained = train(data, settings, seed)
    best_s = float(trained.curves["cpu_s"][trained.best_epoch])
    return trained, {
        "cpu_s": trained.cpu_s,
        "wall_s": time.perf_counter() - wall,
        "epochs": len(trained.curves["cpu_s"]),
        "best_epoch": trained.best_epoch + 1,
        "best_epoch_cpu_s": best_s,
    }


def with_epochs(name: str, epochs: int) -> EstimatorSettings:
    settings = estimator_settings(name)
    return replace(settings, training=replace(settings.training, epochs=epochs))


def measure(problem: Problem, name: str, seed: int, args: argparse.Namespace) -> dict:
    """Train one configuration on the throws of ``seed`` and judge it on test throws, or read what an earlier run found.

    The baseline is judged on validation throws as well: what the short schedules are chosen by.
    """
    settings = estimator_settings(name)
    identity = {"seed": seed, **{n: getattr(args, n) for n in ("throws", "events", "test", "loss_throws")}}
    identity |= {"settings": settings.to_json(), "problem": problem.digest()}
    path = args.out / f"throws{args.throws}_seed{seed}_{name}.json"
    if path.exists() and (record := json.loads(path.read_text()))["identity"] == identity:
        return record
    sbi_loop = settings.training.loop == "sbi"
    data = (problem.all_for_sbi if sbi_loop else problem.training_data)(args.throws, seed)
    trained, timing = timed(data, settings, seed)
    figures = evaluate(problem, trained.network, "test", seed, args.test, args.loss_throws)
    curve = {k: np.asarray(trained.curves[k]).tolist() for k in ("validation_loss", "cpu_s")}
    record = {"identity": identity, **timing, **figures, "curve": curve}
    if sbi_loop:
        record["validation"] = evaluate(problem, trained.network, "validation", seed, args.test, args.loss_throws)
    scratch = path.with_suffix(".tmp")
    scratch.write_text(json.dumps(record, indent=1))
    os.replace(scratch, path)
    say(f"  seed {seed} {name}: {timing['cpu_s']:.1f} s CPU, loss {figures['loss']:.3f}, KL gap {figures['kl_gap']:.3f}")
    return record


def choose(problem: Problem, args: argparse.Namespace) -> dict[str, int]:
    """Return the shortest schedules whose validation figures, means over the seeds, are all at least the baseline's."""
    seeds = range(args.seeds)
    reference = _mean([measure(problem, "paper", seed, args)["validation"] for seed in seeds])
    say(f"  paper: {[round(reference[k], 3) for k in FIGURES]}")
    chosen = {}
    for name, ladder in LADDER.items():
        for epochs in ladder:
            found = []
            for seed in seeds:
                trained, timing = timed(problem.training_data(args.throws, seed), with_epochs(name, epochs), seed)
                judged = evaluate(problem, trained.network, "validation", seed, args.test, args.loss_throws)
                found.append(judged | timing)
            figures = _mean(found)
            good = at_least_as_good(figures, reference, args.test)
            worse = [k for k, v in good.items() if not v]
            shown = [round(figures[k], 3) for k in FIGURES]
            say(f"  {name} {epochs} epochs: {figures['cpu_s']:.1f} s CPU, {shown}, worse: {worse}")
            if not worse:
                chosen[name] = epochs
                break
    return chosen


def _mean(records: list[dict]) -> dict[str, float]:
    return {k: float(np.mean([r[k] for r in records])) for k in (*FIGURES, "cpu_s") if k in records[0]}


def table(records: list[dict], n_exact: int) -> str:
    """Return the comparison as text: means over the seeds, speed ratios per seed, and the verdicts."""
    names = [n for n in CONFIGURATIONS if n in records[0]]
    columns = ("cpu_s", "epochs", *FIGURES, "efficiency_q05", "leakage_mean")
    lines = ["  ".join([f"{'':16s}", *(f"{c:>17s}" for c in columns)])]
    for name in names:
        means = (np.mean([r[name][c] for r in records]) for c in columns)
        lines.append("  ".join([f"{name:16s}", *(f"{m:17.4g}" for m in means)]))
    if "paper" in names:
        for name in names[1:]:
            whole = [r["paper"]["cpu_s"] / r[name]["cpu_s"] for r in records]
            best = [r["paper"]["best_epoch_cpu_s"] / r[name]["cpu_s"] for r in records]
            good = [all(at_least_as_good(r[name], r["paper"], n_exact).values()) for r in records]
            lines.append(
                f"{name}: {', '.join(f'{w:.1f}' for w in whole)} times faster than the whole run of paper, "
                f"{', '.join(f'{b:.1f}' for b in best)} times than to its best epoch; every figure at least as good: {good}"
            )
    return "\n".join(lines)


def say(line: str) -> None:
    print(line, flush=True)


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--throws", type=int, default=200_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--events", type=float, default=2e6, help="size of the simulated sample at the default parameters")
    parser.add_argument("--test", type=int, default=1000, help="test throws compared with their exact posterior")
    parser.add_argument("--loss-throws", type=int, default=20_000, help="test throws of the held-out loss")
    parser.add_argument("--only", nargs="+", choices=CONFIGURATIONS, default=list(CONFIGURATIONS))
    parser.add_argument("--choose", action="store_true", help="find the short schedules on validation throws, and stop")
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks/training"))
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    args = arguments(argv)
    torch.set_num_threads(1)
    problem = builtin_problem(args.events)
    args.out.mkdir(parents=True, exist_ok=True)
    if args.choose:
        say(json.dumps(choose(problem, args)))
        return
    records = [{name: measure(problem, name, seed, args) for name in args.only} for seed in range(args.seeds)]
    say(table(records, args.test))
    say(f"figures of every seed in {args.out}")


if __name__ == "__main__":
    main(sys.argv[1:])
