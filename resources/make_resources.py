"""Regenerate the tables of this folder: ``python resources/make_resources.py [folder with achilles' flux files]``.

The fluxes come from PyPI's ``achillesgen==0.3.0.dev20260710`` (its wheel carries them under ``achilles/flux``), the bin
edges and the flux components are published numbers written out below.  Needs numpy and uproot.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
WHEEL = "achillesgen==0.3.0.dev20260710"

# T2K 2016 nu_mu CC0pi, Analysis I: PRD 93, 112012 (arXiv:1602.03652), tables of the double-differential result.
T2K_SLICES = {
    (-1.0, 0.0): [0, 0.3, 0.4, 30],
    (0.0, 0.6): [0, 0.3, 0.4, 0.5, 0.6, 30],
    (0.6, 0.7): [0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 30],
    (0.7, 0.8): [0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 30],
    (0.8, 0.85): [0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 30],
    (0.85, 0.9): [0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.5, 30],
    (0.9, 0.94): [0, 0.4, 0.5, 0.6, 0.7, 0.8, 1.25, 2.0, 30],
    (0.94, 0.98): [0, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 30],
    (0.98, 1.0): [0, 0.5, 0.6, 0.7, 0.8, 1.25, 2.0, 3.0, 5.0, 30],
}

# Principal components of DUNE's flux covariance, near detector, nu_mu, neutrino mode: fractional one-sigma shifts.
FLUX_COMPONENT_EDGES_GEV = [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6, 7, 8, 10, 12, 14, 16, 18, 20]
FLUX_COMPONENTS = {
    "pc0": [0.06759, 0.06513, 0.06369, 0.06335, 0.06115, 0.05421, 0.04670, 0.04333, 0.04573, 0.05387, 0.06557, 0.07458,
            0.07956, 0.07982, 0.07596, 0.07196, 0.07013, 0.07457, 0.08393, 0.09162],
    "pc3": [0.03807, 0.02376, 0.01960, 0.01706, 0.01652, 0.01694, 0.01798, 0.01913, 0.01810, 0.01649, 0.01540, 0.01492,
            0.01461, 0.01515, 0.01824, 0.02171, 0.02448, 0.02779, 0.03361, 0.04038],
    "pc5": [-0.00863, 0.02391, 0.03419, 0.03438, 0.03296, 0.03322, 0.03439, 0.03446, 0.03091, 0.02326, 0.01348, 0.00615,
            0.00261, 0.00243, 0.00487, 0.00992, 0.01025, 0.00579, -0.00269, -0.01227],
    "pc7": [-0.00035, -0.01487, -0.01517, -0.02025, -0.01820, -0.01150, -0.00049, 0.01172, 0.02132, 0.02338, 0.01682,
            0.00795, 0.00252, 0.00274, 0.00802, 0.01455, 0.01825, 0.02048, 0.01893, 0.01481],
    "pc11": [0.00729, 0.01042, 0.00882, 0.00790, 0.00328, -0.00153, -0.00771, -0.01121, -0.00610, 0.00451, 0.01185,
             0.01310, 0.01259, 0.00945, 0.01087, 0.00915, 0.00630, 0.00704, 0.01269, 0.01408],
}


def write(name: str, header: dict[str, str], columns: list[str], rows: np.ndarray) -> None:
    lines = [f"# {key}: {value}" for key, value in header.items()] + [",".join(columns)]
    lines += [",".join(f"{v:.10g}" for v in row) for row in rows]
    (HERE / name).write_text("\n".join(lines) + "\n")


def t2k_flux(folder: Path) -> None:
    table = np.loadtxt(folder / "T2K_nu.dat", skiprows=2)
    # The 1-GeV bins above 10 GeV continue the 50-MeV bins below without a step: the values are densities per 50 MeV.
    write(
        "t2k_nd280_numu.csv",
        {
            "what": "T2K flux at ND280, neutrino mode, nu_mu",
            "source": f"{WHEEL}, achilles/flux/T2K_nu.dat",
            "citation": "T2K, PRD 87 (2013) 012001, arXiv:1211.0469",
            "units": "nu/cm^2/50MeV",
            "note": "a density in every bin, whatever its width; exposure not stated in the source: use the shape",
        },
        ["enu_lo_gev", "enu_hi_gev", "numu"],
        table[:, 1:4],
    )


def dune_flux(folder: Path) -> None:
    import uproot

    flavours = ["numu", "numubar", "nue", "nuebar"]
    with uproot.open(folder / "flux_dune_neutrino_ND.root") as file:
        edges = file["numu_flux"].axis().edges()
        contents = np.stack([file[f"{f}_flux"].values() for f in flavours], axis=1)
    # Contents are per bin, although the bins have three widths (0.125, 0.5 and 2 GeV).
    rows = np.column_stack([edges[:-1], edges[1:], contents / np.diff(edges)[:, None]])
    write(
        "dune_nd_fhc.csv",
        {
            "what": "DUNE/LBNF near-detector flux, neutrino mode (FHC), OptimizedEngineeredNov2017",
            "source": f"{WHEEL}, achilles/flux/flux_dune_neutrino_ND.root",
            "citation": "DUNE, arXiv:2002.03005 and arXiv:2103.04797",
            "units": "nu/m^2/GeV/POT",
            "note": "the source's contents (per bin) divided by the bin width; rows above 80 GeV dropped (content zero)",
        },
        ["enu_lo_gev", "enu_hi_gev", *flavours],
        rows[edges[1:] <= 80.0],
    )


def t2k_bins() -> None:
    rows = [
        (c_lo, c_hi, p[i], p[i + 1], i == len(p) - 2)
        for (c_lo, c_hi), p in T2K_SLICES.items()
        for i in range(len(p) - 1)
    ]
    write(
        "t2k_cc0pi_bins.csv",
        {
            "what": "bins of T2K 2016 nu_mu CC0pi on CH, Analysis I: 67, or 58 without the last one of each cos slice",
            "source": "published bin edges, written out in make_resources.py",
            "citation": "T2K, PRD 93 (2016) 112012, arXiv:1602.03652",
            "units": "GeV (momentum), 1 (cos theta)",
        },
        ["cos_lo", "cos_hi", "p_mu_lo_gev", "p_mu_hi_gev", "last_in_slice"],
        np.array(rows, float),
    )


def dune_flux_components() -> None:
    edges = np.array(FLUX_COMPONENT_EDGES_GEV)
    write(
        "dune_flux_components.csv",
        {
            "what": "five principal components of DUNE's flux covariance: near detector, nu_mu, neutrino mode",
            "source": "DUNE lblpwgtools, flux_shifts_Nov17.root, syst{i}/ND_numu_FHC; written out in make_resources.py",
            "citation": "DUNE, EPJC 80 (2020) 978, arXiv:2006.16043",
            "units": "fractional one-sigma shift of the flux",
        },
        ["enu_lo_gev", "enu_hi_gev", *FLUX_COMPONENTS],
        np.column_stack([edges[:-1], edges[1:], *FLUX_COMPONENTS.values()]),
    )


def flux_folder(arguments: list[str]) -> Path:
    if arguments:
        return Path(arguments[0])
    spec = importlib.util.find_spec("achilles")
    if spec is None:
        sys.exit(f"the package that carries the fluxes is not installed: pip install --no-deps {WHEEL}")
    return Path(next(iter(spec.submodule_search_locations))) / "flux"


if __name__ == "__main__":
    source = flux_folder(sys.argv[1:])
    t2k_flux(source)
    dune_flux(source)
    t2k_bins()
    dune_flux_components()
