"""A small made-up set of parton densities as LHAPDF6 files, and a slow twin of how such files are interpolated."""

import math
from pathlib import Path

import numpy as np

FLAVOURS = (-5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 21)
X_KNOTS = np.concatenate([np.geomspace(1e-4, 0.1, 9)[:-1], np.linspace(0.1, 1, 10)])
Q_BLOCKS = (np.array([1.3, 1.4, 1.7, 2.2, 3.0, 4.5]), np.array([4.5, 6.0, 10.0, 30.0, 100.0]))


def made_up_xf(pid: int, x: np.ndarray, q_gev: np.ndarray) -> np.ndarray:
    """A smooth x f with some evolution; bottom switches on at 4.5 GeV."""
    if abs(pid) == 5:
        return 0.01 * (1 - x) ** 5 * np.log(np.maximum(q_gev, 4.5) / 4.5)
    return (1 + 0.1 * pid) * x**0.4 * (1 - x) ** 3 * (1 + 0.2 * np.log(q_gev) * (0.3 - x))


def write_set(
    folder: Path, flavours: tuple[int, ...] = FLAVOURS, info: str = "", edit: tuple[str, str] | None = None, drop: int = 0
) -> Path:
    """Write the set MadeUp below ``folder``; ``edit`` replaces text and ``drop`` removes lines at the end of the member."""
    lines = ["PdfType: central", "Format: lhagrid1", "---"]
    for q in Q_BLOCKS:
        lines += [" ".join(map(repr, map(float, v))) for v in (X_KNOTS, q)] + [" ".join(map(str, flavours))]
        for x in X_KNOTS:
            lines += [" ".join(repr(float(made_up_xf(p, x, qq))) for p in flavours) for qq in q]
        lines.append("---")
    text = "\n".join(lines[: len(lines) - drop]) + "\n"
    (folder / "MadeUp").mkdir(parents=True)
    (folder / "MadeUp" / "MadeUp_0000.dat").write_text(text.replace(*edit) if edit else text)
    (folder / "MadeUp" / "MadeUp.info").write_text(f"SetDesc: 'made up'\nFormat: lhagrid1\nQMax: 100.0\n{info}")
    return folder


# The slow twin: one point at a time, first in ln x at four Q^2 knots and then in ln Q^2, from the file's text.


def twin_blocks(path: Path, pid: int) -> list[tuple[list[float], list[float], list[list[float]]]]:
    blocks = []
    for part in path.read_text().split("---")[1:-1]:
        x, q, flavours, *rows = part.strip().split("\n")
        xs, qs = [float(v) for v in x.split()], [float(v) for v in q.split()]
        column = flavours.split().index(str(pid))
        values = [float(r.split()[column]) for r in rows]
        blocks.append((xs, qs, [values[i * len(qs) : (i + 1) * len(qs)] for i in range(len(xs))]))
    return blocks


def twin_hermite(knots: list[float], values: list[float], i: int, z: float) -> float:
    def secant(k: int) -> float:
        return (values[k + 1] - values[k]) / (knots[k + 1] - knots[k])

    def slope(k: int) -> float:
        if k == 0:
            return secant(0)
        return secant(k - 1) if k == len(knots) - 1 else 0.5 * (secant(k - 1) + secant(k))

    h = knots[i + 1] - knots[i]
    t = (z - knots[i]) / h
    return (
        (2 * t**3 - 3 * t**2 + 1) * values[i]
        + (t**3 - 2 * t**2 + t) * h * slope(i)
        + (3 * t**2 - 2 * t**3) * values[i + 1]
        + (t**3 - t**2) * h * slope(i + 1)
    )


def twin_inside(blocks: list, x: float, q2: float) -> float:
    xs, qs, values = next(b for b in reversed(blocks) if q2 >= b[1][0] ** 2 * (1 - 1e-14))
    log_x, log_q2 = [math.log(v) for v in xs], [2 * math.log(v) for v in qs]
    ix = max(i for i in range(len(xs) - 1) if math.log(x) >= log_x[i] - 1e-14)
    iq = max(i for i in range(len(qs) - 1) if math.log(q2) >= log_q2[i] - 1e-14)
    at_x = [twin_hermite(log_x, [row[j] for row in values], ix, math.log(x)) for j in range(len(qs))]
    return twin_hermite(log_q2, at_x, iq, math.log(q2))


def twin_line(z: float, z_low: float, z_high: float, low: float, high: float) -> float:
    t = math.log(z / z_low) / math.log(z_high / z_low)
    if low > 1e-3 and high > 1e-3:
        return math.exp(math.log(low) + t * math.log(high / low))
    return low + t * (high - low)


def twin_xf(blocks: list, x: float, q2: float) -> float:
    x0, x1 = blocks[0][0][:2]
    q2_low, q2_high, q2_before = blocks[0][1][0] ** 2, blocks[-1][1][-1] ** 2, blocks[-1][1][-2] ** 2

    def along_x(at: float) -> float:
        if x >= x0:
            return twin_inside(blocks, x, at)
        return twin_line(x, x0, x1, twin_inside(blocks, x0, at), twin_inside(blocks, x1, at))

    if q2 > q2_high:
        return twin_line(q2, q2_before, q2_high, along_x(q2_before), along_x(q2_high))
    if q2 >= q2_low:
        return along_x(q2)
    f0, f1 = along_x(q2_low), along_x(1.01 * q2_low)
    gamma = max(-2.5, (f1 - f0) / (0.01 * f0)) if abs(f0) >= 1e-5 else 1.0
    r = q2 / q2_low
    return f0 * r ** (gamma * r + 1 - r)
