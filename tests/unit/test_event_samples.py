"""Generator events: three formats with the same events in them, the CC0pi selection, and what is refused."""

import gzip
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import awkward
import boost_histogram
import numpy as np
import pyhepmc
import pytest
import uproot

from nuinfer.errors import InputError
from nuinfer.io.measurement import load_measurement
from nuinfer.physics.binning import Binning
from nuinfer.physics.constants import MUON_MASS_GEV
from nuinfer.tuning.sources import nuhepmc_run
from nuinfer.tuning.sources.event_formats import EVENT_FORMATS, read_events
from nuinfer.tuning.sources.events import CHANNELS, Events, is_cc0pi, is_meson

SIGMA = 0.6
"""Cross section per nucleon of the small sample, 1e-38 cm^2."""

COLUMNS = ("enu_gev", "p_mu_gev", "cos_theta", "q2_gev2", "weight_1e38cm2")

# E_nu, p_mu, cos(theta), channel, final state, weight at another setting.  The last one is a neutral current.
SAMPLE = [
    (0.9, 0.5, 0.8, "QE", (13, 2212), 1.1),
    (1.2, 0.7, -0.3, "MEC", (13, 2212, 2112, 22, 22), 0.9),
    (2.0, 0.9, 0.95, "RES", (13, 2112, 211), 1.0),
    (1.6, 0.4, 0.1, "RES", (13, 2212, 2112, 1000050110), 1.3),
    (5.0, 2.5, 0.99, "DIS", (13, 2212, 111, 321), 0.7),
    (1.0, 0.6, 0.97, "COH", (13, 211, 1000060120), 1.0),
    (1.1, 0.5, 0.5, "QE", (14, 2212), 1.0),
]
IS_CC0PI = [True, True, False, True, False, False]
NEUT = {"QE": 1, "MEC": 2, "RES": 11, "DIS": 26, "COH": 16}
PROCESS = {"QE": 200, "MEC": 300, "RES": 400, "DIS": 600, "COH": 100}
FORMATS = {"nuwro_table": "e.csv.gz", "nuisance_flat": "e.root", "nuhepmc": "e.hepmc3.gz"}


def flipped(sample: list[tuple]) -> list[tuple]:
    """Return the same events of antineutrinos: leptons change sign, the rest of the final state stays."""
    return [(*row[:4], tuple(-i if i in (13, 14) else i for i in row[4]), row[5]) for row in sample]


def q2(enu: float, p: float, cos: float) -> float:
    energy = np.hypot(p, MUON_MASS_GEV)
    return 2 * enu * (energy - p * cos) - MUON_MASS_GEV**2


def write_table(path: Path, sample: list[tuple], flag: Callable[[bool], bool] = bool, sigma: float = SIGMA) -> None:
    lines = [
        "E_nu_GeV,p_mu_GeV,cos_theta,Q2_GeV2,omega_GeV,mode,n_pip,n_pim,n_pi0,n_other_meson,is_cc0pi,"
        "weight_cm2_per_nucleon,w_MAQE_900"
    ]
    for enu, p, cos, channel, final, dial in sample:
        if 13 in final:
            mesons = [final.count(211), final.count(-211), final.count(111), final.count(321)]
            numbers = [enu, p, cos, q2(enu, p, cos), enu - np.hypot(p, MUON_MASS_GEV), channel, *mesons]
            lines.append(",".join(str(x) for x in (*numbers, int(flag(sum(mesons) == 0)), 1e-38 * sigma, dial)))
    text = "\n".join(lines) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def write_flat(path: Path, sample: list[tuple], drop: str = "", sigma: float = SIGMA, **changed: Any) -> None:
    neutrino = 14 if any(f[0] > 0 for *_, f, _ in sample) else -14
    is_cc = [abs(f[0]) == 13 for *_, f, _ in sample]
    enu, p, cos = (np.array([row[i] for row in sample]) for i in range(3))
    scalars = {
        "Mode": np.array([NEUT[row[3]] + (0 if cc else 50) for row, cc in zip(sample, is_cc, strict=True)], np.int32)
        * np.sign(neutrino),
        "cc": np.array(is_cc),
        "PDGnu": np.full(len(sample), neutrino, np.int32),
        "PDGLep": np.array([f[0] for *_, f, _ in sample], np.int32),
        "Enu_true": enu.astype(np.float32),
        "ELep": np.hypot(p, MUON_MASS_GEV).astype(np.float32),
        "CosLep": cos.astype(np.float32),
        "Q2": np.array([q2(*k) for k in zip(enu, p, cos, strict=True)], np.float32),
        "Weight": np.ones(len(sample), np.float32),
        "fScaleFactor": np.full(len(sample), sigma * 1e-38 / len(sample)),
        "w_900": np.array([row[5] for row in sample]),
    } | changed
    final = awkward.Array([list(row[4]) for row in sample])
    branches = {n: v.dtype for n, v in scalars.items() if n != drop} | {"pdg": "var * int32"}
    with uproot.recreate(path) as file:
        tree = file.mktree("FlatTree_VARS", branches, counter_name=lambda name: "nfsp")
        tree.extend({n: v for n, v in scalars.items() if n != drop} | {"pdg": final})


def write_nuhepmc(
    path: Path,
    sample: list[tuple],
    run: dict[str, Any] | None = None,
    mev: bool = True,
    process: str = "signal_process_id",
    generator_sigma: float | None = None,
    target: tuple[int, int] = (1000060120, 20),
) -> None:
    """Write events seen in a frame that is turned about x: the beam is not the z axis."""
    turn = np.array([[1, 0, 0], [0, 0.8, 0.6], [0, -0.6, 0.8]])
    scale, unit = (1000.0, pyhepmc.Units.MEV) if mev else (1.0, pyhepmc.Units.GEV)

    def particle(momentum: tuple, energy: float, pdg: int, status: int) -> pyhepmc.GenParticle:
        return pyhepmc.GenParticle((*(scale * turn @ momentum), scale * energy), pdg, status)

    info = pyhepmc.GenRunInfo()
    info.weight_names = ["w_900", "CV"]
    info.attributes = (
        {
            "NuHepMC.Units.CrossSection.Unit": "pb",
            "NuHepMC.Units.CrossSection.TargetScale": "PerAtom",
            "NuHepMC.FluxAveragedTotalCrossSection": 12 * SIGMA / 100,
        }
        if run is None
        else run
    )
    with pyhepmc.open(path, "w") as file:
        for number, (enu, p, cos, channel, final, dial) in enumerate(sample):
            event = pyhepmc.GenEvent(unit, pyhepmc.Units.MM)
            event.run_info, event.event_number = info, number
            vertex = pyhepmc.GenVertex()
            vertex.add_particle_in(particle((0, 0, enu), enu, 14 if final[0] > 0 else -14, 4))
            vertex.add_particle_in(particle((0, 0, 0), 11.0, *target))
            out = (0, p * np.sqrt(1 - cos**2), p * cos)
            for pdg in final:
                momentum, mass = (out, MUON_MASS_GEV) if abs(pdg) == 13 else ((0.1, 0.0, 0.2), 0.9)
                vertex.add_particle_out(particle(momentum, np.hypot(np.linalg.norm(momentum), mass), pdg, 1))
            vertex.add_particle_out(particle((0, 0, 0.3), 1.0, 211, 2))
            event.add_vertex(vertex)
            event.weights = [2.5 * dial, 2.5]
            event.attributes[process] = PROCESS[channel] + (0 if abs(final[0]) == 13 else 50)
            if generator_sigma is not None:
                event.cross_section = pyhepmc.GenCrossSection()
                event.cross_section.set_cross_section(generator_sigma, 0.0, number, number)
            file.write(event)


WRITERS = {"nuwro_table": write_table, "nuisance_flat": write_flat, "nuhepmc": write_nuhepmc}
OPTIONS = {
    "nuwro_table": {"weights": {"w_900": "w_MAQE_900"}, "n_generated": len(SAMPLE)},
    "nuisance_flat": {"weights": {"w_900": "w_900"}},
    "nuhepmc": {},
}


@pytest.mark.parametrize("format", EVENT_FORMATS)
def test_every_format_gives_the_same_events(tmp_path: Path, format: str) -> None:
    path = tmp_path / FORMATS[format]
    WRITERS[format](path, SAMPLE)
    events = read_events(path, format, **OPTIONS[format])
    cc = SAMPLE[:-1]
    truth = [[r[0], r[1], r[2], q2(*r[:3]), SIGMA / len(SAMPLE)] for r in cc]
    for name, values in zip(COLUMNS, np.array(truth).T, strict=True):
        assert np.allclose(getattr(events, name), values, rtol=1e-6, atol=1e-6), name
    assert events.channel.tolist() == [row[3] for row in cc]
    assert events.is_cc0pi.tolist() == IS_CC0PI
    assert np.allclose(events.dial_weights["w_900"], [row[5] for row in cc], rtol=1e-6)
    assert (len(events), events.n_generated) == (6, 7)


@pytest.mark.parametrize("format", ["nuisance_flat", "nuhepmc"])
def test_antineutrinos_need_their_own_sign(tmp_path: Path, format: str) -> None:
    path = tmp_path / FORMATS[format]
    WRITERS[format](path, flipped(SAMPLE))
    events = read_events(path, format, neutrino_pdg=-14)
    assert events.is_cc0pi.tolist() == IS_CC0PI
    assert events.channel.tolist() == [row[3] for row in SAMPLE[:-1]]
    with pytest.raises(InputError, match=r"event 0 is of the beam particle -14, not 14 \(7 such events\)"):
        read_events(path, format)
    with pytest.raises(InputError, match="12 is no muon neutrino"):
        read_events(path, format, neutrino_pdg=12)


@pytest.mark.parametrize("format", ["nuisance_flat", "nuhepmc"])
def test_neutral_currents_alone_are_no_sample(tmp_path: Path, format: str) -> None:
    path = tmp_path / FORMATS[format]
    WRITERS[format](path, SAMPLE[-1:])
    with pytest.raises(InputError, match=f"{path.name}: no charged-current event with a muon"):
        read_events(path, format)


def cc0pi_one_by_one(final: list[int], neutrino: int) -> bool:
    """Decide one event from lists of names: the slow twin of ``is_cc0pi``."""
    mesons = {111, 211, 221, 223, 113, 213, 321, 311, 310, 130, 331, 333, 411, 421, 431, 443}
    leptons = [i for i in final if abs(i) in (11, 13, 15)]
    return leptons == [13 if neutrino > 0 else -13] and not any(abs(i) in mesons for i in final)


@pytest.mark.parametrize("neutrino", [14, -14])
def test_selection_equals_a_list_of_mesons(neutrino: int) -> None:
    rng = np.random.default_rng(6)
    others = [2212, 2112, 22, 1000060120, 2000000101, 3122, -2212, 12, 4122, 111, -211, 130, 310, -321, 221, 11, -13, 13]
    finals = [[13 if neutrino > 0 else -13, *rng.choice(others, rng.integers(0, 4)).tolist()] for _ in range(2000)]
    finals += [[neutrino, 2212], []]
    event = np.repeat(np.arange(len(finals)), [len(f) for f in finals])
    found = is_cc0pi(np.concatenate(finals), event, len(finals), neutrino)
    assert found.tolist() == [cc0pi_one_by_one(f, neutrino) for f in finals]
    assert 0 < found.sum() < len(finals) and not found[-1] and not found[-2]


def test_mesons_are_told_from_the_rest() -> None:
    mesons = [111, 211, -211, 221, 130, 310, 311, -321, 331, 113, 10211, 9000211, 100111, 411, -521, 443]
    rest = [11, 13, -13, 14, 22, 23, 2212, -2112, 3122, 4122, 2224, 2203, 1000060120, 1000010010, 2000000101, 81, 91]
    assert is_meson(np.array(mesons)).all()
    assert not is_meson(np.array(rest)).any()


def random_events(n: int, seed: int) -> Events:
    rng = np.random.default_rng(seed)
    numbers = {"enu_gev": rng.uniform(0.3, 3, n), "q2_gev2": rng.uniform(0, 1, n), "weight_1e38cm2": rng.uniform(0, 1e-3, n)}
    numbers |= {"p_mu_gev": rng.uniform(0.01, 6, n), "cos_theta": rng.uniform(-1, 1, n)}
    dials = {"w": rng.uniform(0.5, 1.5, n)}
    return Events(**numbers, channel=rng.choice(CHANNELS, n), is_cc0pi=rng.random(n) < 0.7, n_generated=n, dial_weights=dials)


SLICES = {(-1.0, 0.0): [0.0, 5.0], (0.0, 0.6): [0.0, 0.3, 0.5, 5.0], (0.6, 1.0): [0.2, 0.4, 0.6, 1.0, 3.0]}
BINNING = Binning(*np.array([(*c, lo, hi) for c, e in SLICES.items() for lo, hi in pairwise(e)]).T)


@pytest.mark.parametrize("channel", [None, *CHANNELS])
def test_bins_equal_boost_histogram_slice_by_slice(channel: str | None) -> None:
    events = random_events(20000, 1)
    keep = events.is_cc0pi & (True if channel is None else events.channel == channel)
    count, total, square = [], [], []
    for (lo, hi), edges in SLICES.items():
        inside = keep & (events.cos_theta >= lo) & (events.cos_theta < hi)
        weight = (events.weight_1e38cm2 * events.dial_weights["w"])[inside]
        histogram = boost_histogram.Histogram(boost_histogram.axis.Variable(edges), storage=boost_histogram.storage.Weight())
        histogram.fill(events.p_mu_gev[inside], weight=weight)
        total += histogram.values().tolist()
        square += histogram.variances().tolist()
        plain = boost_histogram.Histogram(boost_histogram.axis.Variable(edges))
        count += plain.fill(events.p_mu_gev[inside]).values().tolist()
    assert events.counts(BINNING, channel).tolist() == count
    assert min(count) > 0
    density, error = events.density(BINNING, channel, "w")
    assert np.allclose(density * BINNING.area_gev, total, rtol=1e-12)
    assert np.allclose(error * BINNING.area_gev, np.sqrt(square), rtol=1e-12)
    if channel:
        part = events.of_channel(channel)
        assert part.counts(BINNING).tolist() == count and np.array_equal(part.density(BINNING, None, "w")[0], density)


def test_rounded_forward_muons_stay_in_the_last_slice() -> None:
    events = random_events(2, 3)
    forward = Events(**vars(events) | {"cos_theta": np.array([1.0, 1.0 + 5e-7]), "p_mu_gev": np.full(2, 0.5)})
    assert forward.bin_index(BINNING).tolist() == np.where(forward.is_cc0pi, 5, -1).tolist()


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("p_mu_gev", 0.0, "event 3: p_mu_gev = 0.0 is not positive"),
        ("enu_gev", np.nan, "event 3: enu_gev = nan is not a finite number"),
        ("cos_theta", 1.00001, r"event 3: cos_theta = 1.00001 leaves \[-1, 1\]"),
        ("weight_1e38cm2", -1e-9, "event 3: weight_1e38cm2 = -1e-09 is negative"),
        ("channel", "CCQE", "event 3: channel = CCQE is unknown; known: QE"),
        ("q2_gev2", np.inf, "event 3: q2_gev2 = inf"),
    ],
)
def test_a_bad_event_is_named(name: str, value: Any, match: str) -> None:
    events = random_events(5, 2)
    values = getattr(events, name).astype("U8" if name == "channel" else float)
    values[3] = value
    with pytest.raises(InputError, match=match):
        Events(**vars(events) | {name: values})


def test_arrays_that_do_not_fit_are_refused() -> None:
    events = random_events(5, 2)
    with pytest.raises(InputError, match=r"one entry an event.*q2_gev2 \(4,\)"):
        Events(**vars(events) | {"q2_gev2": events.q2_gev2[:4]})
    with pytest.raises(InputError, match="event 1: w = nan"):
        Events(**vars(events) | {"dial_weights": {"w": np.array([1, np.nan, 1, 1, 1])}})
    with pytest.raises(InputError, match="5 events of 4 generated"):
        Events(**vars(events) | {"n_generated": 4})
    with pytest.raises(InputError, match="unknown channel 'CCQE'"):
        events.counts(BINNING, "CCQE")
    with pytest.raises(InputError, match="no weights 'v'; there are w"):
        events.density(BINNING, dial="v")


def test_nuwro_beside_the_t2k_data(shared_data: Path) -> None:
    """The chi2 of the nominal sample over 58 bins, as found before and elsewhere: 146 and 67 (diagonal)."""
    file = shared_data / "t2k_cc0pi" / "T2K_CC0PI_2DPmuCosmu_Data.root"
    data = load_measurement("t2k", {"format": "nuisance_root", "path": str(file)})
    events = read_events(shared_data / "nuwro" / "t2k_CH_all_100k.csv.gz", "nuwro_table")
    residual = events.density(data.binning)[0] - data.values
    covariance = data.covariances["total"]
    assert len(residual) == 58
    assert residual @ np.linalg.solve(covariance, residual) == pytest.approx(146, abs=0.5)
    assert np.sum(residual**2 / np.diag(covariance)) == pytest.approx(67, abs=0.5)


def test_real_nuwro_tables(shared_data: Path) -> None:
    events = read_events(shared_data / "nuwro" / "t2k_CH_all_100k.csv.gz", "nuwro_table")
    # The reader itself compares its selection with the table's own flag.
    assert (len(events), int(events.is_cc0pi.sum())) == (100000, 61264)
    assert events.weight_1e38cm2.sum() == pytest.approx(0.633806, rel=1e-9)
    assert list(events.dial_weights) == [f"w_MAQE_{m}" for m in (900, 1100, 1130, 1160, 1230, 1300)]
    by_channel = [int((events.channel == c).sum()) for c in CHANNELS]
    assert sum(by_channel) == 100000 and by_channel[-1] == 0 and min(by_channel[:-1]) > 0
    total = sum(events.counts(BINNING, c) for c in CHANNELS)
    assert np.array_equal(total, events.counts(BINNING))
    other = events.channel != "QE"
    assert np.all(events.dial_weights["w_MAQE_900"][other] == 1)


@pytest.mark.parametrize("format", EVENT_FORMATS)
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.6, 0.9, 0.99])
def test_a_file_cut_off_is_refused(tmp_path: Path, format: str, keep: float) -> None:
    for name in {FORMATS[format], FORMATS[format].removesuffix(".gz")}:
        path = tmp_path / name
        WRITERS[format](path, SAMPLE)
        data = path.read_bytes()
        path.write_bytes(data[: int(keep * len(data))])
        with pytest.raises(InputError, match=f"{name}: "):
            read_events(path, format)


@pytest.mark.parametrize("format", EVENT_FORMATS)
def test_missing_files_and_options_are_named(tmp_path: Path, format: str) -> None:
    with pytest.raises(InputError, match=r"none: no such file; give the path"):
        read_events(tmp_path / "none", format)
    with pytest.raises(InputError, match=f"{format} knows no option sigma; known: "):
        read_events(tmp_path / "none", format, sigma=1)
    with pytest.raises(InputError, match="unknown format 'ghep' of events; known: nuwro_table"):
        read_events(tmp_path / "none", "ghep")


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("cos_theta", "cosine", "missing columns cos_theta; found E_nu_GeV"),
        ("0.9,0.5,0.8", "0.9,nan,0.8", "event 0: p_mu_gev = nan"),
        ("0.9,0.5,0.8", "0.9,half,0.8", "not a whole table of numbers.*half"),
        ("0.9,0.5,0.8", "0,9,0.5,0.8", "line 2 has 14 entries, the names are 13"),
        ("e-39,1.1", "e-38,1.1", "event 1: weight_cm2_per_nucleon = 6e-39, event 0 has 6e-38"),
        (",QE,", ",CCQE,", "event 0: channel = CCQE"),
    ],
)
def test_bad_tables(tmp_path: Path, old: str, new: str, match: str) -> None:
    write_table(tmp_path / "e.csv", SAMPLE)
    text = (tmp_path / "e.csv").read_text()
    assert old in text
    (tmp_path / "e.csv").write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=match):
        read_events(tmp_path / "e.csv", "nuwro_table")


def test_a_table_whose_flag_differs_is_refused(tmp_path: Path) -> None:
    write_table(tmp_path / "e.csv", SAMPLE, flag=lambda _: True)
    with pytest.raises(InputError, match="3 events whose is_cc0pi is not what their mesons say, the first event 2"):
        read_events(tmp_path / "e.csv", "nuwro_table")


@pytest.mark.parametrize("format", ["nuwro_table", "nuisance_flat"])
def test_a_unit_mistake_is_refused(tmp_path: Path, format: str) -> None:
    path = tmp_path / FORMATS[format]
    for wrong in (1e38, 1e-38):
        WRITERS[format](path, SAMPLE, sigma=SIGMA * wrong)
        with pytest.raises(InputError, match="mend its unit"):
            read_events(path, format)


def test_empty_samples_are_refused(tmp_path: Path) -> None:
    write_table(tmp_path / "e.csv", [])
    with pytest.raises(InputError, match="no events"):
        read_events(tmp_path / "e.csv", "nuwro_table")
    write_nuhepmc(tmp_path / "e.hepmc3", SAMPLE[:1])
    lines = (tmp_path / "e.hepmc3").read_text().splitlines(keepends=True)
    start = next(i for i, line in enumerate(lines) if line.startswith("E "))
    (tmp_path / "e.hepmc3").write_text("".join(lines[:start]) + "HepMC::Asciiv3-END_EVENT_LISTING\n")
    with pytest.raises(InputError, match="no events"):
        read_events(tmp_path / "e.hepmc3", "nuhepmc")
    with uproot.recreate(tmp_path / "e.root") as file:
        file.mktree("FlatTree_VARS", {"Mode": "int32", "pdg": "var * int32"})
    with pytest.raises(InputError, match="no branch cc, PDGnu"):
        read_events(tmp_path / "e.root", "nuisance_flat")


def test_bad_flat_trees(tmp_path: Path) -> None:
    path = tmp_path / "e.root"
    write_flat(path, SAMPLE, drop="CosLep")
    with pytest.raises(InputError, match="no branch CosLep in 'FlatTree_VARS'"):
        read_events(path, "nuisance_flat")
    write_flat(path, SAMPLE)
    with pytest.raises(InputError, match="no TTree 'VARS'; there are FlatTree_VARS"):
        read_events(path, "nuisance_flat", tree="VARS")
    with pytest.raises(InputError, match="no branch w_1100"):
        read_events(path, "nuisance_flat", weights={"w": "w_1100"})
    energy = np.full(len(SAMPLE), 0.5, np.float32)
    energy[1] = 0.1
    write_flat(path, SAMPLE, ELep=energy)
    with pytest.raises(InputError, match="ELep, above the muon's mass, is not a number in 1 events, the first 1"):
        read_events(path, "nuisance_flat")
    write_flat(path, SAMPLE, Weight=np.full(len(SAMPLE), np.nan, np.float32))
    with pytest.raises(InputError, match=r"Weight \* fScaleFactor is not a number in 7 events"):
        read_events(path, "nuisance_flat")


UNIT, SCALE, TOTAL = (
    f"NuHepMC.{name}" for name in ("Units.CrossSection.Unit", "Units.CrossSection.TargetScale", "FluxAveragedTotalCrossSection")
)


@pytest.mark.parametrize(
    "run",
    [
        {UNIT: "1e-38 cm2", SCALE: "PerTargetNucleon", TOTAL: SIGMA},
        {UNIT: "10-38 cm2", SCALE: "PerTarget", TOTAL: 12 * SIGMA},
        {UNIT: "cm2", SCALE: "PerNucleon", TOTAL: SIGMA * 1e-38},
        {TOTAL: 12 * SIGMA / 100},
    ],
)
@pytest.mark.parametrize("mev", [True, False])
def test_units_of_nuhepmc(tmp_path: Path, run: dict, mev: bool) -> None:
    write_nuhepmc(tmp_path / "e.hepmc3", SAMPLE, run, mev=mev, process="ProcID", target=(1000060120, 11))
    events = read_events(tmp_path / "e.hepmc3", "nuhepmc")
    assert np.allclose(events.weight_1e38cm2, SIGMA / len(SAMPLE), rtol=1e-9)
    assert np.allclose(events.p_mu_gev, [row[1] for row in SAMPLE[:-1]], rtol=1e-9)


def test_cross_section_of_nuhepmc_from_its_events_or_the_user(tmp_path: Path) -> None:
    path = tmp_path / "e.hepmc3"
    write_nuhepmc(path, SAMPLE, {UNIT: "pb", SCALE: "PerAtom"}, generator_sigma=12 * SIGMA / 100)
    assert np.allclose(read_events(path, "nuhepmc").weight_1e38cm2, SIGMA / len(SAMPLE), rtol=1e-6)
    other = read_events(path, "nuhepmc", sigma_1e38cm2=1.0, processes={400: "OTHER"})
    assert np.allclose(other.weight_1e38cm2, 1 / len(SAMPLE), rtol=1e-12)
    assert other.channel.tolist() == ["QE", "MEC", "OTHER", "OTHER", "DIS", "COH"]
    named = read_events(path, "nuhepmc", sigma_1e38cm2=1.0, processes={"400": "OTHER"})
    assert named.channel.tolist() == other.channel.tolist(), "a configuration has its numbers as text"
    thirteen = read_events(path, "nuhepmc", nucleons_per_target=13)
    assert np.allclose(thirteen.weight_1e38cm2, SIGMA * 12 / 13 / len(SAMPLE), rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "options", "match"),
    [
        ({"run": {}}, {}, "give sigma_1e38cm2"),
        ({"run": {TOTAL: 1.0, UNIT: "barn"}}, {}, "unit 'barn' is not known; known: pb"),
        ({"run": {TOTAL: 1.0, SCALE: "PerMole"}}, {}, "target scale 'PerMole' is not known"),
        ({"run": {TOTAL: 1e38}}, {}, "mend its unit"),
        ({"target": (1000060120, 3)}, {}, "targets are none marked; give nucleons_per_target"),
        ({"target": (11, 20)}, {}, "target 11 is no nucleus"),
        ({"process": "mode"}, {}, "event 0 has no signal_process_id"),
        ({}, {"weights": {"w": "w_1100"}}, "no weight 'w_1100'; there are w_900, CV"),
        ({}, {"processes": {400: "CCRES"}}, "processes: unknown channel CCRES"),
        ({}, {"processes": {"RES": "OTHER"}}, "processes: RES; give NuHepMC's numbers of processes"),
        ({}, {"nucleons_per_target": 0}, "nucleons_per_target: 0 is not positive"),
    ],
)
def test_bad_nuhepmc(tmp_path: Path, arguments: dict, options: dict, match: str) -> None:
    write_nuhepmc(tmp_path / "e.hepmc3", SAMPLE, **arguments)
    with pytest.raises(InputError, match=f"e.hepmc3: .*{match}"):
        read_events(tmp_path / "e.hepmc3", "nuhepmc", **options)


@pytest.mark.parametrize(("old", "new"), [("P 3 ", "Q 3 "), ("A 0 signal_process_id 300", "A 0 x 300")])
def test_a_damaged_nuhepmc_event_is_named(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "e.hepmc3"
    write_nuhepmc(path, SAMPLE)
    head, mark, rest = path.read_text().partition("E 1 ")
    assert old in rest
    path.write_text(head + mark + rest.replace(old, new, 1))
    with pytest.raises(InputError, match=r"e.hepmc3: event 1 "):
        read_events(path, "nuhepmc")


def test_an_unknown_unit_is_refused_wherever_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "e.hepmc3"
    write_nuhepmc(path, SAMPLE)
    whole = path.read_text()
    for chunk in (700, 701, 1 << 20):
        monkeypatch.setattr(nuhepmc_run, "CHUNK", chunk)
        path.write_text(whole)
        assert nuhepmc_run.count_events(path) == len(SAMPLE)
        path.write_text("U TEV".join(whole.rsplit("U MEV", 1)))
        with pytest.raises(InputError, match="7 events, but 6 lines with the unit MEV or GEV"):
            read_events(path, "nuhepmc")


def test_chunks_of_any_size_count_every_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "e.hepmc3"
    write_nuhepmc(path, SAMPLE[:2])
    for chunk in range(512, 1200, 7):
        monkeypatch.setattr(nuhepmc_run, "CHUNK", chunk)
        assert nuhepmc_run.count_events(path) == 2
