# nuinfer: from neutrino simulations to posteriors. `snakemake --list-target-rules` explains the named targets.
configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/common_report.smk"
include: "rules/common_sources.smk"
include: "rules/common_far.smk"
include: "rules/common_systematics.smk"


report: "workflow/report/workflow.rst"


if config["container"]:

    # The image of every step, with --sdm apptainer alone.
    container: config["container"]


rule all:
    """Everything that the configuration names: posteriors, calibration, figures and the report."""
    default_target: True
    input:
        "<results>/report.html",
        ensemble_draws(),


include: "rules/inputs.smk"
include: "rules/production.smk"
include: "rules/ingest.smk"
include: "rules/simulate.smk"
include: "rules/tune.smk"
include: "rules/calibrate.smk"
include: "rules/measure.smk"
include: "rules/tension.smk"
include: "rules/near_detector.smk"
include: "rules/far_detector.smk"
include: "rules/systematics.smk"
include: "rules/report.smk"
include: "rules/hooks.smk"


# On a cluster these run beside Snakemake: at the sizes of config/paper.yaml they take one to three seconds and little memory, where
# a job in the queue costs several. Inside a job all steps run in the job's own Snakemake: the executor would start srun and
# another one for each.
QUICK_RULES = [
    "band_coverage_summary", "comparison", "far_coverage_summary", "figure_bands", "figure_functions", "figure_losses",
    "figure_scan", "figure_total", "figures_fit_coverage", "figures_flux", "figures_roads", "figures_tension",
    "figures_universes", "fit_comparison", "measurement", "observation", "report", "scan",
    "universes_summary",
]  # fmt: skip
workflow.localrules(*([rule.name for rule in workflow.rules] if workflow.remote_exec else QUICK_RULES))


rule tuning:
    """Posteriors, predictions and calibration of every tune, without figures."""
    input:
        expand("<results>/tuning/{tune}/calibration.json", tune=TUNES),
        every_observation("<results>/tuning/{tune}/{observation}/predictive.json"),
        expand("<results>/tensions/{tension}/tension.json", tension=config["tensions"]),


rule closure:
    """Every closure study: learned cross sections compared with the truth, and the coverage of their bands."""
    input:
        every_draw("<results>/closure/{study}/{draw}/comparison.json"),
        expand("<results>/closure/{study}/coverage.json", study=coverage_studies()),


rule oscillation:
    """Every oscillation fit: best fits, bootstraps and confidence regions, compared with the true cross section's."""
    input:
        expand("<results>/fits/{fit}/comparison.json", fit=FITS),
        expand("<results>/far/{sample}/coverage.json", sample=coverage_samples()),


rule systematics:
    """Every systematic ensemble and scan: united regions, their closed form, their coverage."""
    input:
        systematics_numbers(),
        ensemble_draws(),


rule coverage_of_union:
    """How often the united regions of ensembles hold the truth, measured over universes."""
    input:
        expand("<results>/ensembles/{ensemble}/coverage.json", ensemble=covered_ensembles()),


rule figures:
    """Every figure, without the report."""
    input:
        closure_figures(),
        fit_captions(),
        systematics_captions(),
        ensemble_draws(),
        expand("<results>/figures/{tune}/captions.json", tune=TUNES),
        every_observation("<results>/figures/{tune}/{observation}/captions.json"),
        expand("<results>/figures/tensions/{tension}/captions.json", tension=config["tensions"]),
