"""What a draw of a study has of its own: near-detector events, the flux that it is analysed with, the start of its networks.

Data are always drawn from the true flux; a drawn flux is what the analysis takes for it, at both detectors
(arXiv:2412.16303, equations 15 to 17).
"""

import numpy as np

from nuinfer.physics.flux_shapes import FluxShapes
from nuinfer.seeds import stream, torch_seed


def flux_amplitudes(shapes: FluxShapes, seed: int, experiment: str, draw: int) -> np.ndarray:
    """Return the amplitudes ``(k,)`` of a draw's flux, the same in every study of the experiment."""
    return shapes.draws(1, stream(seed, "flux", experiment, draw))[0]


def near_data_stream(seed: int, experiment: str, events: int, draw: int) -> np.random.Generator:
    """Return the stream of a draw's near-detector events: studies of equal numbers of events share their draws.

    Learners are so compared on the same data.
    """
    return stream(seed, "near data", experiment, events, draw)


def learner_seed(seed: int, study: str, draw: int, own: bool) -> int:
    """Return the seed of a draw's networks: its ``own``, or the one common to every study that does not vary the seed."""
    return torch_seed(seed, "learn", study, draw) if own else torch_seed(seed, "learn")
