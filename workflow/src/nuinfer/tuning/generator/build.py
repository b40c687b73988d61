"""From physics to a response: every component is integrated once per Chebyshev node of the axial mass."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from nuinfer.errors import InputError
from nuinfer.physics.binning import Binning
from nuinfer.physics.fluxes import Flux
from nuinfer.tuning.generator.components import COMPONENTS, Component, Term
from nuinfer.tuning.generator.quadrature import QuadratureSettings, make_points
from nuinfer.tuning.parameters import PARAMETERS
from nuinfer.tuning.response import MA, Block, Response, chebyshev_features, chebyshev_nodes

# One coarse binning of the whole phase space, for the total cross section.
TOTAL_COS = (-1.0, 0.0, 0.6, 0.8, 0.9, 0.98, 1.0)
TOTAL_P_GEV = (0.0, 30.0)
TOTAL_QUADRATURE = QuadratureSettings(6, 6, 2, 0.025, 0.02)


@dataclass(frozen=True)
class GeneratorSettings:
    """Components by name, and the order and range of the axial-mass interpolation."""

    components: Mapping[str, Component] = field(default_factory=lambda: {k: c() for k, c in COMPONENTS.items()})
    ma_range_gev: tuple[float, float] = (0.5, 2.0)
    ma_order: int = 14


def generator_settings(config: Mapping | None = None) -> GeneratorSettings:
    """Return the settings of a configuration entry: ``components`` (list), ``ma_range_gev``, ``ma_order``, all optional.

    Raises InputError for an unknown key or component, an inverted range and an order below 2.
    """
    config = dict(config or {})
    names = config.pop("components", list(COMPONENTS))
    unknown = [n for n in names if n not in COMPONENTS]
    if unknown or not names:
        raise InputError(f"generator components: unknown {unknown or 'nothing given'}; known: {', '.join(COMPONENTS)}")
    low, high = (float(v) for v in config.pop("ma_range_gev", (0.5, 2.0)))
    order = int(config.pop("ma_order", 14))
    if config:
        raise InputError(f"generator: unknown keys {', '.join(config)}; known: components, ma_range_gev, ma_order")
    if not 0 < low < high or order < 2:
        raise InputError(f"generator: need 0 < low < high in ma_range_gev and ma_order >= 2; got [{low}, {high}], {order}")
    return GeneratorSettings({n: COMPONENTS[n]() for n in names}, (low, high), order)


def component_terms(flux: Flux, binning: Binning, settings: GeneratorSettings) -> list[Term]:
    """Return the terms of all components, each integrated on its own points; ``Term.at`` is direct integration."""
    terms = []
    for component in settings.components.values():
        terms += component.terms(make_points(flux, binning, component.quadrature, component.keeps))
    return terms


def build_response(
    flux: Flux,
    binning: Binning,
    settings: GeneratorSettings | None = None,
    progress: Callable[[str], None] | None = None,
) -> Response:
    """Tabulate the generator for ``flux`` in ``binning``; ``progress`` receives one line per stage."""
    settings = settings or GeneratorSettings()
    say = progress or (lambda _: None)
    say(f"generator: integrating {', '.join(settings.components)} over {binning.n_bin} bins")
    terms = component_terms(flux, binning, settings)
    nodes = chebyshev_nodes(settings.ma_range_gev, settings.ma_order)
    inverse = np.linalg.inv(chebyshev_features(nodes, settings.ma_range_gev, settings.ma_order))
    blocks = tuple(
        Block(t.component, t.factors, inverse @ np.stack([t.at(m) for m in nodes]) if t.depends_on_ma else t.at(0.0)[None])
        for t in terms
    )
    error = interpolation_error(terms, blocks, settings)
    say(f"generator: largest interpolation error off the nodes {error:.1e}; integrating the total cross section")
    total = total_cross_section(flux, settings)
    return Response(blocks, {MA: settings.ma_range_gev}, error, binning.area_gev, total)


def interpolation_error(terms: list[Term], blocks: tuple[Block, ...], settings: GeneratorSettings) -> float:
    """Return the largest relative difference, over bins, between interpolation and integration between the nodes."""
    worst = 0.0
    nodes = np.sort(chebyshev_nodes(settings.ma_range_gev, settings.ma_order))
    between = 0.5 * (nodes[1:] + nodes[:-1])
    features = chebyshev_features(between, settings.ma_range_gev, settings.ma_order)
    for term, block in zip(terms, blocks, strict=True):
        if term.depends_on_ma:
            direct = np.stack([term.at(m) for m in between])
            scale = np.maximum(np.abs(direct), 1e-12 * np.abs(direct).max())
            worst = max(worst, float(np.max(np.abs(features @ block.coefficients - direct) / scale)))
    return worst


def total_cross_section(flux: Flux, settings: GeneratorSettings) -> float:
    """Return the flux-averaged CC0pi cross section at the default parameters, in 1e-38 cm^2 / nucleon.

    Muons above 30 GeV, beyond the last edge, are left out.
    """
    cos = np.array(TOTAL_COS)
    n = len(cos) - 1
    whole = Binning(cos[:-1], cos[1:], np.full(n, TOTAL_P_GEV[0]), np.full(n, TOTAL_P_GEV[1]))
    total = 0.0
    coarse = {k: replace(c, quadrature=TOTAL_QUADRATURE) for k, c in settings.components.items()}
    for term in component_terms(flux, whole, replace(settings, components=coarse)):
        factor = 1.0
        for name, kind in term.factors:
            factor *= PARAMETERS[name].default if kind == "linear" else 1.0 - PARAMETERS[name].default
        if factor:
            total += factor * float(term.at(PARAMETERS["ma_ccqe_gev"].default) @ whole.area_gev)
    return total


def with_doubled_quadrature(settings: GeneratorSettings) -> GeneratorSettings:
    """Return the same physics on twice the nodes in every direction: the measure of the quadrature's error."""
    doubled = {k: replace(c, quadrature=c.quadrature.doubled()) for k, c in settings.components.items()}
    return replace(settings, components=doubled)
