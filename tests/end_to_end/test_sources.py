"""Every source of throws from its files to simulations and a response: what went in comes out.

The truth is tests/toy.py on T2K's 58 bins, a polynomial of total degree 3 in the parameters.
"""

import importlib.machinery
import importlib.util
import json
import os
import socketserver
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from nuisance_layout import write_nuiscomp
from toy import NAMES, ToyResponse, toy_prior

from nuinfer.io.binning import read_binning
from nuinfer.io.jsonfile import read_json
from nuinfer.io.responses import read_response
from nuinfer.io.simulations import read_simulations
from nuinfer.physics.constants import MUON_MASS_GEV
from nuinfer.tuning.parameters import PARAMETERS, physical_to_dial
from nuinfer.tuning.sources.cards import CardSettings, card_text, dials_of
from nuinfer.tuning.surrogate_fit import fit_surrogate

ROOT = Path(__file__).resolve().parents[2]
DOUBLES = ROOT / "tests" / "doubles"
BINS = ROOT / "resources" / "t2k_cc0pi_bins.csv"
DIALS = [PARAMETERS[n].dial for n in NAMES]
SAMPLE = "T2K_CC0pi_XSec_2DPcos_nu_I"
NONE_OF_THE_DEFAULT = {
    "simulations": {"cc0pi": None},
    "measurements": {"stand_in": None},
    "tunes": dict.fromkeys(("mock", "diagonal", "full", "norm_shape")),
    **{"studies": dict.fromkeys(("network", "posterior", "blackbox", "combined")), "ensembles": {"systematics": None}},
    **{"far_samples": dict.fromkeys(("plain", "smeared")), "fits": dict.fromkeys(("main", "resolution", "negative_control"))},
}
SPLITS = {"test": 50, "validation": 50}
TUNE = {"ma_ccqe_gev": 1.10, "norm_ccmec": 1.66, "shape_ccmec": 0.6, "rpa_strength": 0.85}
N = 300
N_EVENT = 6000
MA_VALUES = (0.9, 1.0, 1.16, 1.3)


def snakemake(folder, config, *arguments):
    """Run Snakemake in ``folder`` with ``config`` over the default; return the finished process."""
    for name in ("config", "resources"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    (folder / "mine.yaml").write_text(yaml.safe_dump({**NONE_OF_THE_DEFAULT, **config}))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    command += ["--cores", "2", "--configfile", str(folder / "mine.yaml"), *arguments]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def succeeds(folder, config, *targets):
    done = snakemake(folder, config, "--", *targets)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return done.stdout + done.stderr


def simulation(source, *, throws=SPLITS, names=NAMES, **entries):
    priors = toy_prior().to_config()
    return {"source": source, "parameters": {n: priors[n] for n in names}, "throws": dict(throws), **entries}


def truth(names=NAMES):
    """The true predictions of physical values in the 58 bins."""
    toy = ToyResponse(read_binning(BINS, drop_momentum_overflow=True))
    return lambda theta: toy.predict(theta, names)


def thrown():
    rng = np.random.default_rng(11)
    return toy_prior().from_unit(rng.random((N, 4)))


def write_table(path, theta):
    """Write dials to the last digit and predictions in cm2 to seven, as a production's script would."""
    dials = np.stack([physical_to_dial(n, theta[:, i], "reweight3") for i, n in enumerate(NAMES)], axis=1)
    with path.open("w") as stream:
        for row, prediction in zip(dials, truth()(theta) * 1e-38, strict=True):
            stream.write(" ".join([*(f"{d:.17g}" for d in row), *(f"{p:.6e}" for p in prediction)]) + "\n")


def write_root_files(folder, theta):
    """Write a file of nuiscomp for each throw, all 67 bins, and its card; one is cut off then, one holds a NaN."""
    folder.mkdir()
    toy = ToyResponse(read_binning(BINS))
    covariance = np.diag(np.full(67, 1e-80))
    settings = CardSettings(input_file="events.nuis.root", convention="absolute", drop_momentum_overflow=False)
    dials = dials_of(NAMES, theta, "absolute").tolist()
    for i, (row, prediction) in enumerate(zip(dials, toy.predict(theta, NAMES) * 1e-38, strict=True)):
        if i == 200:
            prediction = np.where(np.arange(67) == 0, np.nan, prediction)
        write_nuiscomp(
            folder / f"throw_{i:04d}.root", SAMPLE, prediction, 0.02 * prediction, prediction, covariance, extra=False
        )
        (folder / f"throw_{i:04d}.xml").write_text(card_text(settings, dict(zip(DIALS, row, strict=True))))
    cut = folder / "throw_0017.root"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])


def events():
    """Events of two channels and of one pion: energies, momenta, cosines, channels, and the curvature of their weights."""
    rng = np.random.default_rng(12)
    cos, p = rng.uniform(-1, 1, N_EVENT), rng.uniform(0.1, 2.0, N_EVENT)
    enu = np.hypot(p, MUON_MASS_GEV) + rng.uniform(0.05, 0.5, N_EVENT)
    channel = rng.choice(["QE", "MEC", "RES"], N_EVENT, p=[0.6, 0.25, 0.15])
    pions = np.where(channel == "RES", rng.integers(0, 2, N_EVENT), 0)
    return cos, p, enu, channel, pions, rng.uniform(0.5, 1.5, (2, N_EVENT))


def axial_weight(bend, value):
    """A generator's weight to another axial mass: a parabola of each event's own."""
    return 1.0 + bend[0] * (value - 1.0) - 0.3 * bend[1] * (value - 1.0) ** 2


def write_events(path):
    cos, p, enu, channel, pions, bend = events()
    q2 = 2 * enu * (np.hypot(p, MUON_MASS_GEV) - p * cos) - MUON_MASS_GEV**2
    weights = [axial_weight(bend, v) for v in MA_VALUES if v != 1.0]
    columns = ["E_nu_GeV", "p_mu_GeV", "cos_theta", "Q2_GeV2", "mode", "n_pip", "n_pim", "n_pi0", "n_other_meson"]
    columns += ["is_cc0pi", "weight_cm2_per_nucleon"]
    columns += [f"w_MAQE_{1000 * v:.0f}" for v in MA_VALUES if v != 1.0]
    with path.open("w") as stream:
        stream.write(",".join(columns) + "\n")
        for i in range(N_EVENT):
            row = [*map(repr, map(float, (enu[i], p[i], cos[i], q2[i]))), channel[i], str(pions[i]), "0", "0", "0"]
            row += [str(int(pions[i] == 0)), "8e-39", *(repr(float(w[i])) for w in weights)]
            stream.write(",".join(row) + "\n")


def predicted_by_a_loop(theta, binning):
    """The prediction ``(n_bin,)`` at M_A and the 2p2h norm: event by event, as nothing in the library does it."""
    cos, p, _, channel, pions, bend = events()
    total = np.zeros(len(binning))
    for i in range(N_EVENT):
        if pions[i]:
            continue
        for b, (cos_lo, cos_hi, p_lo, p_hi) in enumerate(binning.edges()):
            if cos_lo <= cos[i] < cos_hi and p_lo <= p[i] < p_hi:
                factor = {"QE": axial_weight(bend[:, i], theta[0]), "MEC": theta[1], "RES": 1.0}[str(channel[i])]
                total[b] += factor * 0.8 / N_EVENT
                break
    return total / binning.area_gev


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A working directory in which three sources of users' files were read; one of them was used for a tune."""
    folder = tmp_path_factory.mktemp("sources")
    write_table(folder / "throws.txt", thrown())
    write_root_files(folder / "nuisance", thrown())
    write_events(folder / "events.csv")
    table = {"files": ["throws.txt"], "dials": DIALS, "units": "cm2", "convention": "reweight3"}
    files = {"files": ["nuisance/*.root"], "sample": SAMPLE, "convention": "absolute"}
    files |= {"dials": {"card": "{stem}.xml", "columns": DIALS}}
    weights = {"nominal" if v == 1.0 else f"w_MAQE_{1000 * v:.0f}": v for v in MA_VALUES}
    terms = [
        {"component": "qe", "channels": ["QE"], "curve": {"parameter": "ma_ccqe_gev", "weights": weights}},
        {"component": "mec", "channels": ["MEC"], "factors": {"norm_ccmec": "linear"}},
        {"component": "other", "channels": ["RES", "DIS"]},
    ]
    samples = {"all": {"path": "events.csv", "format": "nuwro_table"}}
    made = {"samples": samples, "terms": [{**t, "samples": ["all"]} for t in terms], "nominal": {"ma_ccqe_gev": 1.0}}
    simulations = {
        "throws": simulation("throws", table=table),
        "nuisance": simulation("nuisance", throws={**SPLITS, "chunk": 120}, nuisance=files, on_bad_throw="drop"),
        "events": simulation("events", throws={"train": 100, "validation": 20, "test": 20, "chunk": 70}, events=made),
    }
    simulations["events"]["parameters"] = {
        "ma_ccqe_gev": {"low": 0.95, "high": 1.3},
        "norm_ccmec": {"low": 1.0, "high": 3.0},
    }
    tune = {"simulation": "throws", "mode": "prediction", "estimator": "smoke", "observations": ["point"]}
    config = {
        "simulations": {**simulations, "cc0pi": None},
        "observations": {"point": {"parameters": TUNE}},
        "tunes": {**NONE_OF_THE_DEFAULT["tunes"], "mine": tune},
        "calibration": {"events": 20, "exact_events": 20},
        "posterior": {"samples": 1000, "c2st_samples": 200, "chain_max_steps": 2000},
    }
    made = ("throws/response.json", "nuisance/response.json", "events/simulations.h5")
    succeeds(folder, config, "results/tuning/mine/point/posterior.json", *(f"results/simulations/{m}" for m in made))
    return folder


def sorted_rows(simulations):
    """The throws' places in the order of their first parameter: files come out shuffled."""
    return np.argsort(simulations.theta[:, 0])


def found(folder, name):
    return read_simulations(folder / f"results/simulations/{name}/simulations.h5")


def test_a_table_comes_out_as_it_went_in(finished):
    simulations, report = found(finished, "throws"), read_json(finished / "results/simulations/throws/ingest.json")
    rows, given = sorted_rows(simulations), thrown()[np.argsort(thrown()[:, 0])]
    np.testing.assert_allclose(simulations.theta[rows], given, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(simulations.prediction[rows], truth()(given), rtol=6e-7)
    np.testing.assert_allclose(toy_prior().from_unit(simulations.u[rows]), given, rtol=1e-12, atol=1e-12)
    assert not np.allclose(simulations.theta, thrown())
    assert report["n_read"] == report["n_used"] == N and report["n_bad"] == report["n_left_over"] == 0
    assert report["splits"] == {"train": N - 100, "validation": 50, "test": 50}


def error_of(surrogate):
    """Rms error relative to the bin's mean over fresh points of the prior, the largest over bins."""
    theta = toy_prior().from_unit(np.random.default_rng(13).random((2000, 4)))
    expected = truth()(theta)
    rms = np.sqrt(np.mean((surrogate.predict(theta, NAMES) - expected) ** 2, axis=0))
    return np.max(rms / expected.mean(axis=0))


def test_the_fitted_response_predicts_the_true_one_within_its_stated_error(finished):
    surrogate, _ = read_response(finished / "results/simulations/throws/response.h5")
    stated = read_json(finished / "results/simulations/throws/response.json")["interpolation_error"]
    assert surrogate.interpolation_error == stated < 1e-6 and error_of(surrogate) < 1.5 * stated


def test_a_response_of_too_low_a_degree_says_so(finished):
    """The control of the stated error: of straight lines it is large, and as large as the true one."""
    surrogate = fit_surrogate(found(finished, "throws"), max_degree=1)
    assert surrogate.interpolation_error > 0.02
    assert error_of(surrogate) == pytest.approx(surrogate.interpolation_error, rel=0.3)


def test_posterior_of_a_mock_from_a_table(finished):
    """Three hundred throws train no good estimator; the exact posterior needs the response alone."""
    table = read_json(finished / "results/tuning/mine/point/posterior.json")
    assert table["truth"] == TUNE
    for name, row in table["truth_deviation"]["exact"].items():
        assert abs(row["median_minus_truth_sd"]) < 0.7, name
    for name, row in table["against_exact"]["chain"].items():
        assert abs(row["mean_shift_sd"]) < 0.5, name
    with h5py.File(finished / "results/tuning/mine/point/posterior.h5") as file:
        theta = file["estimator/theta"][...]
    low, high = np.array([(p.low, p.high) for p in toy_prior().priors]).T
    assert theta.shape == (1000, 4) and np.all((theta >= low) & (theta <= high))


def test_files_of_nuiscomp_come_out_as_they_went_in(finished):
    """The dials go another way (cards, setabstwk), all bins are in the files; two files are bad, and only these are lost."""
    simulations, report = found(finished, "nuisance"), read_json(finished / "results/simulations/nuisance/ingest.json")
    given = np.delete(thrown(), [17, 200], axis=0)
    rows, given = sorted_rows(simulations), given[np.argsort(given[:, 0])]
    np.testing.assert_allclose(simulations.theta[rows], given, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(simulations.prediction[rows], truth()(given), rtol=1e-14)
    bad = {Path(b["where"]).name: b["why"] for b in report["bad"]}
    assert report["n_bad"] == 2 and set(bad) == {"throw_0017.root", "throw_0200.root"}
    assert "truncated" in bad["throw_0017.root"] and "bin 0 is nan" in bad["throw_0200.root"]
    assert report["n_read"] == N and report["n_used"] == N - 2 == sum(report["splits"].values())
    # What the histograms say of their own statistics reaches the response.
    np.testing.assert_allclose(report["statistical_rel"], 0.02, rtol=1e-9)
    surrogate, _ = read_response(finished / "results/simulations/nuisance/response.h5")
    sigma = np.sqrt(surrogate.simulation_variance(thrown()[:1], NAMES)[0])
    np.testing.assert_allclose(sigma, 0.02 * surrogate.errors["mean"], rtol=1e-9)


def test_the_left_out_files_are_told_on_the_way(finished):
    log = (finished / "logs/ingest/nuisance.log").read_text()
    assert "warning: 2 of 300 throws left out" in log and "ingest.json lists them" in log


def test_events_become_throws(finished):
    simulations = found(finished, "events")
    assert np.bincount(simulations.split).tolist() == [100, 20, 20]
    for row in (0, 77, 130):
        slow = predicted_by_a_loop(simulations.theta[row], simulations.binning)
        np.testing.assert_allclose(simulations.prediction[row], slow, rtol=1e-9, atol=1e-12)
    checks = read_json(finished / "results/simulations/events/response.json")
    assert checks["samples"]["all"] == {"events": N_EVENT, "cc0pi": int(np.sum(events()[4] == 0))}
    assert [row["value"] for row in checks["curves"][0]["left_out"]] == [1.0, 1.16]
    assert all(row["largest_rel"] < 1e-9 for row in checks["curves"][0]["left_out"])


def double(name):
    """Return the module of a stand-in, which is a script without a suffix."""
    loader = importlib.machinery.SourceFileLoader(f"double_{name}", str(DOUBLES / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


CLIENT = """import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.connect({address!r})
    s.sendall(json.dumps([os.getcwd(), sys.argv[1:]]).encode() + b"\\n")
    sys.exit(int(s.makefile().readline()))
"""


class Nuiscomp:
    """The stand-in for nuiscomp kept running: a hundred starts of Python would take a minute.

    ``command`` is what a configuration names; ``calls`` lists the names of the throws that it was called for, and it fails
    once for every name in ``broken``.
    """

    def __init__(self, folder):
        self.calls, self.broken = [], set()
        module, outer = double("nuiscomp"), self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                where, arguments = json.loads(self.rfile.readline())
                self.wfile.write(f"{outer.run(module, Path(where), arguments)}\n".encode())

        self.server = socketserver.UnixStreamServer(str(folder / "s"), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        (folder / "client.py").write_text(CLIENT.format(address=str(folder / "s")))
        self.command = f"{sys.executable} -S -E {folder / 'client.py'}"

    def run(self, module, where, arguments):
        name = Path(arguments[arguments.index("-c") + 1]).stem
        self.calls.append(name)
        if name in self.broken:
            self.broken.remove(name)
            return 1
        kept, before = sys.argv, Path.cwd()
        try:
            os.chdir(where)  # the test itself waits for Snakemake meanwhile
            sys.argv = ["nuiscomp", *arguments]
            return module.main()
        finally:
            sys.argv = kept
            os.chdir(before)


@pytest.fixture
def nuiscomp():
    with tempfile.TemporaryDirectory() as folder:  # the name of a socket must be short
        program = Nuiscomp(Path(folder))
        yield program
        program.server.shutdown()
        program.server.server_close()


def production(nuiscomp):
    """A production of 140 throws in two chunks, its programs the stand-ins."""
    names = ("norm_ccmec", "rpa_strength")
    genie = {"sample": SAMPLE, "flux": "flux.root,numu", "splines": "splines.xml", "convention": "reweight3", "events": 1000}
    throws = {"train": 100, "validation": 20, "test": 20, "chunk": 70}
    programs = {"gevgen": str(DOUBLES / "gevgen"), "prepare": str(DOUBLES / "PrepareGENIE"), "nuiscomp": nuiscomp}
    entry = simulation("genie", throws=throws, names=names, genie=genie)
    return {"simulations": {"cc0pi": None, "made": entry}, "programs": programs}


@pytest.fixture
def cluster(tmp_path):
    """A working directory with what a production reads."""
    for name in ("flux.root", "splines.xml"):
        (tmp_path / name).write_text(name)
    return tmp_path


def arrays(path):
    with h5py.File(path) as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        return {name: file[name][...] for name in names}


def times(folder):
    return {p.name: p.stat().st_mtime_ns for p in folder.glob("results/production/made/*/throws/throw_*.root")}


def test_a_production_goes_on_where_it_broke_off(cluster, nuiscomp):
    config, target = production(nuiscomp.command), "results/simulations/made/response.json"
    last = cluster / "results/production/made/1/throws"
    nuiscomp.broken = {"throw_00000090"}
    failed = snakemake(cluster, config, "--keep-going", "--", target)
    text = failed.stdout + failed.stderr
    assert failed.returncode != 0 and "nuiscomp failed for throw_00000090" in text
    assert not (last.parent / "files.txt").exists() and not (last / "throw_00000090.root").exists()
    kept = times(cluster)
    assert len(kept) == 70 + 20

    text = succeeds(cluster, config, target)
    assert "rule generate:" not in text and "rule prepare:" not in text and text.count("rule nuiscomp:") == 1
    assert len(nuiscomp.calls) == 140 + 1 and len(set(nuiscomp.calls)) == 140
    after = times(cluster)
    assert len(after) == 140 and all(after[name] == time for name, time in kept.items())

    throws = read_simulations(cluster / "results/simulations/made/simulations.h5")
    np.testing.assert_allclose(throws.prediction, truth(throws.box.names)(throws.theta), rtol=1e-9)
    report = read_json(cluster / "results/simulations/made/ingest.json")
    assert report["splits"] == {"train": 100, "validation": 20, "test": 20} and report["n_left_over"] == 0
    assert read_json(cluster / target)["interpolation_error"] < 1e-9
    assert "nuisance_flux" in (cluster / "results/production/made/events.nuis.root").read_text()

    # A chunk is lost with half of its files: the others stay, and everything comes out as before.
    before = {name: arrays(cluster / f"results/simulations/made/{name}.h5") for name in ("simulations", "response")}
    lost = sorted(last.glob("*.root"))[::2]
    made = cluster / "results/simulations/made"
    for path in (*lost, last.parent / "files.txt", made / "raw/1.h5", *made.glob("*.h5")):
        path.unlink()
    nuiscomp.calls.clear()
    succeeds(cluster, config, target, "results/simulations/made/simulations.h5", "results/simulations/made/response.h5")
    assert sorted(nuiscomp.calls) == [path.stem for path in lost]
    again = times(cluster)
    assert all(again[name] == time for name, time in after.items() if name not in {path.name for path in lost})
    for name, expected in before.items():
        for key, values in arrays(cluster / f"results/simulations/made/{name}.h5").items():
            assert np.array_equal(values, expected[key]), key

    # A throw that cannot be read costs one train throw, where the user wants it left out.
    config["simulations"]["made"]["on_bad_throw"] = "drop"
    bad = cluster / "results/production/made/0/throws/throw_00000003.root"
    bad.write_bytes(bad.read_bytes()[:1000])
    nuiscomp.calls.clear()
    succeeds(cluster, config, "results/simulations/made/simulations.h5")
    report = read_json(cluster / "results/simulations/made/ingest.json")
    assert report["splits"] == {"train": 99, "validation": 20, "test": 20} and report["n_bad"] == 1
    assert nuiscomp.calls == []

    # With fewer events a prediction is another one, although its card asks for the same dials.
    config["simulations"]["made"]["genie"]["max_events"] = 500
    succeeds(cluster, config, "results/production/made/1/files.txt")
    assert sorted(nuiscomp.calls) == [f"throw_{i:08d}" for i in range(70, 140)]
    assert "-n 500 -->" in (last / "throw_00000090.xml").read_text()


@pytest.mark.parametrize("missing", ["gevgen", "prepare", "nuiscomp"])
def test_a_missing_program_is_named(cluster, missing):
    config = production(str(DOUBLES / "nuiscomp"))
    config["programs"][missing] = f"no_such_{missing}"
    done = snakemake(cluster, config, "--", "results/production/made/0/files.txt")
    assert done.returncode != 0
    assert f"error: no_such_{missing} is not installed here" in done.stdout + done.stderr
    assert f"set programs: {missing} to its path" in done.stdout + done.stderr
    assert "Waiting at most" not in done.stdout + done.stderr  # the failure itself is seen, not the file that is not there


def test_half_a_file_of_a_program_that_fails_is_not_used(cluster):
    config = production(str(DOUBLES / "nuiscomp"))
    broken = cluster / "prepare.sh"
    broken.write_text('#!/bin/sh\nfor last; do :; done\necho half > "$last"\nexit 1\n')
    broken.chmod(0o755)
    config["programs"]["prepare"] = str(broken)
    done = snakemake(cluster, config, "--", "results/production/made/0/files.txt")
    assert done.returncode != 0 and not (cluster / "results/production/made/events.nuis.root").exists()
