# Figures and the one page that tells a run's results.

# File name and title.
TUNE_FIGURES = {
    "residuals": "residuals",
    "coverage": "coverage",
    "sbc": "ranks (SBC)",
    "tarp": "coverage at random points (TARP)",
    "exact": "against exact posteriors",
    "loss": "training losses",
}
OBSERVATION_FIGURES = {
    "figure1": "four panels",
    "triangle": "posterior",
    "recovery": "intervals by method",
    "slices": "prediction and data",
    "misspecification": "goodness of fit",
}


rule figures_tune:
    """Figures of a tune's estimator: residuals, coverage, SBC, TARP, gap to the exact posterior, losses."""
    input:
        calibration="<results>/tuning/{tune}/calibration.h5",
        metrics="<results>/tuning/{tune}/calibration.json",
        models=model_files,
    output:
        expand("<results>/figures/{{tune}}/{name}.pdf", name=TUNE_FIGURES),
        pictures("<results>/figures/{tune}", TUNE_FIGURES, "tune_{}", "Tuning", "{tune}", observation="held-out throws"),
        captions="<results>/figures/{tune}/captions.json",
    params:
        settings=lambda w: step_settings(
            tune=w.tune,
            n_train=simulation_of(w)["throws"].get("train"),
            parameters=simulation_of(w)["parameters"],
        ),
        code=code_hash("nuinfer.steps.figures_tune"),
    group:
        block("tune_{tune}")
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/figures_tune/{tune}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.figures_tune --calibration {input.calibration:q} --metrics {input.metrics:q}"
        " --models {input.models:q} --captions {output.captions:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule figures_observation:
    """Figures of one observation: posterior, recovery, slices, misspecification, and the paper's four panels."""
    input:
        posterior="<results>/tuning/{tune}/{observation}/posterior.h5",
        table="<results>/tuning/{tune}/{observation}/posterior.json",
        predictive="<results>/tuning/{tune}/{observation}/predictive.h5",
        metrics="<results>/tuning/{tune}/{observation}/predictive.json",
        observation="<results>/tuning/{tune}/{observation}/observation.h5",
        calibration="<results>/tuning/{tune}/calibration.h5",
    output:
        expand("<results>/figures/{{tune}}/{{observation}}/{name}.pdf", name=OBSERVATION_FIGURES),
        pictures(
            "<results>/figures/{tune}/{observation}",
            OBSERVATION_FIGURES,
            "observation_{}",
            "Tuning",
            "{tune}",
            observation="{observation}",
        ),
        captions="<results>/figures/{tune}/{observation}/captions.json",
    params:
        settings=lambda w: step_settings(
            tune=w.tune, observation=w.observation, parameters=simulation_of(w)["parameters"]
        ),
        code=code_hash("nuinfer.steps.figures_observation"),
    group:
        block("observed_{tune}")
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/figures_observation/{tune}_{observation}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.figures_observation --posterior {input.posterior:q} --table {input.table:q}"
        " --predictive {input.predictive:q} --metrics {input.metrics:q} --observation {input.observation:q}"
        " --calibration {input.calibration:q} --captions {output.captions:q} --settings {params.settings:q}"
        " 2>&1 | tee {log:q}"


rule comparison:
    """The built-in generator against real numbers: chi2 to a measurement, and NuWro's events where they are."""
    input:
        response="<results>/simulations/{simulation}/response.h5",
        measurements=lambda w: [f"<results>/measurements/{m}.h5" for m in real_measurements(w.simulation)],
        events=list(comparison_files()[0].values()),
    output:
        "<results>/simulations/{simulation}/comparison.json",
    params:
        settings=step_settings(events=comparison_files()[0], absent=comparison_files()[1]),
        code=code_hash("nuinfer.steps.comparison"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/comparison/{simulation}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.comparison --response {input.response:q} --measurements {input.measurements:q}"
        " --output {output:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule report:
    """One HTML page with every table and figure, which opens without a network."""
    input:
        comparisons=expand("<results>/simulations/{s}/comparison.json", s=sorted({t["simulation"] for t in TUNES.values()})),
        calibrations=expand("<results>/tuning/{tune}/calibration.json", tune=TUNES),
        tune_captions=expand("<results>/figures/{tune}/captions.json", tune=TUNES),
        tables=every_observation("<results>/tuning/{tune}/{observation}/posterior.json"),
        predictives=every_observation("<results>/tuning/{tune}/{observation}/predictive.json"),
        captions=every_observation("<results>/figures/{tune}/{observation}/captions.json"),
        tune_figures=expand("<results>/figures/{tune}/{name}.png", tune=TUNES, name=TUNE_FIGURES),
        observation_figures=[
            path
            for name in OBSERVATION_FIGURES
            for path in every_observation(f"<results>/figures/{{tune}}/{{observation}}/{name}.png")
        ],
        sources=expand("<results>/simulations/{s}/response.json", s=tuned_simulations(*SECTION_OF)),
        ingests=expand("<results>/simulations/{s}/ingest.json", s=tuned_simulations("throws", "nuisance", "genie")),
        tensions=expand("<results>/tensions/{tension}/tension.json", tension=config["tensions"]),
        tension_captions=expand("<results>/figures/tensions/{tension}/captions.json", tension=config["tensions"]),
        tension_figures=expand(
            "<results>/figures/tensions/{tension}/{name}.png", tension=config["tensions"], name=TENSION_FIGURES
        ),
        closures=every_draw("<results>/closure/{study}/{draw}/comparison.json"),
        coverages=expand("<results>/closure/{study}/coverage.json", study=coverage_studies()),
        closure_captions=closure_figures(),
        closure_pictures=closure_pictures(),
        cost=["<results>/closure_cost/cost.json"] if cost_is_measured() else [],
        fits=expand("<results>/fits/{fit}/comparison.json", fit=FITS),
        fit_coverages=expand("<results>/far/{sample}/coverage.json", sample=coverage_samples()),
        fit_captions=fit_captions(),
        fit_pictures=fit_pictures(),
        unions=expand("<results>/ensembles/{ensemble}/union.json", ensemble=ENSEMBLES),
        closed_forms=expand("<results>/ensembles/{ensemble}/closed_form.json", ensemble=marginalised_ensembles()),
        ensemble_coverages=expand("<results>/ensembles/{ensemble}/coverage.json", ensemble=covered_ensembles()),
        scans=expand("<results>/scans/{scan}/scan.json", scan=SCANS),
        systematics_captions=systematics_captions(),
        systematics_pictures=systematics_pictures(),
    output:
        "<results>/report.html",
    params:
        settings=step_settings(
            title=config["report"]["title"],
            tunes=[
                {"name": t, "label": e.get("label", t), **{k: e[k] for k in ("observations", "mode", "estimator")}}
                for t, e in TUNES.items()
            ],
            sources=report_sources(),
            tensions=[{"name": t, "label": e.get("label", t)} for t, e in config["tensions"].items()],
            studies=[
                {
                    "name": s,
                    "label": STUDIES[s].get("label", s),
                    "draws": compared_draws(s),
                    "coverage": STUDIES[s]["coverage_draws"] > 0,
                }
                for s in SHOWN
            ],
            fits=[{"name": f, "label": e.get("label", f)} for f, e in FITS.items()],
            fit_coverages=[
                {"name": s, "label": SAMPLES[s].get("label", s), "xsecs": coverage_labels(s)} for s in coverage_samples()
            ],
            ensembles=[
                {
                    "name": e,
                    "label": ensemble_label(e),
                    "closed_form": e in marginalised_ensembles(),
                    "coverage": e in covered_ensembles(),
                }
                for e in ENSEMBLES
            ],
            scans=[{"name": s, "label": e.get("label", s)} for s, e in SCANS.items()],
            throws=report_throws(),
            seed=SEED,
        ),
        code=code_hash("nuinfer.steps.report"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/report.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.report --comparisons {input.comparisons:q} --calibrations {input.calibrations:q}"
        " --tune-captions {input.tune_captions:q} --tables {input.tables:q} --predictives {input.predictives:q}"
        " --captions {input.captions:q} --sources {input.sources:q} --ingests {input.ingests:q}"
        " --tensions {input.tensions:q} --tension-captions {input.tension_captions:q}"
        " --closures {input.closures:q} --coverages {input.coverages:q} --closure-captions {input.closure_captions:q}"
        " --cost {input.cost:q} --fits {input.fits:q} --fit-coverages {input.fit_coverages:q}"
        " --fit-captions {input.fit_captions:q} --unions {input.unions:q} --closed-forms {input.closed_forms:q}"
        " --ensemble-coverages {input.ensemble_coverages:q} --scans {input.scans:q}"
        " --systematics-captions {input.systematics_captions:q} --output {output:q} --settings {params.settings:q} 2>&1 | tee {log:q}"
