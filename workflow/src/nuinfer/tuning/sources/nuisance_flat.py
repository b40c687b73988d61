"""Events of NUISANCE's flat trees (``nuisflat -f GenericVectors``): the TTree ``FlatTree_VARS`` of a ROOT file.

Facts used, from NUISANCE ``src/MCStudies/GenericFlux_Vectors.cxx``: one entry an event, all events of the input; energies
in GeV, ``Q2`` in GeV^2; ``PDGLep``, ``ELep`` and ``CosLep`` are those of the outgoing lepton of highest momentum; ``pdg`` lists
the ``nfsp`` particles of the final state; ``Mode`` is NEUT's code, negative for antineutrinos; ``Weight`` is
``RWWeight * InputWeight`` (``CustomWeight`` is not in it); ``fScaleFactor`` is the flux-averaged cross section over the number
of events, in cm^2 per nucleon, the same in every entry.  Numbers are in single precision, ``fScaleFactor`` in double.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nuinfer.errors import InputError
from nuinfer.physics.constants import MUON_MASS_GEV
from nuinfer.tuning.sources.events import Events, check_beam, check_sigma, is_cc0pi, muon_of

TREE = "FlatTree_VARS"
SCALARS = ("Mode", "cc", "PDGnu", "PDGLep", "Enu_true", "ELep", "CosLep", "Q2", "Weight", "fScaleFactor")
OLD_NAMES = {"Enu_true": "Enu"}
"""Names of 2017 and before, taken where the present one is missing."""

NEUT_CHANNELS = {1: "QE", 2: "MEC", 15: "COH", 16: "COH", 21: "DIS", 26: "DIS"} | dict.fromkeys((11, 12, 13, 17, 22, 23), "RES")
"""NEUT's charged-current codes: 11-13 one pion, 17 one photon, 22 eta and 23 kaon by resonances, 15 diffractive pion,
16 coherent pion, 21 several pions, 26 deep inelastic."""

FIRST_NEUTRAL_CURRENT = 30


def read(path: str | Path, neutrino_pdg: int = 14, weights: Mapping[str, str] | None = None, tree: str = TREE) -> Events:
    """Return the charged-current events with a muon of a flat tree; the others count in ``n_generated`` alone.

    The muon's momentum is sqrt(E^2 - m^2); an event's cross section is ``Weight * fScaleFactor``; CC0pi follows from
    ``pdg`` (:func:`nuinfer.tuning.sources.events.is_cc0pi`), not from the tree's flags.  An event is charged-current where
    ``cc`` says so and ``|Mode|`` is below 30.  A mode without a channel is ``OTHER``.  ``neutrino_pdg`` (14 or -14) is the
    beam.  ``weights`` names the branches of ``dial_weights``, which must be relative to the sample's own setting.

    Raises InputError naming the file and the mend for a missing, cut-off or empty file, a missing tree or branch, a
    branch of another length, events of another neutrino, and whatever :class:`Events` refuses.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of a flat tree (nuisflat -f GenericVectors)")
    try:
        arrays, pdg, event = _arrays(path, tree, dict(weights or {}))
        return _events(arrays, pdg, event, neutrino_pdg, dict(weights or {}))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _events(
    arrays: Mapping[str, np.ndarray], pdg: np.ndarray, event: np.ndarray, neutrino_pdg: int, dials: Mapping[str, str]
) -> Events:
    n = len(arrays["Mode"])
    check_beam(arrays["PDGnu"], neutrino_pdg)
    mode = np.abs(arrays["Mode"])
    charged = arrays["cc"].astype(bool) & (mode < FIRST_NEUTRAL_CURRENT) & (arrays["PDGLep"] == muon_of(neutrino_pdg))
    weight = 1e38 * arrays["Weight"] * arrays["fScaleFactor"]
    _finite(weight, "Weight * fScaleFactor")
    check_sigma(float(np.sum(weight)))
    with np.errstate(invalid="ignore"):
        p_mu_gev = np.sqrt(arrays["ELep"] ** 2 - MUON_MASS_GEV**2)
    _finite(p_mu_gev[charged], "ELep, above the muon's mass,")
    channel = np.array([NEUT_CHANNELS.get(code, "OTHER") for code in range(FIRST_NEUTRAL_CURRENT)])
    return Events(
        enu_gev=arrays["Enu_true"][charged],
        p_mu_gev=p_mu_gev[charged],
        cos_theta=arrays["CosLep"][charged],
        q2_gev2=arrays["Q2"][charged],
        channel=channel[mode[charged].astype(int)],
        is_cc0pi=is_cc0pi(pdg, event, n, neutrino_pdg)[charged],
        weight_1e38cm2=weight[charged],
        n_generated=n,
        dial_weights={name: arrays[branch][charged] for name, branch in dials.items()},
    )


def _finite(values: np.ndarray, name: str) -> None:
    if np.any(bad := ~np.isfinite(values)):
        raise InputError(f"{name} is not a number in {int(bad.sum())} events, the first {int(np.flatnonzero(bad)[0])}; mend it")


def _arrays(path: Path, tree: str, dials: Mapping[str, str]) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return the scalar branches ``(n,)`` as numbers, and the particle numbers ``(m,)`` with the entry ``(m,)`` of each."""
    import uproot

    try:
        file = uproot.open(path)
    except Exception as error:
        # uproot raises whatever its decoding trips over; to the user they are one fault.
        raise InputError(f"not a whole ROOT file ({type(error).__name__}: cut off or being written); write it again") from error
    with file:
        trees = list(dict.fromkeys(file.keys(cycle=False, filter_classname="TTree")))
        if tree not in trees:
            raise InputError(
                f"no TTree '{tree}'; there are {', '.join(trees) or 'none'}: run nuisflat -f GenericVectors, or name the tree"
            )
        branches = file[tree]
        there = set(branches.keys())
        names = {name: name if name in there else OLD_NAMES.get(name, name) for name in SCALARS}
        names |= {branch: branch for branch in dials.values()}
        if missing := [name for name in (*names.values(), "pdg") if name not in there]:
            raise InputError(f"no branch {', '.join(missing)} in '{tree}'; write the tree with nuisflat -f GenericVectors")
        if not branches.num_entries:
            raise InputError(f"'{tree}' has no entry; give a sample with events")
        try:
            arrays = {name: _numbers(branch, branches[branch]) for name, branch in names.items()}
            counts, pdg = _particles(branches["pdg"])
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"'{tree}' cannot be read to its end ({type(error).__name__}); write the file again") from error
    if len(counts) != len(arrays["Mode"]):
        raise InputError(f"'{tree}': pdg has {len(counts)} entries, Mode {len(arrays['Mode'])}; write the file again")
    return arrays, pdg, np.repeat(np.arange(len(counts)), counts)


def _numbers(name: str, branch: Any) -> np.ndarray:
    values = branch.array(library="np")
    if values.ndim != 1 or values.dtype.kind not in "iufb":
        raise InputError(f"branch {name} is {values.dtype} of shape {values.shape}; give one number an event")
    return values.astype(int) if values.dtype.kind in "iub" else values.astype(float)


def _particles(branch: Any) -> tuple[np.ndarray, np.ndarray]:
    import awkward

    values = branch.array(library="ak")
    if values.ndim != 2:
        raise InputError("branch pdg holds no list an event; write the tree with nuisflat -f GenericVectors")
    return awkward.to_numpy(awkward.num(values)), awkward.to_numpy(awkward.flatten(values))
