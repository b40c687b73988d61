# Cross sections learned at the near detector: the truth, its data, learners, and how well they predict the far detector.


rule operator:
    """Build an experiment's sparse map from structure functions and flux to counts in bins."""
    input:
        flux=lambda w: experiment_config(w)["flux"]["path"],
    output:
        "<results>/experiments/{experiment}/operator.h5",
    params:
        settings=lambda w: step_settings(**experiment_settings(w.experiment)),
        code=code_hash("nuinfer.steps.operator"),
    resources:
        mem_mb=grows(3000),
        runtime=grows(30),
    log:
        "<logs>/operator/{experiment}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.operator --flux {input.flux:q} --output {output:q}"
        " --settings {params.settings:q} 2>&1 | tee {log:q}"


rule truth:
    """Evaluate an experiment's true cross section at every quadrature node."""
    input:
        flux=lambda w: experiment_config(w)["flux"]["path"],
        partons=lambda w: parton_files(experiment_config(w)["partons"]),
        operator="<results>/experiments/{experiment}/operator.h5",
    output:
        "<results>/experiments/{experiment}/truth.h5",
    params:
        settings=lambda w: step_settings(**truth_settings(w.experiment)),
        code=code_hash("nuinfer.steps.truth"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/truth/{experiment}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.truth --flux {input.flux:q} --partons {input.partons:q}"
        " --operator {input.operator:q} --output {output:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule learn:
    """Draw a study's near-detector data, or take their expectation, and learn a cross section from them alone."""
    input:
        unpack(learn_inputs),
    output:
        near="<results>/closure/{study}/{draw}/near.h5",
        learned="<results>/closure/{study}/{draw}/learned.h5",
    params:
        settings=learn_settings,
        code=code_hash("nuinfer.steps.learn"),
    group:
        block("draws_{study}")
    resources:
        mem_mb=grows(3000),
        runtime=grows(20),
        gpu=0,
    log:
        "<logs>/learn/{study}_{draw}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.learn --truth {input.truth:q} --operator {input.operator:q}"
        " --flux-shapes {input.flux_shapes:q} --near {output.near:q} --output {output.learned:q}"
        " --gpus {resources.gpu} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule closure_comparison:
    """Compare a learned cross section with the truth at both detectors."""
    input:
        truth=truth_file,
        operator=operator_file,
        learned="<results>/closure/{study}/{draw}/learned.h5",
    output:
        metrics="<results>/closure/{study}/{draw}/comparison.json",
        arrays="<results>/closure/{study}/{draw}/comparison.h5",
    params:
        settings=lambda w: step_settings(
            enu_gev=config["closure"]["slices_gev"],
            oscillation=oscillation_of(w),
            events=study_config(w).get("events"),
            study=w.study,
            draw=int(w.draw),
        ),
        code=code_hash("nuinfer.steps.closure_comparison"),
    group:
        block("compared_{study}")
    resources:
        mem_mb=grows(3000),
        runtime=grows(30),
    log:
        "<logs>/closure_comparison/{study}_{draw}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.closure_comparison --truth {input.truth:q} --operator {input.operator:q}"
        " --learned {input.learned:q} --metrics {output.metrics:q} --output {output.arrays:q}"
        " --settings {params.settings:q} 2>&1 | tee {log:q}"


rule band_coverage:
    """Fit some draws of a coverage study; keep which far-detector bins their bands cover."""
    input:
        truth=truth_file,
        operator=operator_file,
    output:
        "<results>/closure/{study}/coverage/{part}.h5",
    params:
        settings=lambda w: step_settings(
            learner=learner_of(w.study),
            experiment=study_config(w)["experiment"],
            events=study_config(w)["events"],
            smearing=study_config(w).get("smearing"),
            oscillation=oscillation_of(w),
            range=coverage_range(w),
            study=w.study,
            seed=SEED,
        ),
        code=code_hash("nuinfer.steps.band_coverage"),
    resources:
        mem_mb=grows(4000),
        runtime=grows(60),
    log:
        "<logs>/band_coverage/{study}_{part}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.band_coverage --truth {input.truth:q} --operator {input.operator:q}"
        " --output {output:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule band_coverage_summary:
    """The coverage of a study's far-detector bands over all its draws."""
    input:
        coverage_parts,
    output:
        metrics="<results>/closure/{study}/coverage.json",
        arrays="<results>/closure/{study}/coverage.h5",
    params:
        settings=lambda w: step_settings(study=w.study, events=study_config(w)["events"]),
        code=code_hash("nuinfer.steps.band_coverage_summary"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/band_coverage_summary/{study}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.band_coverage_summary --parts {input:q} --metrics {output.metrics:q}"
        " --output {output.arrays:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule figures_study:
    """Figures of one study: densities, marginals, differential cross sections, true and learned."""
    input:
        arrays="<results>/closure/{study}/0/comparison.h5",
        metrics="<results>/closure/{study}/0/comparison.json",
    output:
        expand("<results>/figures/closure/{{study}}/{name}.pdf", name=STUDY_FIGURES),
        pictures("<results>/figures/closure/{study}", STUDY_FIGURES, "study_{}", "Closure", "study {study}"),
        captions="<results>/figures/closure/{study}/captions.json",
    params:
        settings=lambda w: step_settings(label=study_config(w).get("label", w.study)),
        code=code_hash("nuinfer.steps.figures_study"),
    group:
        block("compared_{study}")
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/figures_study/{study}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.figures_study --arrays {input.arrays:q} --metrics {input.metrics:q}"
        " --captions {output.captions:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule figure_functions:
    """Structure functions of one study, true and learned, and the events that they bring."""
    input:
        arrays="<results>/closure/{study}/0/comparison.h5",
    output:
        "<results>/figures/closure/{study}/functions.pdf",
        pictures(
            "<results>/figures/closure/{study}", {"functions": "structure functions"}, "study_{}", "Closure", "study {study}"
        ),
        captions="<results>/figures/closure/{study}/functions.json",
    params:
        settings=lambda w: step_settings(label=study_config(w).get("label", w.study)),
        code=code_hash("nuinfer.steps.figure_functions"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/figure_functions/{study}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.figure_functions --arrays {input.arrays:q} --captions {output.captions:q}"
        " --settings {params.settings:q} 2>&1 | tee {log:q}"


rule figure_bands:
    """Coverage of a study's far-detector bands against their level."""
    input:
        arrays="<results>/closure/{study}/coverage.h5",
        metrics="<results>/closure/{study}/coverage.json",
    output:
        "<results>/figures/closure/{study}/bands.pdf",
        pictures("<results>/figures/closure/{study}", {"bands": "coverage of bands"}, "study_{}", "Closure", "study {study}"),
        captions="<results>/figures/closure/{study}/bands.json",
    params:
        settings=lambda w: step_settings(label=study_config(w).get("label", w.study)),
        code=code_hash("nuinfer.steps.figure_bands"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/figure_bands/{study}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.figure_bands --arrays {input.arrays:q} --metrics {input.metrics:q}"
        " --captions {output.captions:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule figure_total:
    """Total cross sections of an experiment's learners beside the truth."""
    input:
        arrays=lambda w: first_draws(w.experiment, "comparison.h5"),
    output:
        "<results>/figures/experiments/{experiment}/total.pdf",
        pictures(
            "<results>/figures/experiments/{experiment}",
            {"total": "total cross sections"},
            "experiment_{}",
            "Closure",
            "experiment {experiment}",
        ),
        captions="<results>/figures/experiments/{experiment}/total.json",
    params:
        settings=lambda w: step_settings(labels=study_labels(w.experiment), label=experiment_label(w)),
        code=code_hash("nuinfer.steps.figure_total"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/figure_total/{experiment}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.figure_total --arrays {input.arrays:q} --captions {output.captions:q}"
        " --settings {params.settings:q} 2>&1 | tee {log:q}"


rule figure_losses:
    """Training losses of an experiment's networks."""
    input:
        arrays=lambda w: first_draws(w.experiment, "comparison.h5", *NETWORKS),
    output:
        "<results>/figures/experiments/{experiment}/losses.pdf",
        pictures(
            "<results>/figures/experiments/{experiment}",
            {"losses": "training losses"},
            "experiment_{}",
            "Closure",
            "experiment {experiment}",
        ),
        captions="<results>/figures/experiments/{experiment}/losses.json",
    params:
        settings=lambda w: step_settings(labels=study_labels(w.experiment, *NETWORKS), label=experiment_label(w)),
        code=code_hash("nuinfer.steps.figure_losses"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/figure_losses/{experiment}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.figure_losses --arrays {input.arrays:q} --captions {output.captions:q}"
        " --settings {params.settings:q} 2>&1 | tee {log:q}"


rule closure_cost:
    """What the first study's operator and training cost by the number of bins, beside the direct evaluation."""
    input:
        lambda w: config["experiments"][EXPERIMENTS[0]]["flux"]["path"],
    output:
        "<results>/closure_cost/cost.pdf",
        pictures("<results>/closure_cost", {"cost": "CPU time by bins"}, "closure_cost", "Closure", "cost"),
        metrics="<results>/closure_cost/cost.json",
        captions="<results>/closure_cost/cost_captions.json",
    params:
        settings=lambda w: step_settings(
            cost_bins=config["closure"]["cost_bins"], **experiment_settings(EXPERIMENTS[0])
        ),
        code=code_hash("nuinfer.steps.closure_cost"),
    resources:
        mem_mb=grows(4000),
        runtime=grows(30),
    log:
        "<logs>/closure_cost.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.closure_cost --flux {input:q} --metrics {output.metrics:q}"
        " --captions {output.captions:q} --settings {params.settings:q} 2>&1 | tee {log:q}"
