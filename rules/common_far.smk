# How rules read the configuration's far-detector samples and oscillation fits.
SAMPLES = config["far_samples"]
DRAWN_SAMPLES = [name for name, entry in SAMPLES.items() if "events" in entry]
TABLE_SAMPLES = [name for name, entry in SAMPLES.items() if "table" in entry]
FITS = config["fits"]
PLANES = {"mixing": "sin2(2 theta23)", "octants": "sin2(theta23)"}
METHODS = {
    "bootstrap": "bootstrap density",
    "bootstrap_octants": "bootstraps, both octants",
    "feldman_cousins": "Feldman-Cousins",
}


def regions_by(methods):
    """File name and labels of regions by each of `methods`, in each plane of oscillation parameters."""
    return {
        f"{name}_{method}": {"figure": "regions", "plane": plane, "method": METHODS[method]}
        for method in methods
        for name, plane in PLANES.items()
    }


FIT_FIGURES = regions_by(config["fit"]["methods"])
COVERAGE_FIGURES = {"coverage": "coverage", "pulls": "pulls"}


def sample_config(wildcards):
    return SAMPLES[wildcards.sample]


def sample_experiment(wildcards):
    return config["experiments"][sample_config(wildcards)["experiment"]]


def sample_settings(wildcards):
    """What the steps of a sample share: whose events, which draw, and the parameters of the oscillation."""
    entry = sample_config(wildcards)
    return {"experiment": entry["experiment"], "draw": entry["draw"], "oscillation": entry["truth"], "seed": SEED}


def sample_truth(wildcards):
    return f"<results>/experiments/{sample_config(wildcards)['experiment']}/truth.h5"


def sample_operator(wildcards):
    return f"<results>/experiments/{sample_config(wildcards)['experiment']}/operator.h5"


def learned_file(wildcards):
    """A study's cross section as a list: empty for the true one."""
    if wildcards.xsec == "true":
        return []
    return [f"<results>/closure/{wildcards.xsec}/{wildcards.draw}/learned.h5"]


def fit_entries(name):
    """The fits of one figure in order: the true cross section on every sample, then each study's."""
    entry = FITS[name]
    return [
        {"sample": s, "xsec": x, "label": cross_section_label(x), "sample_label": SAMPLES[s].get("label", s)}
        for x in ["true", *entry["studies"]]
        for s in entry["samples"]
    ]


def cross_section_label(xsec):
    return "true cross section" if xsec == "true" else STUDIES[xsec].get("label", xsec)


def fit_files(name, file):
    return [f"<results>/far/{e['sample']}/{e['xsec']}/0/{file}" for e in fit_entries(name)]


def fit_truth(name):
    """True parameters of a figure's samples: none for tables, nor where samples differ."""
    known = [SAMPLES[s]["truth"] if s in DRAWN_SAMPLES else None for s in FITS[name]["samples"]]
    if known[0] is None or any(k != known[0] for k in known):
        return None
    return {k: known[0][k] for k in ("sin2_theta23", "dm31_ev2")}


def coverage_samples():
    return [s for s, e in SAMPLES.items() if e["coverage"]["pseudo_experiments"]]


def coverage_xsecs(wildcards):
    return ["true", *sample_config(wildcards)["coverage"]["studies"]]


def coverage_labels(sample):
    return {x: cross_section_label(x) for x in ["true", *SAMPLES[sample]["coverage"]["studies"]]}


def coverage_settings(wildcards):
    entry = sample_config(wildcards)
    own = {"events": entry["events"], "smearing": entry.get("smearing"), "oscillation": entry["truth"], "seed": SEED}
    return {**own, **{k: config["fit"][k] for k in ("sin2_theta23", "dm31_ev2")}}


def fit_coverage_range(wildcards):
    """First and end pseudo-experiment of one part of a coverage measurement."""
    size = config["fit"]["coverage_chunk"]
    start = int(wildcards.part) * size
    return [start, min(start + size, sample_config(wildcards)["coverage"]["pseudo_experiments"])]


def fit_coverage_parts(wildcards):
    n = len(range(0, sample_config(wildcards)["coverage"]["pseudo_experiments"], config["fit"]["coverage_chunk"]))
    return [f"<results>/far/{wildcards.sample}/coverage/{i}.h5" for i in range(n)]


def fit_captions():
    """Captions of every figure of the oscillation fits."""
    return [
        *expand("<results>/figures/fits/{fit}/captions.json", fit=FITS),
        *(
            f"<results>/figures/fits/coverage_{s}/{x}.json"
            for s in coverage_samples()
            for x in ["true", *SAMPLES[s]["coverage"]["studies"]]
        ),
    ]


def fit_pictures():
    """The figures that stand beside the captions of `fit_captions`, as PNG."""
    pictures = []
    for captions in fit_captions():
        folder, name = captions.removesuffix(".json").rsplit("/", 1)
        names = FIT_FIGURES if name == "captions" else [f"{n}_{name}" for n in COVERAGE_FIGURES]
        pictures += [f"{folder}/{n}.png" for n in names]
    return pictures
