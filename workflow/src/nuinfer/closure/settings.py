"""Settings of the learners.  Standard library only: they are checked before anything runs."""

from dataclasses import dataclass

from nuinfer.errors import InputError

ENVELOPES = ("callan_gross", "target_mass", "none")
KERNELS = ("matern52", "squared_exponential")
SCHEDULES = ("one_cycle", "constant")


@dataclass(frozen=True)
class MlpSettings:
    """``schedule`` is ``one_cycle`` (ours, with ``rate`` its peak) or ``constant`` (the published one).

    ``beta2`` is Adam's memory of squared gradients; ``envelope`` what the outputs are multiplied by
    (:mod:`nuinfer.closure.envelope`).  A network has failed whose mean squared deviation from the data, less their statistical
    noise, stays above the share ``failed_above`` of the density's mean square.  The defaults reach the published quality in
    1,500 steps; :data:`PUBLISHED` are the published settings (optimiser defaults of PyTorch, 10,000 steps).
    """

    steps: int = 1500
    rate: float = 0.01
    schedule: str = "one_cycle"
    beta2: float = 0.95
    width: int = 64
    depth: int = 4
    envelope: str = "callan_gross"
    snapshots: int = 30
    failed_above: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.failed_above <= 1:
            raise InputError(f"mlp: failed_above must lie between 0 and 1, not {self.failed_above:g}")
        for name in ("steps", "width", "depth", "snapshots"):
            if getattr(self, name) < 1:
                raise InputError(f"mlp: {name} must be at least 1, not {getattr(self, name)}")
        if self.schedule not in SCHEDULES:
            raise InputError(f"mlp: schedule '{self.schedule}' is not one of {', '.join(SCHEDULES)}")
        if self.envelope not in ENVELOPES:
            raise InputError(f"mlp: envelope '{self.envelope}' is not one of {', '.join(ENVELOPES)}")
        if not self.rate > 0 or not 0 < self.beta2 < 1:
            raise InputError(f"mlp: rate {self.rate:g} must be positive and beta2 {self.beta2:g} inside (0, 1)")


PUBLISHED = MlpSettings(steps=10_000, rate=1e-3, schedule="constant", beta2=0.999, envelope="none")


@dataclass(frozen=True)
class GaussianSettings:
    """``n_x`` x ``n_q2`` splines a function; ``passes`` of variances and hyperparameters, ``iterations`` of the latter in each.

    ``exact_events`` stands for the size of an infinite sample: how precisely the exact density is to be followed.  Without
    ``bounded`` the hyperparameters are the data's alone, and the bands too narrow (:mod:`nuinfer.closure.gaussian_prior`).
    """

    n_x: int = 18
    n_q2: int = 18
    kernel: str = "matern52"
    envelope: str = "callan_gross"
    passes: int = 3
    iterations: int = 30
    exact_events: float = 1e9
    bounded: bool = True

    def __post_init__(self) -> None:
        if min(self.n_x, self.n_q2) < 4 or min(self.passes, self.iterations) < 1:
            raise InputError("gaussian: n_x and n_q2 must be at least 4, passes and iterations at least 1")
        if self.kernel not in KERNELS or self.envelope not in ENVELOPES:
            raise InputError(f"gaussian: kernel must be one of {', '.join(KERNELS)}, envelope one of {', '.join(ENVELOPES)}")
        if not self.exact_events >= 1:
            raise InputError(f"gaussian: exact_events must be at least 1, not {self.exact_events:g}")


@dataclass(frozen=True)
class BlackBoxSettings:
    """Network and training, in stages: ``steps[i]`` steps on bins merged ``merge[i]`` x ``merge[i]``.

    Coarse bins first, since a step costs as much as it has bins; one course of the rate over all stages.  ``n_enu`` is the
    number of energies, ``schedule`` is ``one_cycle`` (``rate`` its peak) or ``constant``, ``beta2`` Adam's memory of squared
    gradients.  The defaults fit 128 x 128 bins to 0.3 % in about two minutes on one core.
    """

    steps: tuple[int, ...] = (800, 2400, 400)
    merge: tuple[int, ...] = (4, 2, 1)
    rate: float = 0.006
    schedule: str = "one_cycle"
    beta2: float = 0.95
    width: int = 64
    depth: int = 4
    n_enu: int = 12

    def __post_init__(self) -> None:
        for name in ("steps", "merge"):
            stages = getattr(self, name)
            if not isinstance(stages, tuple) or not stages or not all(_is_whole(n, 1) for n in stages):
                raise InputError(f"black box: {name} must be a list of whole numbers from 1, not {stages!r}")
        if len(self.steps) != len(self.merge):
            raise InputError(f"black box: {len(self.steps)} stages in steps and {len(self.merge)} in merge; give as many")
        for name, least in (("width", 1), ("depth", 1), ("n_enu", 4)):
            if not _is_whole(getattr(self, name), least):
                raise InputError(f"black box: {name} must be a whole number from {least}, not {getattr(self, name)!r}")
        for name in ("rate", "beta2"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
                raise InputError(f"black box: {name} must be a number between 0 and 1, not {value!r}")
        if self.schedule not in SCHEDULES:
            raise InputError(f"black box: schedule {self.schedule!r} is not one of {', '.join(SCHEDULES)}")


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
