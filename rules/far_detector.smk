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
    resources:
        mem_mb=2000,
    wildcard_constraints:
        sample=either(DRAWN_SAMPLES),
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
            columns=sample_config(w)["table"]["columns"], smearing=sample_config(w).get("smearing")
        ),
        code=code_hash("nuinfer.steps.far_table"),
    wildcard_constraints:
        sample=either(TABLE_SAMPLES),
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
        mem_mb=3000,
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
    resources:
        mem_mb=3000,
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
    resources:
        mem_mb=3000,
        runtime=30,
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
    log:
        "<logs>/fit_comparison/{fit}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.fit_comparison --fits {input.fits:q} --regions {input.regions:q} --output {output:q}"
        " --settings {params.settings:q} 2>&1 | tee {log:q}"
