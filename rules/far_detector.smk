# The far detector: events, fits of the oscillation parameters with true and learned cross sections, regions and their coverage.


rule far_draw:
    """Draw far-detector events from an experiment's truth."""
    input:
        flux=lambda w: sample_experiment(w)["flux"]["path"],
        partons=lambda w: parton_files(sample_experiment(w)["partons"]),
        truth=lambda w: f"<results>/experiments/{sample_config(w)['experiment']}/truth.h5",
    output:
        "<results>/far/{sample}/events.h5",
    params:
        settings=lambda w: step_settings(
            sample=w.sample,
            **sample_settings(w),
            **truth_settings(sample_config(w)["experiment"]),
            events=sample_config(w)["events"],
            smearing=sample_config(w).get("smearing"),
        ),
        code=code_hash("nuinfer.steps.far_draw"),
    wildcard_constraints:
        sample=either(DRAWN_SAMPLES),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/far_draw/{sample}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.far_draw --flux {input.flux:q} --partons {input.partons:q} --truth {input.truth:q}"
        " --output {output:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule far_table:
    """Read and check a table of observed far-detector events."""
    input:
        table=lambda w: sample_config(w)["table"]["path"],
        operator=sample_operator,
    output:
        "<results>/far/{sample}/events.h5",
    params:
        settings=lambda w: step_settings(
            columns=sample_config(w)["table"]["columns"],
            tree=sample_config(w)["table"].get("tree"),
            smearing=sample_config(w).get("smearing"),
        ),
        code=code_hash("nuinfer.steps.far_table"),
    wildcard_constraints:
        sample=either(TABLE_SAMPLES),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/far_table/{sample}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.far_table --table {input.table:q} --operator {input.operator:q} --output {output:q}"
        " --settings {params.settings:q} 2>&1 | tee {log:q}"


rule far_operator:
    """Build a sample's sparse map from structure functions to the densities at its events."""
    input:
        events="<results>/far/{sample}/events.h5",
        operator=sample_operator,
    output:
        "<results>/far/{sample}/operator.h5",
    params:
        settings=lambda w: step_settings(smearing_points=config["fit"]["smearing_points"]),
        code=code_hash("nuinfer.steps.far_operator"),
    resources:
        mem_mb=grows(3000),
        runtime=grows(30),
    log:
        "<logs>/far_operator/{sample}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.far_operator --events {input.events:q} --operator {input.operator:q} --output {output:q}"
        " --settings {params.settings:q} 2>&1 | tee {log:q}"


rule far_fit:
    """Fit the oscillation parameters with one cross section, to the events and to their bootstraps."""
    input:
        truth=sample_truth,
        operator=sample_operator,
        events="<results>/far/{sample}/events.h5",
        at_events="<results>/far/{sample}/operator.h5",
        learned=learned_file,
    output:
        metrics="<results>/far/{sample}/{xsec}/{draw}/fit.json",
        arrays="<results>/far/{sample}/{xsec}/{draw}/fit.h5",
    params:
        settings=lambda w: step_settings(
            **sample_settings(w), **{k: config["fit"][k] for k in ("sin2_theta23", "dm31_ev2", "bootstraps")}
        ),
        code=code_hash("nuinfer.steps.far_fit"),
    group:
        block("fits_{sample}")
    resources:
        mem_mb=grows(3000),
        runtime=grows(30),
    log:
        "<logs>/far_fit/{sample}_{xsec}_{draw}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.far_fit --truth {input.truth:q} --operator {input.operator:q} --events {input.events:q}"
        " --at-events {input.at_events:q} --learned {input.learned:q} --metrics {output.metrics:q}"
        " --output {output.arrays:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule far_regions:
    """Construct a fit's confidence regions by every method."""
    input:
        truth=sample_truth,
        operator=sample_operator,
        events="<results>/far/{sample}/events.h5",
        at_events="<results>/far/{sample}/operator.h5",
        learned=learned_file,
        fit="<results>/far/{sample}/{xsec}/{draw}/fit.h5",
    output:
        metrics="<results>/far/{sample}/{xsec}/{draw}/regions.json",
        arrays="<results>/far/{sample}/{xsec}/{draw}/regions.h5",
    params:
        settings=lambda w: step_settings(
            **sample_settings(w),
            truth_known=w.sample in DRAWN_SAMPLES,
            **{k: config["fit"][k] for k in ("methods", "toys", "n_sin2", "n_dm31")},
        ),
        code=code_hash("nuinfer.steps.far_regions"),
    group:
        block("fits_{sample}")
    resources:
        mem_mb=grows(3000),
        runtime=grows(30),
    log:
        "<logs>/far_regions/{sample}_{xsec}_{draw}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.far_regions --truth {input.truth:q} --operator {input.operator:q}"
        " --events {input.events:q} --at-events {input.at_events:q} --learned {input.learned:q} --fit {input.fit:q}"
        " --metrics {output.metrics:q} --output {output.arrays:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule fit_comparison:
    """Compare the fits of one figure: shifts, areas, what the true cross section gives."""
    input:
        fits=lambda w: fit_files(w.fit, "fit.json"),
        regions=lambda w: fit_files(w.fit, "regions.json"),
    output:
        "<results>/fits/{fit}/comparison.json",
    params:
        settings=lambda w: step_settings(fit=w.fit, entries=fit_entries(w.fit)),
        code=code_hash("nuinfer.steps.fit_comparison"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/fit_comparison/{fit}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.fit_comparison --fits {input.fits:q} --regions {input.regions:q} --output {output:q}"
        " --settings {params.settings:q} 2>&1 | tee {log:q}"


rule far_coverage_toys:
    """Throw the pseudo-experiments behind the likelihood ratios of a coverage measurement."""
    input:
        truth=sample_truth,
        operator=sample_operator,
        learned=learned_file,
    output:
        "<results>/far/{sample}/coverage/toys_{xsec}_{draw}.h5",
    params:
        settings=lambda w: step_settings(sample=w.sample, **coverage_settings(w), toys=config["fit"]["toys"]),
        code=code_hash("nuinfer.steps.far_coverage_toys"),
    resources:
        mem_mb=grows(3000),
        runtime=grows(30),
    log:
        "<logs>/far_coverage_toys/{sample}_{xsec}_{draw}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.far_coverage_toys --truth {input.truth:q} --operator {input.operator:q}"
        " --learned {input.learned:q} --output {output:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule far_coverage:
    """Draw and fit some pseudo-experiments; keep at which level their regions hold the truth."""
    input:
        truth=sample_truth,
        operator=sample_operator,
        learned=lambda w: [f"<results>/closure/{s}/0/learned.h5" for s in sample_config(w)["coverage"]["studies"]],
        toys=lambda w: [f"<results>/far/{w.sample}/coverage/toys_{x}_0.h5" for x in coverage_xsecs(w)],
    output:
        "<results>/far/{sample}/coverage/{part}.h5",
    params:
        settings=lambda w: step_settings(
            sample=w.sample,
            **coverage_settings(w),
            xsecs=coverage_xsecs(w),
            range=fit_coverage_range(w),
            **{k: config["fit"][k] for k in ("coverage_bootstraps", "smearing_points")},
        ),
        code=code_hash("nuinfer.steps.far_coverage"),
    resources:
        mem_mb=grows(3000),
        runtime=grows(60),
    log:
        "<logs>/far_coverage/{sample}_{part}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.far_coverage --truth {input.truth:q} --operator {input.operator:q}"
        " --learned {input.learned:q} --toys {input.toys:q} --output {output:q}"
        " --settings {params.settings:q} 2>&1 | tee {log:q}"


rule far_coverage_summary:
    """How often the regions of a sample's pseudo-experiments hold the truth, and whether best fits are biased."""
    input:
        fit_coverage_parts,
    output:
        metrics="<results>/far/{sample}/coverage.json",
        arrays="<results>/far/{sample}/coverage.h5",
    params:
        settings=lambda w: step_settings(sample=w.sample, oscillation=sample_config(w)["truth"], xsecs=coverage_xsecs(w)),
        code=code_hash("nuinfer.steps.far_coverage_summary"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/far_coverage_summary/{sample}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.far_coverage_summary --parts {input:q} --metrics {output.metrics:q}"
        " --output {output.arrays:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule figures_fit:
    """Regions side by side, true and learned, in both parameters of the mixing angle, and by method."""
    input:
        fits=lambda w: fit_files(w.fit, "fit.h5"),
        regions=lambda w: fit_files(w.fit, "regions.h5"),
    output:
        expand("<results>/figures/fits/{{fit}}/{name}.pdf", name=FIT_FIGURES),
        pictures("<results>/figures/fits/{fit}", FIT_FIGURES, "fit_regions", "Oscillation", "fit {fit}"),
        captions="<results>/figures/fits/{fit}/captions.json",
    params:
        settings=lambda w: step_settings(
            label=FITS[w.fit].get("label", w.fit),
            entries=fit_entries(w.fit),
            truth=fit_truth(w.fit),
            methods=config["fit"]["methods"],
        ),
        code=code_hash("nuinfer.steps.figures_fit"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/figures_fit/{fit}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.figures_fit --fits {input.fits:q} --regions {input.regions:q}"
        " --captions {output.captions:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule figures_fit_coverage:
    """Coverage of a sample's regions against their level, and the pulls of its best fits, for every cross section."""
    input:
        arrays="<results>/far/{sample}/coverage.h5",
        metrics="<results>/far/{sample}/coverage.json",
    output:
        expand("<results>/figures/fits/coverage_{{sample}}/{name}_{{xsec}}.pdf", name=COVERAGE_FIGURES),
        pictures(
            "<results>/figures/fits/coverage_{sample}",
            {f"{name}_{{xsec}}": title for name, title in COVERAGE_FIGURES.items()},
            "fit_{}",
            "Oscillation",
            "coverage of {sample}",
            **{"cross section": "{xsec}"},
        ),
        captions="<results>/figures/fits/coverage_{sample}/{xsec}.json",
    params:
        settings=lambda w: step_settings(
            label=SAMPLES[w.sample].get("label", w.sample), xsec=w.xsec, xsec_label=cross_section_label(w.xsec)
        ),
        code=code_hash("nuinfer.steps.figures_fit_coverage"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/figures_fit_coverage/{sample}_{xsec}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.figures_fit_coverage --arrays {input.arrays:q} --metrics {input.metrics:q}"
        " --captions {output.captions:q} --settings {params.settings:q} 2>&1 | tee {log:q}"
