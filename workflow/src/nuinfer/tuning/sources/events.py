r"""Events of a generator in one form, whatever file they came from, and the CC0pi selection.

The flux-averaged cross section of a bin follows from the events' weights, each the cross section that an event stands for:

.. math:: \left\langle\frac{d^2\sigma}{dp\,d\cos\theta}\right\rangle_i
    = \frac{1}{\Delta p_i\,\Delta\cos\theta_i}\sum_{e\in i} w_e

For an unweighted sample of :math:`N` events :math:`w_e = \langle\sigma\rangle / N` (arXiv:2310.13211, section 3.1).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from nuinfer.errors import InputError
from nuinfer.physics.binning import Binning

CHANNELS = ("QE", "MEC", "RES", "DIS", "COH", "OTHER")
"""Quasielastic, two-body (2p2h), resonances, deep inelastic (shallow included), coherent pions, the rest."""

COS_TOLERANCE = 1e-6
"""cos(theta) may leave [-1, 1] by this much: tables are rounded, trees are in single precision."""

SIGMA_RANGE_1E38CM2 = (1e-8, 1e4)
"""A flux-averaged cross section per nucleon outside this range is a mistake of units (one of 1e38, most often)."""

_NUMBERS = ("enu_gev", "p_mu_gev", "cos_theta", "q2_gev2", "weight_1e38cm2")
_BELOW_ONE = np.nextafter(1.0, 0.0)


@dataclass(frozen=True, eq=False)
class Events:
    """Charged-current muon-neutrino events of one sample; every array is ``(n,)``.

    ``enu_gev``, ``p_mu_gev``, ``cos_theta`` (muon to neutrino) and ``q2_gev2`` (-(k - k')^2) are the true kinematics,
    ``channel`` is one of :data:`CHANNELS`, ``is_cc0pi`` is the selection of :func:`is_cc0pi`.  ``weight_1e38cm2`` is the
    flux-averaged cross section per nucleon that an event stands for, in 1e-38 cm^2.  ``dial_weights`` are the generator's
    own weights at other settings, by name, relative to the sample's.  ``n_generated`` counts the whole sample, with the
    events that have no muon and so are not listed here.

    Raises InputError naming the first bad event (counted from 0) where arrays differ in length or are empty, a number is
    not finite, a momentum or energy is not positive, cos(theta) leaves [-1, 1] by more than :data:`COS_TOLERANCE`, a
    weight is negative or a channel unknown, and where fewer events were generated than are listed.
    """

    enu_gev: np.ndarray
    p_mu_gev: np.ndarray
    cos_theta: np.ndarray
    q2_gev2: np.ndarray
    channel: np.ndarray
    is_cc0pi: np.ndarray
    weight_1e38cm2: np.ndarray
    n_generated: int
    dial_weights: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = {name: getattr(self, name) for name in (*_NUMBERS, "channel", "is_cc0pi")} | dict(self.dial_weights)
        shapes = {name: np.shape(values) for name, values in columns.items()}
        if len(set(shapes.values())) != 1 or len(shapes["enu_gev"]) != 1:
            found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise InputError(f"events: every array must have one entry an event; got {found}")
        if not len(self):
            raise InputError("no charged-current event with a muon; give a sample of muon neutrinos")
        for name in (*_NUMBERS, *self.dial_weights):
            _refuse(~np.isfinite(columns[name]), name, columns[name], "is not a finite number; mend or remove the event")
        for name in ("enu_gev", "p_mu_gev"):
            _refuse(columns[name] <= 0, name, columns[name], "is not positive; give GeV, muons that move")
        _refuse(np.abs(self.cos_theta) > 1 + COS_TOLERANCE, "cos_theta", self.cos_theta, "leaves [-1, 1]; give a cosine")
        _refuse(self.weight_1e38cm2 < 0, "weight_1e38cm2", self.weight_1e38cm2, "is negative; a cross section is not")
        _refuse(~np.isin(self.channel, CHANNELS), "channel", self.channel, f"is unknown; known: {', '.join(CHANNELS)}")
        if self.n_generated < len(self):
            raise InputError(f"{len(self)} events of {self.n_generated} generated; correct the number of generated events")

    def __len__(self) -> int:
        return len(self.enu_gev)

    def select(self, mask: np.ndarray) -> "Events":
        """Return the events of ``mask`` (booleans ``(n,)`` or indices); weights and ``n_generated`` stay as they are."""
        arrays = {name: getattr(self, name)[mask] for name in (*_NUMBERS, "channel", "is_cc0pi")}
        dials = {name: weights[mask] for name, weights in self.dial_weights.items()}
        return Events(**arrays, n_generated=self.n_generated, dial_weights=dials)

    def of_channel(self, channel: str) -> "Events":
        """Return the events of one channel; raise InputError where it is unknown or there is none."""
        return self.select(self._mask(channel))

    def bin_index(self, binning: Binning, channel: str | None = None) -> np.ndarray:
        """Return the bin ``(n,)`` of every CC0pi event of ``channel`` (None: of all), -1 for every other event.

        cos(theta) = 1, which only rounding gives, belongs to the bin that ends there.
        """
        found = binning.find(np.clip(self.cos_theta, -1.0, _BELOW_ONE), self.p_mu_gev)
        return np.where(self.is_cc0pi & self._mask(channel), found, -1)

    def counts(self, binning: Binning, channel: str | None = None) -> np.ndarray:
        """Return the number ``(n_bin,)`` of CC0pi events of ``channel`` (None: of all), weights left aside."""
        found = self.bin_index(binning, channel)
        return np.bincount(found[found >= 0], minlength=binning.n_bin)

    def density(self, binning: Binning, channel: str | None = None, dial: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return the CC0pi cross section ``(n_bin,)`` and its statistical error, in 1e-38 cm^2 / nucleon / GeV.

        The sum of weights over the bin's area, and the root of the sum of squares; ``dial`` names one of
        ``dial_weights``.  Raises InputError for an unknown dial or channel.
        """
        if dial is not None and dial not in self.dial_weights:
            raise InputError(f"events: no weights '{dial}'; there are {', '.join(self.dial_weights) or 'none'}")
        weight = self.weight_1e38cm2 if dial is None else self.weight_1e38cm2 * self.dial_weights[dial]
        found = self.bin_index(binning, channel)
        inside = found >= 0
        total, square = (np.bincount(found[inside], weight[inside] ** power, minlength=binning.n_bin) for power in (1, 2))
        return total / binning.area_gev, np.sqrt(square) / binning.area_gev

    def _mask(self, channel: str | None) -> np.ndarray:
        if channel is None:
            return np.ones(len(self), dtype=bool)
        if channel not in CHANNELS:
            raise InputError(f"events: unknown channel '{channel}'; known: {', '.join(CHANNELS)}")
        return np.asarray(self.channel) == channel


def is_meson(pdg: np.ndarray) -> np.ndarray:
    """Return where Monte Carlo particle numbers ``(m,)`` are mesons (quark-antiquark: no third quark, two others).

    Digits as in the Review of Particle Physics, "Monte Carlo particle numbering scheme"; nuclei (above 1e9) are none.
    """
    code = np.abs(np.asarray(pdg, dtype=np.int64))
    quarks = (code // 1000 % 10 == 0) & (code // 100 % 10 > 0) & (code // 10 % 10 > 0)
    return quarks & (code < 1_000_000_000)


def is_cc0pi(pdg: np.ndarray, event: np.ndarray, n_event: int, neutrino_pdg: int) -> np.ndarray:
    """Return the charged-current events ``(n_event,)`` without a meson, decided from the particles after all interactions.

    ``pdg`` ``(m,)`` are the particle numbers of the final state, ``event`` ``(m,)`` the event (0 to n_event - 1) of each.
    An event counts where it has exactly one charged lepton, and that a mu- for a neutrino (``neutrino_pdg`` 14) or a mu+
    for an antineutrino (-14), and no meson of any kind.  Nucleons, nuclei, hyperons and photons are free in number.  This is
    the selection of NUISANCE (``SignalDef::isCC0pi``) and of T2K, arXiv:1602.03652.
    """
    pdg = np.asarray(pdg)
    lepton = np.isin(np.abs(pdg), (11, 13, 15))

    def number(mask: np.ndarray) -> np.ndarray:
        return np.bincount(event[mask], minlength=n_event)

    return (number(pdg == muon_of(neutrino_pdg)) == 1) & (number(lepton) == 1) & (number(is_meson(pdg)) == 0)


def muon_of(neutrino_pdg: int) -> int:
    """Return the number of the muon that a muon (anti)neutrino makes; raise InputError for any other particle."""
    if neutrino_pdg not in (14, -14):
        raise InputError(f"neutrino_pdg: {neutrino_pdg} is no muon neutrino; give 14 or -14")
    return 13 if neutrino_pdg == 14 else -13


def check_beam(pdg: np.ndarray, neutrino_pdg: int) -> None:
    """Raise InputError for the first event ``(n,)`` of another neutrino: a cross section is averaged over one flux."""
    muon_of(neutrino_pdg)
    if np.any(wrong := pdg != neutrino_pdg):
        first = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"event {first} is of the beam particle {int(pdg[first])}, not {neutrino_pdg} ({int(wrong.sum())} such events); "
            "give a sample of one neutrino and its number as neutrino_pdg"
        )


def check_sigma(sigma_1e38cm2: float) -> float:
    """Return a sample's cross section per nucleon; raise InputError where it can only be a mistake of units."""
    low, high = SIGMA_RANGE_1E38CM2
    if not low <= sigma_1e38cm2 <= high:
        raise InputError(
            f"flux-averaged cross section {sigma_1e38cm2:g} in 1e-38 cm^2 per nucleon, outside {low:g} to {high:g}; "
            "mend its unit (a factor 1e38 is the usual mistake)"
        )
    return float(sigma_1e38cm2)


def _refuse(bad: np.ndarray, name: str, values: np.ndarray, why: str) -> None:
    if np.any(bad):
        first = int(np.flatnonzero(bad)[0])
        raise InputError(f"event {first}: {name} = {values[first]} {why} ({int(np.sum(bad))} such events)")
