"""The oscillation metric of bootstraps fitted twice: a loop over them, known shifts, refusals in words."""

import numpy as np
import pytest

from nuinfer.errors import InputError
from nuinfer.oscillation.paired import paired_distance

N = 400


def _fits() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.normal(np.where(rng.random(N) < 0.4, 0.470, 0.552), 0.016), rng.normal(2.513e-3, 2.1e-5, N)


def _slow(model_sin2, model_dm31, true_sin2, true_dm31) -> float:
    t_true = [np.sin(2.0 * np.arcsin(np.sqrt(s))) ** 2 for s in true_sin2]
    variances = sum((t - sum(t_true) / N) ** 2 for t in t_true) / N, sum((d - sum(true_dm31) / N) ** 2 for d in true_dm31) / N
    total = 0.0
    for b in range(N):
        t_model = np.sin(2.0 * np.arcsin(np.sqrt(model_sin2[b]))) ** 2
        total += (t_model - t_true[b]) ** 2 / variances[0] + (model_dm31[b] - true_dm31[b]) ** 2 / variances[1]
    return total / N


def test_it_is_the_loop_over_bootstraps():
    sin2, dm31 = _fits()
    rng = np.random.default_rng(2)
    model = sin2 + rng.normal(0.002, 0.004, N), dm31 + rng.normal(-1e-5, 1e-5, N)
    found = paired_distance(*model, sin2, dm31)
    assert found["total"] == pytest.approx(_slow(*model, sin2, dm31), rel=1e-9)
    assert found["total"] == found["sin2_2theta23"] + found["dm31_ev2"]
    assert found["mean_shift"]["dm31_ev2"] == pytest.approx(-1e-5 / 2.1e-5, abs=0.1)


def test_pairs_matter_and_not_only_distributions():
    """Negative control: the same fits in another order are as far apart as two independent samples, 2 a term."""
    sin2, dm31 = _fits()
    other = np.random.default_rng(3).permutation(N)
    found = paired_distance(sin2[other], dm31[other], sin2, dm31)
    assert found["sin2_2theta23"] == pytest.approx(2.0, abs=0.5) and found["dm31_ev2"] == pytest.approx(2.0, abs=0.5)


def test_equal_fits_are_at_zero_and_a_shift_of_one_sd_at_one():
    sin2, dm31 = _fits()
    assert paired_distance(sin2, dm31, sin2, dm31)["total"] == 0.0
    found = paired_distance(sin2, dm31 + dm31.std(), sin2, dm31)
    assert (found["sin2_2theta23"], found["dm31_ev2"]) == (0.0, pytest.approx(1.0))
    low = 0.35 + 0.1 * np.random.default_rng(4).random(N)
    mixing = 4.0 * low * (1.0 - low)
    moved = 0.5 * (1.0 - np.sqrt(1.0 - (mixing - mixing.std())))
    found = paired_distance(moved, dm31, low, dm31)
    assert found["sin2_2theta23"] == pytest.approx(1.0) and found["mean_shift"]["sin2_2theta23"] == pytest.approx(-1.0)


def test_the_octant_alone_does_not_count():
    sin2, dm31 = _fits()
    assert paired_distance(1.0 - sin2, dm31, sin2, dm31)["total"] == pytest.approx(0.0, abs=1e-20)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({0: np.zeros(N - 1)}, "same bootstraps"),
        ({0: np.zeros((N, 1))}, "same bootstraps"),
        ({1: np.full(N, np.nan)}, "model_dm31 .* not finite"),
        ({2: np.full(N, 0.47)}, "sin2_2theta23 have no spread"),
        ({3: np.full(N, 2.513e-3)}, "dm31_ev2 have no spread"),
        (dict.fromkeys(range(4), np.array([0.4])), "1 true fits .* no spread"),
        (dict.fromkeys(range(4), np.array([])), "no spread"),
    ],
)
def test_what_cannot_be_compared_is_refused(changed, words):
    given = [*_fits(), *_fits()]
    for k, values in changed.items():
        given[k] = values
    with pytest.raises(InputError, match=words):
        paired_distance(*given)
