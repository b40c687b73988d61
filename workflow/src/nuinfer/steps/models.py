"""What several steps do with the models of a tune: load the members as one network."""

from pathlib import Path

from nuinfer.errors import InputError


def load_members(models: list[Path]) -> tuple[object, list]:
    """Return the network (a mixture where there are several members) and the stored members of ``model.json`` files."""
    from nuinfer.tuning.estimator.ensemble import Ensemble
    from nuinfer.tuning.estimator.store import load_model

    stored = [load_model(path.parent) for path in models]
    if any(m.box != stored[0].box for m in stored):
        raise InputError(f"{models[0].parent}: the members were trained for different priors; train them again")
    return stored[0].network if len(stored) == 1 else Ensemble([m.network for m in stored]), stored
