"""Write what one chunk of a production with GENIE and NUISANCE needs: its card and a line for every throw."""

from pathlib import Path

from nuinfer.io.hdf5 import replacing
from nuinfer.steps.cli import run
from nuinfer.tuning.priors import prior_box
from nuinfer.tuning.sources.cards import card_settings, card_text
from nuinfer.tuning.sources.commands import throw_lines
from nuinfer.tuning.throws import throw_unit_cube


def cards(output_card: Path, output_throws: Path, settings: dict) -> None:
    """Write the card and the lines of the throws ``range`` (split, start, stop) of a design of ``n`` points of that split.

    The throws are those that :func:`nuinfer.steps.simulate.simulate` predicts for the same settings; they are named by
    their index in the split.  The card holds no dials: its lines add them throw by throw.
    """
    box = prior_box(settings["parameters"])
    production = card_settings(settings["production"])
    split, start, stop = settings["range"]
    key = ("throws", settings["simulation"], split)
    design = "random" if split == "test" else settings["design"]
    u = throw_unit_cube(design, settings["n"], box.dim, settings["seed"], *key)[start:stop]
    lines = throw_lines(box.parameters, box.from_unit(u), production.convention, start, production.dials_in)
    with replacing(output_card) as temporary:
        temporary.write_text(card_text(production, {}), encoding="utf-8")
    with replacing(output_throws) as temporary:
        temporary.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    run(cards)
