# The posterior of one observation, next to the exact one, and what it predicts.


rule posterior:
    """Estimated, importance-corrected and exact posterior and the maximum-likelihood fit of one observation."""
    input:
        models=model_files,
        tensors=tensor_files,
        response=response_file,
        likelihood="<results>/tuning/{tune}/likelihood.h5",
        observation="<results>/tuning/{tune}/{observation}/observation.h5",
    output:
        samples="<results>/tuning/{tune}/{observation}/posterior.h5",
        table="<results>/tuning/{tune}/{observation}/posterior.json",
    params:
        settings=lambda w: step_settings(
            **config["posterior"],
            parameters=simulation_of(w)["parameters"],
            seed=SEED,
            tune=w.tune,
            observation=w.observation,
        ),
        code=code_hash("nuinfer.steps.posterior"),
    group:
        block("observed_{tune}")
    threads: 1
    resources:
        mem_mb=grows(4000),
        runtime=grows(30),
    log:
        "<logs>/posterior/{tune}_{observation}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.posterior --models {input.models:q} --response {input.response:q}"
        " --likelihood {input.likelihood:q} --observation {input.observation:q} --samples {output.samples:q}"
        " --table {output.table:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule predictive:
    """Prediction bands against the observation, p-value, and whether the simulation can produce the observation at all."""
    input:
        posterior="<results>/tuning/{tune}/{observation}/posterior.h5",
        response=response_file,
        likelihood="<results>/tuning/{tune}/likelihood.h5",
        held_out="<results>/tuning/{tune}/held_out.h5",
        observation="<results>/tuning/{tune}/{observation}/observation.h5",
    output:
        bands="<results>/tuning/{tune}/{observation}/predictive.h5",
        metrics="<results>/tuning/{tune}/{observation}/predictive.json",
    params:
        settings=lambda w: step_settings(
            **config["predictive"],
            parameters=simulation_of(w)["parameters"],
            seed=SEED,
            tune=w.tune,
            observation=w.observation,
        ),
        code=code_hash("nuinfer.steps.predictive"),
    group:
        block("observed_{tune}")
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/predictive/{tune}_{observation}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.predictive --posterior {input.posterior:q} --response {input.response:q}"
        " --likelihood {input.likelihood:q} --held-out {input.held_out:q} --observation {input.observation:q}"
        " --bands-file {output.bands:q} --metrics {output.metrics:q} --settings {params.settings:q} 2>&1 | tee {log:q}"
