# Measurements, checked as they are read, and the observations that a tune looks at.


rule measurement:
    """Read and check a measurement: binning, values, covariances."""
    input:
        measurement_inputs,
    output:
        "<results>/measurements/{measurement}.h5",
    params:
        settings=lambda w: step_settings(name=w.measurement, measurement=measurement_config(w), seed=SEED),
        code=code_hash("nuinfer.steps.measurement"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/measurement/{measurement}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.measurement --files {input:q} --output {output:q}"
        " --settings {params.settings:q} 2>&1 | tee {log:q}"


rule likelihood:
    """What a tune's observations scatter by, and its held-out throws with that scatter."""
    input:
        simulations=simulations_file,
        response=response_file,
        measurement=measurement_file,
    output:
        likelihood="<results>/tuning/{tune}/likelihood.h5",
        held_out="<results>/tuning/{tune}/held_out.h5",
    params:
        settings=lambda w: step_settings(
            mode=TUNES[w.tune]["mode"],
            likelihood=TUNES[w.tune].get("likelihood"),
            n_events=simulation_of(w)["n_events"],
            simulation_statistics=TUNES[w.tune]["simulation_statistics"],
            events=config["calibration"]["events"],
            seed=SEED,
            tune=w.tune,
        ),
        code=code_hash("nuinfer.steps.likelihood"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/likelihood/{tune}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.likelihood --simulations {input.simulations:q} --response {input.response:q}"
        " --measurement {input.measurement:q} --likelihood {output.likelihood:q} --held-out {output.held_out:q}"
        " --settings {params.settings:q} 2>&1 | tee {log:q}"


rule observation:
    """One observation of a tune: a mock at known parameters, or the tune's measurement."""
    input:
        response=response_file,
        likelihood="<results>/tuning/{tune}/likelihood.h5",
        measurement=measurement_file,
    output:
        "<results>/tuning/{tune}/{observation}/observation.h5",
    params:
        settings=lambda w: step_settings(
            name=w.observation,
            observation=config["observations"][w.observation],
            parameters=simulation_of(w)["parameters"],
            source=source_label(w),
            seed=SEED,
            tune=w.tune,
        ),
        code=code_hash("nuinfer.steps.observation"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/observation/{tune}_{observation}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.observation --response {input.response:q} --likelihood {input.likelihood:q}"
        " --measurement {input.measurement:q} --output {output:q} --settings {params.settings:q} 2>&1 | tee {log:q}"
