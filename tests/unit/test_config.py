"""Every mistake in a configuration ends in one error that names the key and what is allowed."""

import copy
from pathlib import Path

import pytest
import yaml

from nuinfer.config import checked
from nuinfer.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
DEFAULT = yaml.safe_load((ROOT / "config/config.yaml").read_text())


def merged(base, overlay):
    """Merge as Snakemake merges configuration files: mappings key by key, anything else replaced."""
    if not isinstance(base, dict) or not isinstance(overlay, dict):
        return overlay
    return {**base, **{k: merged(base.get(k), v) if k in base else v for k, v in overlay.items()}}


def check(overlay=None):
    return checked(merged(copy.deepcopy(DEFAULT), overlay or {}), SCHEMA, ROOT)


@pytest.mark.parametrize("name", ["config", "smoke"])
def test_shipped_configurations_are_valid(name):
    assert check(yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()))["tunes"]


@pytest.mark.parametrize("name", ["paper", "fluxes"])
def test_configurations_with_a_parton_grid(name):
    """Valid where the grid is; elsewhere the one error names it."""
    overlay = yaml.safe_load((ROOT / f"config/{name}.yaml").read_text())
    if (ROOT / "../shared/data/pdf").is_dir():
        assert check(overlay)["studies"]
    else:
        with pytest.raises(InputError, match=r"CT18NNLO|tdr2017_RHC_ND"):
            check(overlay)


def test_defaults_are_filled_in():
    config = check()
    assert config["calibration"]["samples"] == 1000 and config["simulations"]["cc0pi"]["generator"]["drop_momentum_overflow"]
    assert config["estimators"]["gaussian"] if "gaussian" in config["estimators"] else config["estimators"]["nsf"]


def test_null_in_an_overlay_removes_an_entry():
    assert "full" not in check({"tunes": {"full": None}})["tunes"]


def parameters(**entries):
    return {"simulations": {"cc0pi": {"parameters": entries}}}


def generator(**entries):
    return {"simulations": {"cc0pi": {"generator": entries}}}


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        ({"sead": 1}, r"top level: unknown key 'sead'; allowed: seed"),
        ({"seed": "one"}, r"seed: 'one' is not of type integer"),
        ({"calibration": {"events": 1.5}}, r"calibration\.events: 1\.5"),
        ({"tunes": {"mock": {"mode": "both"}}}, r"tunes\.mock\.mode: 'both' is not one of prediction, measurement"),
        ({"tunes": {"mock": {"estimator": "nope"}}}, r"tunes\.mock\.estimator: 'nope' is not defined; known: .*paper"),
        ({"tunes": {"mock": {"observations": ["measured"]}}}, r"needs a tune with a measurement"),
        ({"tunes": {"full": {"likelihood": "poisson"}}}, r"tunes\.full\.likelihood: 'poisson' is not one of diagonal"),
        ({"tunes": {"full": {"measurement": None}}}, r"tunes\.full: mode 'measurement' needs the key 'measurement'"),
        ({"tunes": {"a b": DEFAULT["tunes"]["mock"]}}, r"tunes: the name 'a b'"),
        (parameters(MaCCQE={"low": 1, "high": 2}), r"'MaCCQE' is a dial: its parameter is 'ma_ccqe_gev'"),
        (parameters(ma_ccqe_gev={"low": 1.3, "high": 1.0}), r"ma_ccqe_gev: inverted range, low 1\.3"),
        (parameters(rpa_strength={"low": 0, "high": 2}), r"rpa_strength: prior \[0, 2\] leaves the physical range \[0, 1\]"),
        (parameters(ma_ccqe_gev={"prior": "flat"}), r"ma_ccqe_gev\.prior: 'flat' is not one of uniform, normal"),
        (parameters(norm_ccmec={"prior": "normal", "mean": 1}), r"norm_ccmec: prior 'normal' takes mean, sigma"),
        ({"simulations": {"cc0pi": {"generator": {"flux": "no.csv"}}}}, r"generator\.flux: no such file 'no\.csv'"),
        ({"simulations": {"cc0pi": {"throws": {"design": "grid"}}}}, r"throws\.design: 'grid' is not one of sobol"),
        (generator(ma_range_gev=[2.0, 0.5]), r"ma_range_gev: inverted range, 2 is not below 0\.5"),
        (generator(ma_range_gev=[1.0, 1.2]), r"ma_range_gev: \[1, 1\.2\] does not hold the prior of ma_ccqe_gev"),
        (generator(components=["mec"]), r"components: ma_ccqe_gev needs the component 'qe'"),
        ({"observations": {"microboone_tune": {"parameters": {"ma_ccqe_gev": 3.0}}}}, r"ma_ccqe_gev: 3 leaves \[0\.5, 2\]"),
        ({"measurements": {"stand_in": {"parameters": {"shape_ccmec": 1.5}}}}, r"shape_ccmec: 1\.5 leaves \[0, 1\]"),
        ({"report": {"comparison": {"nuwro": "x"}}}, r"report\.comparison: unknown key 'nuwro'; allowed: nuwro_all"),
        ({"calibration": {"events": 2000}}, r"calibration\.events: 2000 held-out throws wanted.*throws\.test = 1000"),
        ({"observations": {"microboone_tune": {"parameters": {"rpa_strength": None}}}}, r"missing 'rpa_strength'"),
        ({"estimators": {"mine": {"name": "ours", "epocs": 3}}}, r"estimators\.mine: .*'epocs'"),
        (
            {"measurements": {"stand_in": None, "t2k": {"format": "csv", "path": "x.csv"}}},
            r"measurements\.t2k: missing key 'covariances'",
        ),
    ],
    ids=lambda value: None if isinstance(value, dict) else value[:30],
)
def test_mistakes(overlay, message):
    with pytest.raises(InputError, match=message) as caught:
        check(overlay)
    assert "\n" not in str(caught.value)


def test_key_table_is_the_schema():
    from nuinfer.config_table import markdown

    schema = yaml.safe_load(SCHEMA.read_text())
    assert markdown(schema) in (ROOT / "config/README.md").read_text(), "run python -m nuinfer.config_table"


def test_schema_has_no_stray_keys():
    """A comma in an unquoted one-line description would split it into a key without a value."""

    def visit(node):
        if isinstance(node, dict):
            assert None not in node.values(), node
            for value in node.values():
                visit(value)

    visit(yaml.safe_load(SCHEMA.read_text()))
