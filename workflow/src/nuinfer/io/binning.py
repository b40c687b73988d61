"""Reading a table of bins: CSV with columns cos_lo, cos_hi, p_mu_lo_gev, p_mu_hi_gev."""

from pathlib import Path

from nuinfer.errors import InputError
from nuinfer.physics.binning import Binning
from nuinfer.physics.fluxes import read_table

COLUMNS = ("cos_lo", "cos_hi", "p_mu_lo_gev", "p_mu_hi_gev")


def read_binning(path: str | Path, drop_momentum_overflow: bool = False) -> Binning:
    """Read a binning table, optionally without the last momentum bin of every slice of cos(theta).

    Raises InputError, with the path, for a missing file or column and for whatever :class:`Binning` refuses.
    """
    _, names, rows = read_table(path)
    missing = [c for c in COLUMNS if c not in names]
    if missing:
        raise InputError(f"{path}: missing columns {', '.join(missing)}; found {', '.join(names)}")
    try:
        binning = Binning(*(rows[:, names.index(c)] for c in COLUMNS))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return binning.without_last_momentum_bins() if drop_momentum_overflow else binning
