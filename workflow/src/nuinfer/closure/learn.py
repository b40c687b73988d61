"""The learners by name: from near-detector data to a cross section that any flux can be folded with."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from nuinfer.closure.settings import PUBLISHED, BlackBoxSettings, GaussianSettings, MlpSettings
from nuinfer.errors import InputError

if TYPE_CHECKING:  # a configuration is checked without them
    from nuinfer.closure.learned import Learned
    from nuinfer.closure.near_data import NearProblem

Progress = Callable[[int, int, str], None]
TYPE_NAMES = {tuple: "list"}
"""What a configuration calls a type."""


def _mlp(problem: "NearProblem", settings: Any, seed: int, members: int, progress: Progress | None, device: str) -> "Learned":
    from nuinfer.closure.mlp import fit_mlp

    return fit_mlp(problem, settings, seed, members, progress, device)


def _gaussian(
    problem: "NearProblem", settings: Any, seed: int, members: int, progress: Progress | None, device: str
) -> "Learned":
    from nuinfer.closure.gaussian import fit_gaussian

    return fit_gaussian(problem, settings, progress)


def _blackbox(
    problem: "NearProblem", settings: Any, seed: int, members: int, progress: Progress | None, device: str
) -> "Learned":
    from nuinfer.closure.blackbox import fit_blackbox

    return fit_blackbox(problem, settings, seed, progress, device)


@dataclass(frozen=True)
class Learner:
    """``fit`` with its named ``settings``; ``ensemble``: whether it takes several members of different seeds.

    ``network``: whether it is trained by torch, and so may use a GPU.
    """

    fit: Callable[..., "Learned"]
    settings: Any
    ensemble: bool
    network: bool


def learners() -> dict[str, Learner]:
    """Return the library's learners by name.

    ``mlp`` (our schedule), ``published`` (the same network as arXiv:2412.16303 trained it), ``gaussian`` (closed-form
    posterior) and ``blackbox`` (no structure functions: the negative control).
    """

    return {
        "mlp": Learner(_mlp, MlpSettings(), ensemble=True, network=True),
        "published": Learner(_mlp, PUBLISHED, ensemble=True, network=True),
        "gaussian": Learner(_gaussian, GaussianSettings(), ensemble=False, network=False),
        "blackbox": Learner(_blackbox, BlackBoxSettings(), ensemble=False, network=True),
    }


def learner_settings(entry: Mapping[str, Any]) -> tuple[Learner, Any, int]:
    """Return learner, settings and number of members of ``{"name": ..., "members": ..., single settings}``.

    Raises InputError for an unknown name or setting, a value of another type, and members where there can be one only.
    """
    known = learners()
    given = dict(entry)
    name, members = given.pop("name", "mlp"), given.pop("members", 1)
    if name not in known:
        raise InputError(f"learner '{name}' is unknown; known: {', '.join(known)}")
    learner = known[name]
    allowed = {f.name: type(getattr(learner.settings, f.name)) for f in fields(learner.settings)}
    given = {k: tuple(v) if isinstance(v, list) and allowed.get(k) is tuple else v for k, v in given.items()}
    for key, value in given.items():
        if key not in allowed:
            raise InputError(f"learner {name}: unknown setting '{key}'; allowed: {', '.join(allowed)}")
        number = allowed[key] is float and isinstance(value, int) and not isinstance(value, bool)
        if not number and type(value) is not allowed[key]:
            wanted = TYPE_NAMES.get(allowed[key], allowed[key].__name__)
            raise InputError(f"learner {name}: {key} must be of type {wanted}, not {value!r}")
    if isinstance(members, bool) or not isinstance(members, int) or members < 1:
        raise InputError(f"learner {name}: members must be a whole number from 1, not {members!r}")
    if members != 1 and not learner.ensemble:
        raise InputError(f"learner {name}: takes one member only")
    return learner, replace(learner.settings, **given), members


def learn(
    problem: "NearProblem", entry: Mapping[str, Any], seed: int, progress: Progress | None = None, device: str = "cpu"
) -> tuple["Learned", dict[str, Any]]:
    """Fit the learner that ``entry`` names; return what it learned and all its settings.  InputError as above.

    Networks are trained on the torch ``device``; a learner in closed form does not know it.
    """
    learner, settings, members = learner_settings(entry)
    chosen = {"name": entry.get("name", "mlp"), **asdict(settings), "members": members}
    return learner.fit(problem, settings, seed, members, progress, device), chosen
