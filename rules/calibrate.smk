# How far to trust an estimator: held-out throws, sampled in one pass, beside their exact posteriors.


rule exact_held_out:
    """The exact posterior of every held-out throw by importance sampling; needs no estimator."""
    input:
        response=response_file,
        likelihood="<results>/tuning/{tune}/likelihood.h5",
        held_out="<results>/tuning/{tune}/held_out.h5",
    output:
        "<results>/tuning/{tune}/exact.h5",
    params:
        settings=lambda w: step_settings(
            events=config["calibration"]["exact_events"],
            parameters=simulation_of(w)["parameters"],
            seed=SEED,
            tune=w.tune,
        ),
        code=code_hash("nuinfer.steps.exact_held_out"),
    group:
        block("tune_{tune}")
    resources:
        mem_mb=grows(4000),
        runtime=grows(30),
    log:
        "<logs>/exact_held_out/{tune}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.exact_held_out --response {input.response:q} --likelihood {input.likelihood:q}"
        " --held-out {input.held_out:q} --output {output:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule calibrate:
    """Coverage, SBC, TARP, residuals, leakage, and the gap to the exact posterior, from one sampling pass."""
    input:
        models=model_files,
        tensors=tensor_files,
        response=response_file,
        likelihood="<results>/tuning/{tune}/likelihood.h5",
        held_out="<results>/tuning/{tune}/held_out.h5",
        exact="<results>/tuning/{tune}/exact.h5",
    output:
        arrays="<results>/tuning/{tune}/calibration.h5",
        metrics="<results>/tuning/{tune}/calibration.json",
    params:
        settings=lambda w: step_settings(
            samples=config["calibration"]["samples"],
            parameters=simulation_of(w)["parameters"],
            seed=SEED,
            tune=w.tune,
        ),
        code=code_hash("nuinfer.steps.calibrate"),
    group:
        block("tune_{tune}")
    threads: 1
    resources:
        mem_mb=grows(6000),
        runtime=grows(30),
    log:
        "<logs>/calibrate/{tune}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.calibrate --models {input.models:q} --response {input.response:q}"
        " --likelihood {input.likelihood:q} --held-out {input.held_out:q} --exact {input.exact:q}"
        " --arrays {output.arrays:q} --metrics {output.metrics:q} --settings {params.settings:q} 2>&1 | tee {log:q}"
