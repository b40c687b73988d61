"""What the steps of the oscillation fits read: a cross section and the far-detector model that it makes of a sample."""

from pathlib import Path

from nuinfer.closure.far_model import event_model
from nuinfer.closure.learned import Learned
from nuinfer.closure.truth import Truth
from nuinfer.io.closure import read_learned, read_truth
from nuinfer.io.far_events import read_far_events
from nuinfer.io.operators import read_event_operator, read_operator
from nuinfer.oscillation.likelihood import FarModel


def cross_section(truth: Truth, learned: list[Path]) -> Learned:
    """Return the learned cross section of the one file in ``learned``, the true one for none."""
    return read_learned(learned[0])[0] if learned else Learned(w=truth.w[None])


def far_models(
    truth: Path, operator: Path, events: Path, at_events: Path, learned: list[Path], oscillation: dict
) -> tuple[FarModel, FarModel]:
    """Return the models of a sample's events and of the bins, from the files."""
    known = read_truth(truth)
    sample, folded = read_far_events(events), read_operator(operator)
    found = cross_section(known, learned)
    return event_model(folded, sample, read_event_operator(at_events), found, known.near_flux, oscillation)
