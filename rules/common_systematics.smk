# How rules read the configuration's systematic ensembles and scans.
from nuinfer.config_systematics import scan_points, scan_study

ENSEMBLES = config["ensembles"]
SCANS = config["scans"]
# File name and title, or labels.
FLUX_FIGURES = {"components": "components", "draws": "draws"}
UNIVERSE_FIGURES = {"coverage": "coverage of the union", "fractions": "coverage by fraction of members"}
PICTURED = regions_by(config["fit"]["member_methods"])
ENSEMBLE_FIGURES = {
    f"{kind}_{name}": labels | {"figure": title}
    for name, labels in PICTURED.items()
    for kind, title in {"members": "every draw", "union": "united regions"}.items()
}
ROAD_FIGURES = {f"roads_{name}": labels | {"figure": "closed form beside the union"} for name, labels in PICTURED.items()}
MEMBER_KEYS = ("sin2_theta23", "dm31_ev2", "member_bootstraps", "member_methods", "toys", "n_sin2", "n_dm31")


def member_settings(wildcards):
    entry = sample_config(wildcards)
    varied = wildcards.xsec != "true" and "flux" in STUDIES[wildcards.xsec]["varies"]
    return step_settings(
        experiment=entry["experiment"],
        sample_draw=entry["draw"],
        oscillation=entry["truth"],
        with_true=wildcards.xsec == "true" or varied,
        seed=SEED,
        **{k: config["fit"][k] for k in MEMBER_KEYS},
    )


def member_inputs(wildcards):
    """One function for all inputs of a member, as of a draw; the true cross section in the true flux has none of its own."""
    experiment, sample = sample_config(wildcards)["experiment"], f"<results>/far/{wildcards.sample}"
    draw = f"<results>/closure/{wildcards.xsec}/{wildcards.draw}"
    own = {} if wildcards.xsec == "true" else {"near": f"{draw}/near.h5", "learned": f"{draw}/learned.h5"}
    return {
        "truth": f"<results>/experiments/{experiment}/truth.h5",
        "operator": f"<results>/experiments/{experiment}/operator.h5",
        "events": f"{sample}/events.h5",
        "at_events": f"{sample}/operator.h5",
        "near": [],
        "learned": [],
        **own,
    }


def ensemble_config(wildcards):
    return ENSEMBLES[wildcards.ensemble]


def ensemble_sample(wildcards):
    return SAMPLES[ensemble_config(wildcards)["sample"]]


def member_files(wildcards):
    """Members of an ensemble, in the order of the draws."""
    entry = ensemble_config(wildcards)
    n = STUDIES[entry["study"]]["draws"]
    return [f"<results>/far/{entry['sample']}/{entry['study']}/{d}/member.h5" for d in range(n)]


def true_member(sample):
    """The fit with the true cross section and flux: statistics alone."""
    return f"<results>/far/{sample}/true/0/member.h5"


def reference_files(wildcards):
    """Statistics alone, then the reference study's first draw where there is one."""
    entry = ensemble_config(wildcards)
    beside = [f"<results>/far/{entry['sample']}/{entry['reference']}/0/member.h5"] if "reference" in entry else []
    return [true_member(entry["sample"]), *beside]


def reference_label(name):
    """Label of the study whose first draw stands beside the members: none for statistics alone."""
    return cross_section_label(ENSEMBLES[name]["reference"]) if "reference" in ENSEMBLES[name] else None


def ensemble_label(name):
    return ENSEMBLES[name].get("label", name)


def ensemble_truth(wildcards):
    return f"<results>/experiments/{ensemble_sample(wildcards)['experiment']}/truth.h5"


def ensemble_operator(wildcards):
    return f"<results>/experiments/{ensemble_sample(wildcards)['experiment']}/operator.h5"


def ensemble_events(wildcards):
    return f"<results>/far/{ensemble_config(wildcards)['sample']}/events.h5"


def ensemble_flux_shapes(wildcards):
    return config["experiments"][ensemble_sample(wildcards)["experiment"]]["flux_shapes"]


def world_settings(wildcards, *more, **settings):
    """Settings of closed-form systematics: the study's near-detector data, the sample's events, one world for both."""
    entry, sample = ensemble_config(wildcards), ensemble_sample(wildcards)
    study = STUDIES[entry["study"]]
    keys = ("sin2_theta23", "dm31_ev2", "linear_bins", "systematic_draws", "systematic_toys", *more)
    return step_settings(
        ensemble=wildcards.ensemble,
        experiment=sample["experiment"],
        learner=config["learners"][entry["linear"]],
        near_events=study["events"],
        near_smearing=study.get("smearing"),
        far_events=sample.get("events"),
        far_smearing=sample.get("smearing"),
        oscillation=sample["truth"],
        seed=SEED,
        **settings,
        **{k: config["fit"][k] for k in keys},
    )


def universe_range(wildcards):
    """First and end universe of one part."""
    size = config["fit"]["universe_chunk"]
    start = int(wildcards.part) * size
    return [start, min(start + size, ensemble_config(wildcards)["universes"])]


def universe_parts(wildcards):
    n = len(range(0, ensemble_config(wildcards)["universes"], config["fit"]["universe_chunk"]))
    return [f"<results>/ensembles/{wildcards.ensemble}/universes/{i}.h5" for i in range(n)]


def ensemble_point(name):
    """True parameters of an ensemble's sample: none for a table."""
    sample = ENSEMBLES[name]["sample"]
    return {k: SAMPLES[sample]["truth"][k] for k in ("sin2_theta23", "dm31_ev2")} if sample in DRAWN_SAMPLES else None


def marginalised_ensembles():
    return [name for name, entry in ENSEMBLES.items() if entry["closed_form"]]


def covered_ensembles():
    return [name for name, entry in ENSEMBLES.items() if entry["universes"]]


def varied_experiments():
    """Experiments whose flux some shown study varies, and of how many draws."""
    draws = {}
    for name in SHOWN:
        if "flux" in STUDIES[name]["varies"]:
            experiment = STUDIES[name]["experiment"]
            draws[experiment] = max(draws.get(experiment, 0), STUDIES[name]["draws"])
    return draws


def scan_studies(name):
    return [scan_study(name, *point) for point in scan_points(SCANS[name])]


def scan_files(wildcards, pattern):
    return [pattern.format(study=s, sample=SCANS[wildcards.scan]["sample"]) for s in scan_studies(wildcards.scan)]


def featured(name):
    scan = SCANS[name]
    return [scan["depth"][0], scan["width"][0], scan["bins"][-1]]


def ensemble_draws():
    """What every ensemble's draws learned and fitted: targets that name them make a lost one again, and what follows from it."""
    patterns = ("<results>/closure/{study}/{draw}/learned.h5", "<results>/far/{sample}/{study}/{draw}/member.h5")
    return [
        pattern.format(sample=e["sample"], study=e["study"], draw=draw)
        for e in ENSEMBLES.values()
        for draw in range(STUDIES[e["study"]]["draws"])
        for pattern in patterns
    ]


def systematics_numbers():
    """Every file of numbers of the ensembles and scans."""
    return [
        *(f"<results>/ensembles/{e}/union.json" for e in ENSEMBLES),
        *(f"<results>/ensembles/{e}/closed_form.json" for e in marginalised_ensembles()),
        *(f"<results>/ensembles/{e}/coverage.json" for e in covered_ensembles()),
        *(f"<results>/scans/{s}/scan.json" for s in SCANS),
    ]


def systematics_captions():
    """Captions of every figure of the ensembles and scans."""
    return [
        *(f"<results>/figures/flux/{e}/captions.json" for e in varied_experiments()),
        *(f"<results>/figures/ensembles/{e}/captions.json" for e in ENSEMBLES),
        *(f"<results>/figures/ensembles/{e}/roads.json" for e in marginalised_ensembles()),
        *(f"<results>/figures/ensembles/{e}/coverage.json" for e in covered_ensembles()),
        *(f"<results>/figures/scans/{s}/captions.json" for s in SCANS),
    ]


def systematics_pictures():
    """The figures that stand beside `systematics_captions`, as PNG."""
    pictures = []
    for captions in systematics_captions():
        folder, name = captions.rsplit("/", 1)
        of_ensemble = {"captions.json": ENSEMBLE_FIGURES, "roads.json": ROAD_FIGURES, "coverage.json": UNIVERSE_FIGURES}
        names = {"flux": FLUX_FIGURES, "scans": ["scan"]}.get(folder.split("/")[-2]) or of_ensemble[name]
        pictures += [f"{folder}/{n}.png" for n in names]
    return pictures
