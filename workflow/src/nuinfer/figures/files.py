"""Figures and their captions as the files of one folder."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from nuinfer.figures.style import save
from nuinfer.io.captions import write_captions


def write_figures(captions: Path, figures: Iterable[tuple[str, Figure, str]], record: Mapping[str, Any]) -> None:
    """Write each of ``figures`` (name, figure, caption) as PDF and PNG beside ``captions``, and their captions into it.

    All carry ``record``, which :func:`nuinfer.io.provenance.provenance` gives.  ``figures`` may be made one by one while
    they are written.
    """
    texts = {}
    for name, figure, text in figures:
        save(figure, captions.with_name(f"{name}.pdf"), captions.with_name(f"{name}.png"), record)
        texts[name] = text
    # Last: where a figure fails, none of the folder is told to be there.
    write_captions(captions, texts, record)
