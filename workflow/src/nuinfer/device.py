"""The device on which networks are trained, from the resources that a job was granted.

Without a GPU torch is not imported: a learner in closed form does not pay for it.
"""

from collections.abc import Callable

from nuinfer.errors import InputError


def chosen_device(gpus: int, note: Callable[[str], None] | None = None) -> str:
    """Return the name of a torch device: ``cuda`` where ``gpus`` were granted and torch can use one, else ``cpu``.

    ``note`` receives one line where a GPU was granted and torch sees none, as with torch built for CPUs, or with a GPU that
    only the scheduler believes in.  One GPU is used, however many were granted.  Raises InputError for a negative number.
    """
    if gpus < 0:
        raise InputError(f"gpus: a number from 0 is needed, not {gpus}")
    if gpus == 0:
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if note:
        built = torch.version.cuda and f"for CUDA {torch.version.cuda}"
        note(f"{gpus} GPU granted, but torch {torch.__version__} (built {built or 'for CPUs'}) sees none: training on the CPU")
    return "cpu"
