"""Cards and command lines of a production, read back and run with stand-ins for gevgen, PrepareGENIE and nuiscomp."""

import os
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy import toy_prior

from nuinfer.errors import InputError
from nuinfer.io.binning import read_binning
from nuinfer.io.responses import write_response
from nuinfer.io.simulations import read_simulations
from nuinfer.steps.cards import cards
from nuinfer.steps.simulate import simulate
from nuinfer.tuning.parameters import CONVENTIONS, PARAMETERS, dial_to_physical
from nuinfer.tuning.priors import prior_box
from nuinfer.tuning.response import Block, Response
from nuinfer.tuning.sources.cards import CardSettings, card_settings, card_text, dials_of
from nuinfer.tuning.sources.commands import (
    GenieSettings,
    Programs,
    gevgen_command,
    nuiscomp_command,
    prepare_command,
    require_command,
    throw_lines,
    throws_command,
)
from nuinfer.tuning.sources.dial_values import FromCard, FromTable, card_parameters, card_setting
from nuinfer.tuning.sources.nuisance import NuisanceLayout, read_nuisance
from nuinfer.workflow import chunk_names, chunk_range

ROOT = Path(__file__).resolve().parents[2]
DOUBLES = ROOT / "tests" / "doubles"
NAMES = ("ma_ccqe_gev", "norm_ccmec", "shape_ccmec", "rpa_strength")
DIALS = ("MaCCQE", "NormCCMEC", "XSecShape_CCMEC", "RPA_CCQE")
TUNE = np.array([[1.10, 1.66, 1.0, 0.85]])
TABLE = [  # physical value, dial: worked out by hand from the one-sigma values of each convention
    ("reweight3", "ma_ccqe_gev", 1.10, (1.10 / 0.961242 - 1) / 0.03),
    ("reweight2", "ma_ccqe_gev", 1.10, (1.10 / 0.961242 - 1) / 0.25),
    ("reweight2", "ma_ccqe_gev", 0.90, (0.90 / 0.961242 - 1) / 0.15),
    ("absolute", "ma_ccqe_gev", 1.10, 1.10 / 0.961242 - 1),
    ("reweight3", "norm_ccmec", 1.66, (1.66 - 1) / 0.5),
    ("reweight2", "norm_ccmec", 0.50, -1.0),
    ("absolute", "norm_ccmec", 1.66, 1.66 - 1),
    ("reweight3", "shape_ccmec", 0.996, 0.996),
    ("absolute", "shape_ccmec", 1.0, 1.0),
    ("reweight3", "rpa_strength", 0.85, 1 - 0.85),
    ("absolute", "rpa_strength", 0.0, 1.0),
]


def bash(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess:
    """Run ``command`` in ``folder`` with the stand-ins first on the path, as Snakemake's shell does."""
    path = os.pathsep.join([str(DOUBLES), str(Path(sys.executable).parent), "/usr/bin", "/bin"])
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=os.environ | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def bilinear_response(n_bin: int = 67) -> tuple[Response, object]:
    """Return a small response in all four parameters and its bins."""
    binning = read_binning(ROOT / "resources" / "t2k_cc0pi_bins.csv", drop_momentum_overflow=n_bin == 58)
    rng = np.random.default_rng(3)

    def numbers(n_order: int) -> np.ndarray:
        return rng.uniform(0.5, 1.0, (n_order, n_bin)) * 0.2 ** (1 + np.arange(n_order))[:, None]

    blocks = (
        Block("qe", (("rpa_strength", "linear"),), numbers(3)),
        Block("qe", (("rpa_strength", "complement"),), numbers(3)),
        Block("mec", (("norm_ccmec", "linear"), ("shape_ccmec", "linear")), numbers(1)),
        Block("mec", (("norm_ccmec", "linear"), ("shape_ccmec", "complement")), numbers(1)),
    )
    return Response(blocks, {"ma_ccqe_gev": (0.5, 2.0)}, 0.0, binning.area_gev, 1.0), binning


def dials_in_line(line: str) -> tuple[str, dict[str, float]]:
    """Return the name and dials of a line of either kind."""
    name, text = line.split(" ", 1)
    words = shlex.split(text) if text.startswith("-i") else []
    assert words[::2] == ["-i"] * (len(words) // 2)
    elements = "".join(f"<{word}/>" for word in words[1::2]) or text
    parameters = list(ElementTree.fromstring(f"<nuisance>{elements}</nuisance>"))
    assert {(p.tag, p.get("type")) for p in parameters} == {("parameter", "genie_parameter")}
    return name, {p.get("name"): float(p.get("nominal")) for p in parameters}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with an event file and the card of a chunk."""
    (tmp_path / "gntp.nuis.root").write_text("events")
    (tmp_path / "card.xml").write_text(card_text(CardSettings(), {}))
    return tmp_path


@pytest.mark.parametrize("convention, name, physical, dial", TABLE)
def test_dials_by_hand(convention: str, name: str, physical: float, dial: float) -> None:
    found = dials_of((name,), np.array([[physical]]), convention)
    assert found.shape == (1, 1)
    assert found[0, 0] == pytest.approx(dial, rel=1e-15, abs=1e-16)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("kind", ["card", "options", "whole card"])
def test_dials_come_back_to_the_digit(tmp_path: Path, convention: str, kind: str) -> None:
    rng = np.random.default_rng(11)
    theta = np.vstack([TUNE, rng.uniform((0.5, 0.0, 0.0, 0.0), (2.0, 3.0, 1.0, 1.0), (200, 4))])
    if kind == "whole card":
        theta = theta[:40]
        settings, lines = CardSettings(convention=convention), []
        for row in dials_of(NAMES, theta, convention):
            (tmp_path / "card.xml").write_text(card_text(settings, dict(zip(DIALS, row, strict=True))))
            lines.append(card_parameters(tmp_path / "card.xml"))
        assert (card_setting(tmp_path / "card.xml", "setabstwk") == "1") is (convention == "absolute")
    else:
        lines = [dials_in_line(line)[1] for line in throw_lines(NAMES, theta, convention, 0, kind)]
    found = np.array([[line[d] for d in DIALS] for line in lines])
    back = np.stack([dial_to_physical(n, found[:, i], convention) for i, n in enumerate(NAMES)], axis=1)
    np.testing.assert_array_equal(found, dials_of(NAMES, theta, convention))
    np.testing.assert_allclose(back, theta, rtol=1e-15, atol=3e-16)


def test_conventions_differ() -> None:
    """A control of the test above: a card read in another convention gives another axial mass."""
    dial = dials_of(NAMES, TUNE, "reweight3")[0, 0]
    others = [float(dial_to_physical("ma_ccqe_gev", dial, c)) for c in ("reweight2", "absolute")]
    assert all(abs(m - 1.10) > 0.5 for m in others)


def test_card_says_what_was_asked() -> None:
    settings = CardSettings(input_file='a&b"<.root', config={"UseSVDInverse": True, "drawopts": "MC|DATA"})
    root = ElementTree.fromstring(card_text(settings, {"MaCCQE": -0.1}))
    config = {k: v for e in root.findall("config") for k, v in e.attrib.items()}
    assert config == {
        "GENIETune": "G18_10a_02_11a",
        "GENIEWeightEngine_CCQEMode": "kModeMa",
        "UseSVDInverse": "1",
        "drawopts": "MC|DATA",
    }
    (sample,) = root.findall("sample")
    assert sample.attrib == {
        "name": "T2K_CC0pi_XSec_2DPcos_nu_I",
        "input": 'GENIE:a&b"<.root',
        "mask_mom_overflow": "1",
        "type": "FIX/DIAG",
    }
    (parameter,) = root.findall("parameter")
    assert parameter.attrib == {"name": "MaCCQE", "nominal": "-0.1", "type": "genie_parameter"}
    whole = card_text(replace(settings, drop_momentum_overflow=False, convention="absolute"), {})
    assert "mask_mom_overflow" not in whole and 'setabstwk="1"' in whole and "<parameter" not in whole
    other = card_text(CardSettings(input_type="NuHepMC", input_file="achilles.hepmc"), {})
    assert 'input="NuHepMC:achilles.hepmc"' in other and "GENIE" not in other


@pytest.mark.parametrize("dials_in", ["card", "options"])
@pytest.mark.parametrize("convention, n_bin", [("reweight3", 58), ("reweight2", 67), ("absolute", 67)])
def test_throws_are_predicted_where_they_were_thrown(folder: Path, convention: str, n_bin: int, dials_in: str) -> None:
    response, binning = bilinear_response(n_bin)
    write_response(folder / "response.h5", response, binning, {})
    settings = CardSettings(convention=convention, drop_momentum_overflow=n_bin == 58)
    theta = np.vstack([TUNE, [[0.9, 0.3, 0.25, 0.0]]])
    (folder / "card.xml").write_text(card_text(settings, {}))
    (folder / "throws.txt").write_text("\n".join(throw_lines(NAMES, theta, convention, 12345, dials_in)) + "\n")
    release = {"NUINFER_DOUBLE_RELEASE": "2"} if convention == "reweight2" else {}
    command = throws_command("card.xml", "throws.txt", "out of it", dials_in=dials_in)
    done = bash(command, folder, NUINFER_DOUBLE_RESPONSE="response.h5", **release)
    assert done.returncode == 0, done.stderr
    paths = sorted((folder / "out of it").glob("*.root"))
    assert [p.name for p in paths] == ["throw_00012345.root", "throw_00012346.root"]
    if dials_in == "card":
        source = FromCard(DIALS)
    else:
        (folder / "table.csv").write_text("".join(["file," + ",".join(DIALS) + "\n", *_rows(folder / "throws.txt")]))
        source = FromTable(folder / "table.csv")
    throws = read_nuisance(paths, NuisanceLayout(settings.sample, n_bin), source)
    np.testing.assert_array_equal(throws.dials, dials_of(NAMES, theta, convention))
    np.testing.assert_allclose(throws.prediction * 1e38, response.predict(theta, NAMES), rtol=1e-12)


def _rows(path: Path) -> list[str]:
    found = [dials_in_line(line) for line in path.read_text().splitlines()]
    return [f"{name}," + ",".join(repr(dials[d]) for d in DIALS) + "\n" for name, dials in found]


def test_release_that_leaves_options_unused(folder: Path) -> None:
    """Why cards are the default: options are lost without a word in some releases, cards are not."""
    response, binning = bilinear_response(67)
    write_response(folder / "response.h5", response, binning, {})
    found = {}
    for dials_in in ("card", "options"):
        (folder / "throws.txt").write_text(throw_lines(NAMES, TUNE, "reweight3", 0, dials_in)[0] + "\n")
        command = throws_command("card.xml", "throws.txt", dials_in, dials_in=dials_in)
        environment = {"NUINFER_DOUBLE_RESPONSE": "response.h5", "NUINFER_DOUBLE_IGNORES_I": "1"}
        assert bash(command, folder, **environment).returncode == 0
        (folder / dials_in / "throw_00000000.xml").write_text(card_text(CardSettings(), {"MaCCQE": 0.0}))
        path = folder / dials_in / "throw_00000000.root"
        throws = read_nuisance([path], NuisanceLayout(CardSettings().sample, 58), FromCard(("MaCCQE",)))
        found[dials_in] = throws.prediction[0] * 1e38
    keep = ~binning.last_in_slice
    np.testing.assert_allclose(found["card"], response.predict(TUNE, NAMES)[0, keep], rtol=1e-12)
    np.testing.assert_allclose(found["options"], response.default_prediction()[keep], rtol=1e-12)
    assert np.abs(found["card"] / found["options"] - 1).max() > 0.05


def test_a_prediction_is_kept_while_card_and_command_are_the_same(folder: Path) -> None:
    """What is kept is the very file; events, program and dials that change each make it anew."""
    path = folder / "out" / "throw_00000000.root"

    def made(theta: np.ndarray = TUNE, **options) -> bool:
        """Predict, and say whether it was done now."""
        (folder / "throws.txt").write_text(throw_lines(NAMES, theta, "reweight3", 0)[0] + "\n")
        if path.exists():
            os.utime(path, ns=(10**18, 10**18))
        done = bash(throws_command("card.xml", "throws.txt", "out", **options), folder)
        assert done.returncode == 0, done.stderr
        return path.stat().st_mtime_ns != 10**18

    assert made() and not made()
    assert made(max_events=10) and not made(max_events=10)
    # Two hyphens must not stand in a comment of a card.
    wrapped = {"program": "env --unset=NOTHING nuiscomp", "max_events": 10}
    assert made(**wrapped) and not made(**wrapped)
    assert made(0.95 * TUNE, **wrapped)
    card = path.with_suffix(".xml")
    assert "<!-- env  unset=NOTHING nuiscomp -n 10 -->" in card.read_text()
    assert FromCard(DIALS).values(path) == tuple(dials_of(NAMES, 0.95 * TUNE, "reweight3")[0])


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda f: (f / "gntp.nuis.root").unlink(), "cannot open input GENIE:gntp.nuis.root"),
        (lambda f: (f / "card.xml").write_text("<nuisance>"), "not a card"),
        (lambda f: (f / "throws.txt").write_text((f / "throws.txt").read_text().replace("MaCCQE", "MaQE")), "unknown dial"),
    ],
)
def test_a_failed_prediction_ends_the_chunk(folder: Path, spoil, message: str) -> None:
    (folder / "throws.txt").write_text("\n".join(throw_lines(NAMES, TUNE, "reweight3", 7, "options")) + "\n")
    spoil(folder)
    done = bash(throws_command("card.xml", "throws.txt", "out", dials_in="options"), folder)
    assert done.returncode == 1
    assert message in done.stderr and "nuiscomp failed for throw_00000007 in out" in done.stderr
    assert not list((folder / "out").glob("*.root"))


def test_one_prediction_by_hand(folder: Path) -> None:
    command = nuiscomp_command("card.xml", "out.root", {"MaCCQE": 1.5}, program=str(DOUBLES / "nuiscomp"))
    assert command.endswith("""-o out.root -i 'parameter name="MaCCQE" nominal="1.5" type="genie_parameter"'""")
    assert bash(command + " -n 1000 -d MC -q setabstwk=1", folder).returncode == 0
    assert (folder / "out.root").stat().st_size > 1000
    missing = bash(nuiscomp_command("no.xml", "out.root"), folder)
    assert missing.returncode == 1 and "cannot open card no.xml" in missing.stderr


def test_events_and_preparation(tmp_path: Path) -> None:
    settings = GenieSettings(1000, "splines of tune.xml", "flux.root,enu_nd280_numu", seed=7)
    for name in ("splines of tune.xml", "flux.root"):
        (tmp_path / name).write_text("")
    command = gevgen_command(settings, "gntp.ghep.root")
    assert command == (
        "gevgen -n 1000 -t '1000060120[0.9231],1000010010[0.0769]' -p 14 --cross-sections 'splines of tune.xml' "
        "--tune G18_10a_02_11a --seed 7 -f flux.root,enu_nd280_numu -e 0.0,30.0 -o gntp.ghep.root"
    )
    early = bash(prepare_command(settings, "gntp.ghep.root", "gntp.nuis.root"), tmp_path)
    assert early.returncode == 1 and "cannot open gntp.ghep.root" in early.stderr
    for line in (command, prepare_command(settings, "gntp.ghep.root", "gntp.nuis.root")):
        assert bash(line, tmp_path).returncode == 0
    assert (tmp_path / "gntp.nuis.root").read_text().count("\n") == 2
    no_splines = bash(gevgen_command(replace(settings, splines="no.xml"), "x.root"), tmp_path)
    assert no_splines.returncode == 1 and "no.xml" in no_splines.stderr


def test_programs_in_a_container_or_missing(tmp_path: Path) -> None:
    programs = Programs(nuiscomp="apptainer exec 'my image.sif' nuiscomp", prepare="no-such-program")
    assert nuiscomp_command("c.xml", "o.root", program=programs.nuiscomp) == (
        "apptainer exec 'my image.sif' nuiscomp -c c.xml -o o.root"
    )
    assert bash(require_command(programs, "gevgen"), tmp_path).returncode == 0
    missing = bash(require_command(programs, "prepare"), tmp_path)
    assert missing.returncode == 2
    assert "no-such-program is not installed" in missing.stderr and "programs: prepare" in missing.stderr


def chunk(name: str, throws: dict, **production) -> dict:
    return {
        "parameters": toy_prior().to_config(),
        "design": "sobol",
        "n": throws[name.split("_")[0]],
        "range": list(chunk_range(throws, name)),
        "simulation": "genie",
        "seed": 5,
        "production": production,
    }


def test_200000_throws_in_500_chunks(tmp_path: Path) -> None:
    throws = {"train": 180_000, "validation": 10_000, "test": 10_000, "chunk": 400}
    chunks = chunk_names(throws)
    assert len(chunks) == 500
    starts = [chunk_range(throws, name)[:2] for name in chunks]
    assert len(set(starts)) == 500
    for name in (chunks[0], chunks[449], chunks[450], chunks[-1]):
        split, start, stop = chunk_range(throws, name)
        cards(tmp_path / f"{name}.xml", tmp_path / f"{name}.txt", chunk(name, throws))
        lines = [dials_in_line(line)[0] for line in (tmp_path / f"{name}.txt").read_text().splitlines()]
        assert lines == [f"throw_{i:08d}" for i in range(start, stop)] and len(lines) == 400
    assert lines[-1] == "throw_00009999" and split == "test"
    assert {p.suffix for p in tmp_path.iterdir()} == {".xml", ".txt"}


@pytest.mark.parametrize("name", ["train_00001", "test_00000"])
def test_throws_are_those_of_the_built_in_generator(tmp_path: Path, name: str) -> None:
    """A production asks for the same throws that ``simulate`` predicts: the two can be compared throw by throw."""
    throws = {"train": 24, "validation": 8, "test": 8, "chunk": 8}
    response, binning = bilinear_response(58)
    write_response(tmp_path / "response.h5", response, binning, {})
    settings = chunk(name, throws, convention="absolute")
    cards(tmp_path / "card.xml", tmp_path / "throws.txt", settings)
    simulate(tmp_path / "response.h5", tmp_path / "chunk.h5", settings)
    theta = read_simulations(tmp_path / "chunk.h5").theta
    lines = [dials_in_line(line)[1] for line in (tmp_path / "throws.txt").read_text().splitlines()]
    found = np.array([[line[d] for d in DIALS] for line in lines])
    np.testing.assert_array_equal(found, dials_of(NAMES, theta, "absolute"))
    assert card_setting(tmp_path / "card.xml", "setabstwk") == "1"
    assert card_parameters(tmp_path / "card.xml") == {}


def test_a_parameter_that_the_configuration_defines() -> None:
    entry = {"prior": "uniform", "low": 0.9, "high": 1.3, "dial": "MaCCRES", "dial_zero": 1.12, "dial_step": 0.224}
    box = prior_box({"ma_res_gev": entry, "norm_ccmec": {"low": 0.5, "high": 2.0}})
    (line,) = throw_lines(box.parameters, np.array([[2.0, 1.344]]), "reweight3", 3)
    name, dials = dials_in_line(line)
    assert name == "throw_00000003"
    assert dials == {"NormCCMEC": 2.0, "MaCCRES": pytest.approx(1.0, rel=1e-14)}
    assert "MaCCRES" in card_text(CardSettings(), dials, further=("MaCCRES",))


def test_bad_step_leaves_nothing(tmp_path: Path) -> None:
    throws = {"train": 8, "validation": 8, "test": 8, "chunk": 8}
    with pytest.raises(InputError, match="unknown dial convention 'genie4'"):
        cards(tmp_path / "card.xml", tmp_path / "throws.txt", chunk("train_00000", throws, convention="genie4"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: CardSettings(convention="sigma"), "unknown dial convention 'sigma'"),
        (lambda: CardSettings(input_type="Genie"), "unknown input_type 'Genie'"),
        (lambda: CardSettings(dials_in="table"), "unknown dials_in 'table'"),
        (lambda: CardSettings(ccqe_mode="kModeMA"), "unknown ccqe_mode"),
        (lambda: CardSettings(sample="T2K CC0pi"), "is not a name"),
        (lambda: CardSettings(input_file=" "), "input_file is empty"),
        (lambda: CardSettings(config={"setabstwk": "1"}), "set 'convention: absolute' instead"),
        (lambda: CardSettings(config={"a b": "1"}), "XML attribute"),
        (lambda: card_settings({"tunes": "G18"}), "unknown setting tunes; known: sample"),
        (lambda: card_text(CardSettings(), {"MaQE": 1.0}), "unknown dial 'MaQE'"),
        (lambda: card_text(CardSettings(), {"ma_ccqe_gev": 1.0}), "its dial is 'MaCCQE'"),
        (lambda: card_text(CardSettings(), {"MaCCQE": float("nan")}), "not a finite number"),
        (lambda: card_text(CardSettings(input_type="NUWRO"), {"MaCCQE": 1.0}), "weigh GENIE's events"),
        (lambda: nuiscomp_command("c", "o", {"x": 1.0}), "unknown dial 'x'"),
        (lambda: nuiscomp_command("c", "o", program=" "), "nuiscomp is empty"),
        (lambda: Programs(gevgen="gev'gen"), "cannot be read as a command"),
        (lambda: dials_of(("ma",), TUNE[:, :1], "reweight3"), "unknown parameter 'ma'"),
        (lambda: dials_of(NAMES, TUNE[:, :3], "reweight3"), r"shape \(n, 4\), got \(1, 3\)"),
        (lambda: dials_of(NAMES, TUNE, "sigma"), "unknown dial convention"),
        (lambda: dials_of(("norm_ccmec",), np.array([[np.inf]]), "reweight3"), "throw 0: norm_ccmec is not finite"),
        (lambda: throw_lines(("shape_ccmec",), np.array([[0.5], [1.01]]), "absolute", 0), "throw 1: shape_ccmec = 1.01 is cl"),
        (lambda: throw_lines(("shape_ccmec",), np.array([[-1e-6]]), "reweight3", 0), "clamped by GENIE to 0"),
        (lambda: throw_lines(("norm_ccmec",), np.array([[-0.1]]), "reweight3", 0), "norm_ccmec = -0.1 is clamped"),
        (lambda: throw_lines(("norm_ccmec",), np.array([[-0.1]]), "absolute", 0), "norm_ccmec = -0.1 is clamped"),
        (lambda: throw_lines(("ma_ccqe_gev",), np.array([[-0.1]]), "reweight2", 0), "ma_ccqe_gev = -0.1 is clamped"),
        (lambda: throw_lines(NAMES, TUNE, "reweight3", -1), "must not be negative"),
        (lambda: throw_lines(NAMES, TUNE, "reweight3", 0, "x"), "unknown dials_in 'x'"),
        (lambda: GenieSettings(0, "s.xml", "f.root,h", 1), "events must be at least 1"),
        (lambda: GenieSettings(1, "s.xml", "f.root", 1), "must read file.root,histogram"),
        (lambda: GenieSettings(1, "s.xml", "f.root,h", 1, target="1000060120"), "lacks mass fractions"),
        (lambda: GenieSettings(1, "s.xml", "f.root,h", 1, enu_range_gev=(3.0, 1.0)), "enu_range_gev"),
        (lambda: GenieSettings(1, "", "f.root,h", 1), "splines is empty"),
    ],
)
def test_bad_input(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_dials_are_those_of_the_library() -> None:
    assert tuple(p.dial for p in PARAMETERS.values()) == DIALS
