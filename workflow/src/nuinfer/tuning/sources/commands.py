"""Command lines of a production with GENIE and NUISANCE: events, flux and rate for NUISANCE, and one prediction per throw.

Every function returns text for bash, quoted; nothing is run here.  Options are those of GENIE 3's ``gevgen`` and of
NUISANCE's ``app/PrepareGENIE.cxx`` and ``src/Routines/ComparisonRoutines.cxx``.
"""

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from nuinfer.errors import InputError
from nuinfer.tuning.parameters import Parameter
from nuinfer.tuning.sources.cards import DIALS_IN, checked_dials, dials_of, parameter_elements, parameters_of


@dataclass(frozen=True)
class Programs:
    """How the three programs are called: a name, a path, or a command before it (``apptainer exec image.sif nuiscomp``)."""

    gevgen: str = "gevgen"
    prepare: str = "PrepareGENIE"
    nuiscomp: str = "nuiscomp"

    def __post_init__(self) -> None:
        for f in fields(self):
            _program(getattr(self, f.name), f.name)


@dataclass(frozen=True)
class GenieSettings:
    """An event generation: ``target`` with mass fractions, ``probe`` as PDG code, ``flux`` as ``file.root,histogram``.

    ``splines`` is the file of GENIE's cross-section splines of ``tune``; ``enu_range_gev`` the range of neutrino energies.
    Raises InputError for numbers or texts that ``gevgen`` would refuse after minutes.
    """

    events: int
    splines: str
    flux: str
    seed: int
    tune: str = "G18_10a_02_11a"
    target: str = "1000060120[0.9231],1000010010[0.0769]"
    probe: int = 14
    enu_range_gev: tuple[float, float] = (0.0, 30.0)

    def __post_init__(self) -> None:
        if self.events < 1:
            raise InputError(f"gevgen: events must be at least 1, got {self.events}")
        low, high = self.enu_range_gev
        if not 0 <= low < high < np.inf:
            raise InputError(f"gevgen: enu_range_gev must be low, high in GeV with 0 <= low < high; got {low:g}, {high:g}")
        if self.flux.count(",") != 1 or not all(self.flux.split(",")):
            raise InputError(f"gevgen: flux '{self.flux}' must read file.root,histogram")
        if "[" not in self.target or "]" not in self.target:
            raise InputError(
                f"gevgen: target '{self.target}' lacks mass fractions; write 1000060120[0.9231],1000010010[0.0769]"
            )
        for name in ("splines", "tune"):
            if not getattr(self, name).strip():
                raise InputError(f"gevgen: {name} is empty; give it")


def gevgen_command(settings: GenieSettings, output: str | Path, program: str = "gevgen") -> str:
    """Return the command that generates events into ``output`` (GHEP ROOT file)."""
    s = settings
    options = ["-n", s.events, "-t", s.target, "-p", s.probe, "--cross-sections", s.splines, "--tune", s.tune]
    options += ["--seed", s.seed, "-f", s.flux, "-e", ",".join(repr(float(e)) for e in s.enu_range_gev), "-o", output]
    return _command(program, "gevgen", options)


def prepare_command(settings: GenieSettings, events: str | Path, output: str | Path, program: str = "PrepareGENIE") -> str:
    """Return the command that copies ``events`` to ``output`` with the flux and rate that NUISANCE needs."""
    options = ["-i", events, "-f", settings.flux, "-t", settings.target, "-o", output]
    return _command(program, "prepare", options)


def nuiscomp_command(
    card: str | Path,
    output: str | Path,
    dials: Mapping[str, float] | None = None,
    program: str = "nuiscomp",
    further: Collection[str] = (),
) -> str:
    """Return the command that predicts ``card`` into ``output``; ``dials`` are added to those of the card by ``-i``.

    Not every release obeys ``-i`` (:func:`throw_lines`).  Raises InputError for a dial neither known nor in ``further``.
    """
    checked_dials(dials or {}, further)
    extra = [part for element in parameter_elements(dials or {}) for part in ("-i", element)]
    return _command(program, "nuiscomp", ["-c", card, "-o", output, *extra])


def throw_name(index: int) -> str:
    """Return the name of throw ``index``: of its card, its ROOT file and its line."""
    return f"throw_{index:08d}"


def throw_lines(
    names: Sequence[str | Parameter], theta: np.ndarray, convention: str, first: int, dials_in: str = "card"
) -> list[str]:
    """Return a line for each throw of physical values ``theta`` ``(n, d)``: its name, a blank, its dials.

    The dials are ``<parameter .../>`` elements for a card of the throw's own (``card``), or quoted ``-i`` options
    (``options``).  Cards are the default because ``-i`` is not safe: NUISANCE's older ``ComparisonRoutines.cxx`` adds it to
    the card, newer ones (those with the option ``-s``) parse it and leave it unused, so that every throw would silently be
    the nominal prediction.

    ``first`` is the index of the first throw.  Raises InputError for whatever :func:`~nuinfer.tuning.sources.cards.dials_of`
    refuses, a negative ``first`` and an unknown ``dials_in``.
    """
    if dials_in not in DIALS_IN:
        raise InputError(f"production: unknown dials_in '{dials_in}'; known: {', '.join(DIALS_IN)}")
    if first < 0:
        raise InputError(f"the index of the first throw must not be negative, got {first}")
    known = parameters_of(names)
    dial_names = [p.dial for p in known]
    lines = []
    for i, row in enumerate(dials_of(known, theta, convention)):
        dials = dict(zip(dial_names, row.tolist(), strict=True))
        checked_dials(dials, dial_names)
        elements = parameter_elements(dials)
        if dials_in == "card":
            text = "".join(f"<{element}/>" for element in elements)
        else:
            text = " ".join(f"-i {shlex.quote(element)}" for element in elements)
        lines.append(f"{throw_name(first + i)} {text}")
    return lines


def throws_command(
    card: str | Path,
    throws: str | Path,
    folder: str | Path,
    program: str = "nuiscomp",
    dials_in: str = "card",
    events: str | Path | None = None,
    max_events: int | None = None,
) -> str:
    """Return the bash loop that predicts every line of ``throws`` into ``folder``/NAME.root.

    A prediction has its final name only when ``nuiscomp`` has ended well; the loop ends with the first that fails, naming
    it.  With ``dials_in: card`` the throw's card stays beside its prediction as NAME.xml: the two say together what was run,
    and where both are there for the same card, the prediction newer than ``events``, it is not made again.  ``max_events``
    is how many events ``nuiscomp`` reads; None for all.
    """
    if dials_in not in DIALS_IN:
        raise InputError(f"production: unknown dials_in '{dials_in}'; known: {', '.join(DIALS_IN)}")
    card, throws, folder, called = (*(shlex.quote(str(p)) for p in (card, throws, folder)), _program(program, "nuiscomp"))
    part = '"$folder/.$name.part.root"'
    called = f"{called} -n {int(max_events)}" if max_events else called
    if dials_in == "card":
        own = '"$folder/$name.xml"'
        comment = shlex.quote(" ".join(called.split("--")))
        newer = f'[ "$folder/$name.root" -nt {shlex.quote(str(events))} ] && ' if events else ""
        run = [
            # The command is part of the card's text: a prediction that another one made is not kept.
            f'  text=$(printf \'%s  %s\\n  <!-- %s -->\\n</nuisance>\' "${{head%%</nuisance>*}}" "$dials" {comment})',
            f'  [ -s "$folder/$name.root" ] && {newer}[ "$text" = "$(< {own})" ] && continue',
            f'  rm -f "$folder/$name.root"; printf \'%s\\n\' "$text" > {own}',
            f"  {called} -c {own} -o {part} < /dev/null || failed",
        ]
    else:
        # eval takes the quotes off the options, which throw_lines put there.
        run = ['  eval "options=($dials)"', f'  {called} -c {card} -o {part} "${{options[@]}}" < /dev/null || failed']
    lines = [
        f'folder={folder}; head=$(< {card}); mkdir -p "$folder"',
        'failed() { echo "error: nuiscomp failed for $name in $folder; see the lines above" >&2; exit 1; }',
        "while read -r name dials; do",
        *run,
        f'  mv {part} "$folder/$name.root"',
        f"done < {throws}",
    ]
    return "\n".join(lines)


def require_command(programs: Programs, name: str) -> str:
    """Return the bash line that stops with the reason where the program ``name`` (a field of Programs) is not installed."""
    called = shlex.split(getattr(programs, name))[0]
    message = (
        f"error: {called} is not installed here; load it (envmodules or container in the configuration) "
        f"or set programs: {name} to its path"
    )
    return f"command -v {shlex.quote(called)} > /dev/null || {{ echo {shlex.quote(message)} >&2; exit 2; }}"


def _command(program: str, name: str, options: Sequence[object]) -> str:
    return f"{_program(program, name)} {shlex.join([str(o) for o in options])}"


def _program(text: str, name: str) -> str:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"programs: {name}: '{text}' cannot be read as a command ({error})") from None
    if not words:
        raise InputError(f"programs: {name} is empty; name the program or its path")
    return shlex.join(words)
