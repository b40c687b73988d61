"""Settings of an estimator: networks and training, and the named configurations they come in.

A configuration names one of :data:`ESTIMATORS` and overrides single settings, ``{"name": "ours", "flow": "maf"}``.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from types import MappingProxyType

from nuinfer.errors import InputError

LOOPS = ("own", "sbi")
FLOW_NAMES = ("box", "maf", "nsf", "gaussian", "nflows_maf")
ACTIVATIONS = ("silu", "relu")


@dataclass(frozen=True)
class NetworkSettings:
    """Networks: ``flow`` is the family of densities, ``embedding`` the widths of the network before it.

    ``transforms`` counts a flow's layers (``maf``, ``nsf``, ``nflows_maf``); ``components`` the truncated Gaussians of
    one conditional density (``box``) or the bins of a spline (``nsf``).
    """

    flow: str = "box"
    embedding: tuple[int, ...] = (128, 128)
    activation: str = "silu"
    hidden: tuple[int, ...] = (48, 48)
    transforms: int = 6
    components: int = 3


@dataclass(frozen=True)
class TrainingSettings:
    """Training: ``loop`` is ours (``own``: a fixed, decaying schedule) or sbi's (``sbi``: constant rate, patience).

    ``max_rate`` is the peak learning rate of the one-cycle schedule, reached after the fraction ``warmup`` of all
    steps, or sbi's constant rate.  ``off_model_share`` of every batch are observations with noise enlarged up to
    ``off_model_reach`` times (:mod:`~nuinfer.tuning.estimator.off_model`; Gaussian likelihoods with fresh noise only).
    ``patience`` and ``validation_fraction`` are read by sbi's loop alone.
    """

    loop: str = "own"
    epochs: int = 16
    batch_size: int = 1024
    max_rate: float = 8e-3
    warmup: float = 0.2
    weight_decay: float = 1e-4
    clip_norm: float = 5.0
    fresh_noise: bool = True
    off_model_share: float = 0.25
    off_model_reach: float = 5.0
    patience: int = 45
    validation_fraction: float = 0.1
    checkpoint_s: float = 30.0


@dataclass(frozen=True)
class EstimatorSettings:
    """All that decides a trained estimator, besides its data and its seed."""

    network: NetworkSettings = field(default_factory=NetworkSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)

    def to_json(self) -> dict[str, dict]:
        """Return the settings as JSON types; :func:`settings_from_json` reads them back."""
        return {
            part: {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(getattr(self, part)).items()}
            for part in ("network", "training")
        }


_PAPER_NETWORK = NetworkSettings(
    flow="nflows_maf", embedding=(45, 32, 24), activation="relu", hidden=(55,), transforms=6
)
_MAF = NetworkSettings(flow="maf", embedding=(128, 128, 24), hidden=(55, 55), transforms=6)

ESTIMATORS: Mapping[str, EstimatorSettings] = MappingProxyType(
    {
        "ours": EstimatorSettings(),
        "ours_fast": EstimatorSettings(training=TrainingSettings(epochs=1)),
        "maf": EstimatorSettings(_MAF),
        "nsf": EstimatorSettings(replace(_MAF, flow="nsf", transforms=3, components=8), TrainingSettings(max_rate=3e-3)),
        "smoke": EstimatorSettings(
            NetworkSettings(flow="gaussian", embedding=(64, 64)), TrainingSettings(epochs=10, batch_size=256)
        ),
        "paper": EstimatorSettings(
            _PAPER_NETWORK,
            TrainingSettings(loop="sbi", epochs=2**31 - 1, batch_size=512, max_rate=1e-2, fresh_noise=False),
        ),
        "paper_networks": EstimatorSettings(
            _PAPER_NETWORK, TrainingSettings(epochs=10, batch_size=512, max_rate=1e-2)
        ),
    }
)
"""``ours`` is the default and ``ours_fast`` its shortest schedule, for 200,000 throws; ``maf`` and ``nsf`` are flows that know
nothing of the cube; ``smoke`` is for tests; ``paper`` the published baseline, ``paper_networks`` its networks in our loop.
The short schedules were chosen on validation throws (``benchmarks/training.py --choose``)."""


def estimator_settings(config: Mapping | str = "ours") -> EstimatorSettings:
    """Return the named configuration of ``config`` (a name, or ``name`` and overrides of single settings).

    Raises InputError for an unknown name or setting, a wrong type, and a value that cannot work.
    """
    entry = {"name": config} if isinstance(config, str) else dict(config)
    name = entry.pop("name", "ours")
    if name not in ESTIMATORS:
        raise InputError(f"estimator: unknown name '{name}'; known: {', '.join(ESTIMATORS)}")
    base = ESTIMATORS[name]
    parts = {}
    for part, cls in (("network", NetworkSettings), ("training", TrainingSettings)):
        known = {f.name for f in fields(cls)}
        chosen = {k: _checked(k, entry.pop(k), getattr(getattr(base, part), k)) for k in list(entry) if k in known}
        parts[part] = replace(getattr(base, part), **chosen)
    if entry:
        known = [f.name for cls in (NetworkSettings, TrainingSettings) for f in fields(cls)]
        raise InputError(f"estimator: unknown setting '{next(iter(entry))}'; known: name, {', '.join(known)}")
    return _validated(EstimatorSettings(**parts))


def settings_from_json(entry: Mapping[str, Mapping]) -> EstimatorSettings:
    """Rebuild the settings that :meth:`EstimatorSettings.to_json` wrote."""
    try:
        network = {k: tuple(v) if isinstance(v, list) else v for k, v in entry["network"].items()}
        return _validated(EstimatorSettings(NetworkSettings(**network), TrainingSettings(**entry["training"])))
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"estimator settings not understood ({error}); train the estimator again") from None


def _checked(name: str, value: object, default: object) -> object:
    if isinstance(default, tuple):
        if isinstance(value, list | tuple) and value and all(isinstance(v, int) and v > 0 for v in value):
            return tuple(value)
        raise InputError(f"estimator.{name}: a list of positive whole numbers is needed, got {value!r}")
    if isinstance(default, bool) or isinstance(value, bool):
        ok = isinstance(default, bool) and isinstance(value, bool)
    elif isinstance(default, float):
        ok = isinstance(value, int | float)
        value = float(value) if ok else value
    else:
        ok = isinstance(value, type(default))
    if not ok:
        raise InputError(f"estimator.{name}: {type(default).__name__} needed, got {value!r}")
    return value


def _validated(settings: EstimatorSettings) -> EstimatorSettings:
    network, training = settings.network, settings.training
    for name, value, known in (
        ("flow", network.flow, FLOW_NAMES),
        ("activation", network.activation, ACTIVATIONS),
        ("loop", training.loop, LOOPS),
    ):
        if value not in known:
            raise InputError(f"estimator.{name}: unknown '{value}'; known: {', '.join(known)}")
    for name in ("transforms", "components", "epochs", "batch_size", "max_rate", "clip_norm", "patience"):
        value = getattr(network, name, None) or getattr(training, name, 0)
        if not value > 0:
            raise InputError(f"estimator.{name}: must be positive, got {value}")
    if not 0.0 <= training.off_model_share < 1.0:
        raise InputError(f"estimator.off_model_share: must lie in [0, 1), got {training.off_model_share}")
    if not training.off_model_reach >= 1.0:
        raise InputError(f"estimator.off_model_reach: must be at least 1, got {training.off_model_reach}")
    for name in ("warmup", "validation_fraction"):
        if not 0.0 < getattr(training, name) < 1.0:
            raise InputError(f"estimator.{name}: must lie between 0 and 1, got {getattr(training, name)}")
    if training.loop == "sbi" and network.flow != "nflows_maf":
        raise InputError("estimator.loop: 'sbi' trains the flow 'nflows_maf'; choose loop 'own' for the others")
    if training.loop == "sbi" and training.fresh_noise:
        raise InputError("estimator.fresh_noise: sbi's loop holds fixed tensors; set it to false or choose loop 'own'")
    return settings
