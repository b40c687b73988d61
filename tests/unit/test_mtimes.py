"""Files from the future get the present time, no others; what is newer than what stays so."""

import itertools
import os

import numpy as np
import pytest

from nuinfer.mtimes import bring_back

NOW_NS = 1_700_000_000_000_000_000


@pytest.mark.parametrize("seed", range(5))
def test_only_files_from_ahead_change_and_none_overtakes(tmp_path, seed):
    offsets_ns = np.random.default_rng(seed).integers(-5, 6, size=12) * 10**9
    before = {}
    for i, offset_ns in enumerate(offsets_ns.tolist()):
        path = tmp_path / str(i)
        path.write_text(str(i))
        os.utime(path, ns=(NOW_NS + offset_ns, NOW_NS + offset_ns))
        before[path] = NOW_NS + offset_ns
    changed = bring_back(map(str, before), NOW_NS)
    assert changed == [p for p, time_ns in before.items() if time_ns > NOW_NS]
    after = {p: p.stat().st_mtime_ns for p in before}
    assert all(after[p] == (NOW_NS if p in changed else before[p]) for p in before)
    assert all(after[a] <= after[b] for a, b in itertools.permutations(before, 2) if before[a] <= before[b])
    assert bring_back(before, NOW_NS) == []


def test_a_path_without_a_file_is_passed_over(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    assert bring_back([tmp_path / "none", tmp_path / "loop"], 0) == []
