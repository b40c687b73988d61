"""Independent random streams keyed by purpose and index.

Every stream is spawned from the one seed of the configuration by what it is for, so that a result depends neither
on the order in which jobs run nor on how work is cut into chunks.
"""

import hashlib

import numpy as np


def seed_sequence(seed: int, *key: str | int) -> np.random.SeedSequence:
    """Return the seed sequence of the stream named ``key``, e.g. ``("throws", "train", 3)``."""
    words = []
    for part in key:
        text = f"{type(part).__name__}:{part}"
        words.append(int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big"))
    return np.random.SeedSequence(int(seed), spawn_key=tuple(words))


def stream(seed: int, *key: str | int) -> np.random.Generator:
    """Return the generator of the stream named ``key``."""
    return np.random.default_rng(seed_sequence(seed, *key))


def torch_seed(seed: int, *key: str | int) -> int:
    """Return an integer below 2**63 to seed a ``torch.Generator`` for the stream named ``key``."""
    return int(seed_sequence(seed, *key).generate_state(1, np.uint64)[0] >> 1)
