"""Events of NuHepMC files: HepMC3 text with the rules of arXiv:2310.13211 (version 1.0, and 0.1 to 0.9 before it).

Status codes (P.R.1): 4 the beam, 20 the target (11 in early files), 1 the final state.  Processes by the ranges of E.C.1, or
as the user names them.  An event's cross section is its weight "CV" over the sum of all events', times the flux-averaged
cross section (arXiv:2310.13211, section 3.1); the other named weights, relative to it, are weights at other settings.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nuinfer.errors import InputError
from nuinfer.tuning.sources.events import CHANNELS, Events, check_beam, check_sigma, is_cc0pi, muon_of
from nuinfer.tuning.sources.nuhepmc_run import count_events, sigma_per_nucleon

BEAM, FINAL, TARGETS = 4, 1, (20, 11)
NEUTRINOS = (12, 14, 16)
PROCESS_NAMES = ("signal_process_id", "ProcID", "NuHepMC.ProcID")
RANGES = {1: "COH", 2: "QE", 3: "MEC", 4: "RES", 5: "DIS", 6: "DIS"}
"""Channel by the hundreds of a process number (E.C.1), shallow inelastic (5) with deep inelastic; others are ``OTHER``."""

CENTRAL = "CV"


@dataclass
class _Rows:
    """What is collected event by event; ``kinematics`` are E_nu, p_mu, cos(theta), Q^2 in GeV, NaN without a muon."""

    kinematics: list[tuple[float, float, float, float]] = field(default_factory=list)
    beam: list[int] = field(default_factory=list)
    process: list[int] = field(default_factory=list)
    final: list[np.ndarray] = field(default_factory=list)
    weights: list[list[float]] = field(default_factory=list)
    targets: set[int] = field(default_factory=set)


def read(
    path: str | Path,
    neutrino_pdg: int = 14,
    sigma_1e38cm2: float | None = None,
    nucleons_per_target: float | None = None,
    processes: Mapping[int, str] | None = None,
    weights: Mapping[str, str] | None = None,
) -> Events:
    """Return the charged-current events with a muon of a NuHepMC file; the others count in ``n_generated`` alone.

    An event is charged-current where the final state has a muon of the beam's sign and the process number is not one of
    neutral currents (x50 to x99 below 700).  Of several such muons the fastest is taken.  ``processes`` gives the channel of
    process numbers that do not follow E.C.1.  ``sigma_1e38cm2`` is the flux-averaged cross section per nucleon, in place
    of the file's (:func:`nuinfer.tuning.sources.nuhepmc_run.sigma_per_nucleon`, which says what
    ``nucleons_per_target`` is for).  ``weights`` gives the file's weight of each of ``dial_weights``; left out, all but "CV".

    Raises InputError naming the file and the mend for a file that is missing, cut off, damaged, empty or not HepMC3, an
    event without beam or process number, events of another neutrino, a weight or cross section that is missing, and
    whatever :class:`Events` refuses.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of a NuHepMC file")
    try:
        processes = _numbered(processes or {})
        if strange := set(processes.values()) - set(CHANNELS):
            raise InputError(f"processes: unknown channel {', '.join(sorted(strange))}; known: {', '.join(CHANNELS)}")
        rows, last = _collect(path, muon_of(neutrino_pdg))
        if sigma_1e38cm2 is None:
            attributes = dict(last.run_info.attributes.items())
            sigma_1e38cm2 = sigma_per_nucleon(attributes, last, rows.targets, nucleons_per_target)
        return _events(rows, list(last.weight_names), neutrino_pdg, check_sigma(sigma_1e38cm2), processes, weights)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _numbered(processes: Mapping[int | str, str]) -> dict[int, str]:
    """Return the channels by process number: out of a configuration numbers come as text."""
    try:
        return {int(number): channel for number, channel in processes.items()}
    except ValueError:
        raise InputError(f"processes: {', '.join(map(str, processes))}; give NuHepMC's numbers of processes") from None


def channel_of(process: int, processes: Mapping[int, str]) -> str | None:
    """Return the channel of a process number, None for a neutral current."""
    if process in processes:
        return processes[process]
    hundreds = process // 100
    if hundreds in RANGES and process % 100 >= 50:
        return None
    return RANGES.get(hundreds, "OTHER")


def _collect(path: Path, muon: int) -> tuple[_Rows, Any]:
    import pyhepmc

    number, rows, last = count_events(path), _Rows(), None
    if not number:
        raise InputError("no events; give a file with events")
    try:
        with pyhepmc.open(path) as file:
            for event in file:
                _add(rows, event, muon, 1e-3 if event.momentum_unit == pyhepmc.Units.MEV else 1.0)
                last = event
    except InputError:
        raise
    except Exception as error:
        # pyhepmc raises whatever its parsing trips over; to the user they are one fault.
        raise InputError(f"event {len(rows.beam)} cannot be read ({error}); write the file again") from error
    if len(rows.beam) != number:
        raise InputError(f"event {len(rows.beam)} of {number} cannot be read; write the file again")
    return rows, last


def _add(rows: _Rows, event: Any, muon: int, to_gev: float) -> None:
    particles = event.numpy.particles
    pdg, status = particles.pid, particles.status
    beam = np.flatnonzero(status == BEAM)
    if not len(beam):
        raise InputError(f"event {len(rows.beam)} has no beam particle (status {BEAM}); write it as NuHepMC (P.R.1)")
    # Early files give the target status 4, too.
    first = next((i for i in beam if abs(pdg[i]) in NEUTRINOS), beam[0])
    for code in TARGETS:
        if np.any(found := status == code):
            rows.targets.update(int(number) for number in pdg[found])
            break
    final = status == FINAL
    momenta = np.stack([particles.e, particles.px, particles.py, particles.pz], axis=1) * to_gev
    rows.kinematics.append(_kinematics(momenta[first], momenta[final & (pdg == muon)]))
    rows.beam.append(int(pdg[first]))
    rows.process.append(_process(event.attributes, len(rows.process)))
    rows.final.append(pdg[final])
    rows.weights.append(event.weights or [1.0])


def _kinematics(neutrino: np.ndarray, muons: np.ndarray) -> tuple[float, float, float, float]:
    if not len(muons):
        return (float(neutrino[0]), np.nan, np.nan, np.nan)
    muon = muons[np.argmax(muons[:, 0])]
    k, p = (float(np.sqrt(v[1:] @ v[1:])) for v in (neutrino, muon))
    transfer = neutrino - muon
    cos_theta = float(neutrino[1:] @ muon[1:] / (k * p)) if k * p > 0 else np.nan
    return (float(neutrino[0]), p, cos_theta, float(transfer[1:] @ transfer[1:] - transfer[0] ** 2))


def _process(attributes: Any, event: int) -> int:
    for name in PROCESS_NAMES:
        if name in attributes:
            try:
                return int(str(attributes[name]))
            except ValueError:
                raise InputError(f"event {event}: {name} = '{attributes[name]}' is not a whole number; mend it") from None
    raise InputError(f"event {event} has no {PROCESS_NAMES[0]}; write it as NuHepMC (E.R.3)")


def _events(
    rows: _Rows,
    names: list[str],
    neutrino_pdg: int,
    sigma_1e38cm2: float,
    processes: Mapping[int, str],
    dials: Mapping[str, str] | None,
) -> Events:
    n = len(rows.beam)
    check_beam(np.array(rows.beam), neutrino_pdg)
    central, relative = _weights(rows.weights, names, dials)
    kinematics = np.array(rows.kinematics)
    by_number = {process: channel_of(process, processes) for process in set(rows.process)}
    channel = np.array([by_number[process] or "" for process in rows.process])
    keep = np.isfinite(kinematics[:, 1]) & (channel != "")
    counts = [len(final) for final in rows.final]
    selected = is_cc0pi(np.concatenate(rows.final), np.repeat(np.arange(n), counts), n, neutrino_pdg)
    enu_gev, p_mu_gev, cos_theta, q2_gev2 = kinematics[keep].T
    return Events(
        enu_gev=enu_gev,
        p_mu_gev=p_mu_gev,
        cos_theta=cos_theta,
        q2_gev2=q2_gev2,
        channel=channel[keep],
        is_cc0pi=selected[keep],
        weight_1e38cm2=sigma_1e38cm2 * central[keep] / central.sum(),
        n_generated=n,
        dial_weights={name: values[keep] for name, values in relative.items()},
    )


def _weights(
    rows: list[list[float]], names: list[str], dials: Mapping[str, str] | None
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the central weights ``(n,)`` and the others relative to them, by the name of the dial."""
    names = names or [CENTRAL]
    first = 0 if len(names) == 1 else _position(names, CENTRAL)
    if short := [i for i, row in enumerate(rows) if len(row) != len(names)]:
        raise InputError(f"event {short[0]} has {len(rows[short[0]])} weights for {len(names)} names; write the file again")
    values = np.array(rows, dtype=float)
    if np.any(bad := ~np.isfinite(values).all(axis=1)):
        raise InputError(f"event {int(np.flatnonzero(bad)[0])} has a weight that is not a number; mend or remove it")
    central = values[:, first]
    if np.any(bad := central < 0) or not central.sum() > 0:
        raise InputError(f"event {int(np.argmin(central))}: weight {CENTRAL} = {central.min():g}; give weights above zero")
    dials = {name: name for i, name in enumerate(names) if i != first} if dials is None else dials
    columns = {ours: values[:, _position(names, theirs)] for ours, theirs in dials.items()}
    if columns and np.any(bad := central == 0):
        raise InputError(
            f"event {int(np.flatnonzero(bad)[0])}: weight {CENTRAL} is zero, the other settings have no ratio to it; "
            "remove such events or read without weights"
        )
    return central, {ours: column / central for ours, column in columns.items()}


def _position(names: list[str], name: str) -> int:
    if name not in names:
        raise InputError(f"no weight '{name}'; there are {', '.join(names)}")
    return names.index(name)
