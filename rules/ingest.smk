# Sources that are not the built-in generator: event samples that become a response, and throws that exist already.


rule event_response:
    """Make per-bin response functions of event samples, each curve checked by leaving its values out one by one."""
    wildcard_constraints:
        simulation=either(simulations_from("events")),
    input:
        samples=lambda w: [s["path"] for _, s in sorted(simulation_config(w)["events"]["samples"].items())],
        binning=lambda w: simulation_config(w)["bins"]["path"],
    output:
        response="<results>/simulations/{simulation}/response.h5",
        checks="<results>/simulations/{simulation}/response.json",
    params:
        settings=lambda w: step_settings(
            drop_momentum_overflow=simulation_config(w)["bins"]["drop_momentum_overflow"],
            **simulation_config(w)["events"],
        ),
        code=code_hash("nuinfer.steps.event_response"),
    resources:
        mem_mb=grows(4000),
        runtime=grows(30),
    log:
        "<logs>/event_response/{simulation}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.event_response --samples {input.samples:q} --binning {input.binning:q}"
        " --response {output.response:q} --checks {output.checks:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule read_throws:
    """Read one part of a source's throws: tables, or NUISANCE's files."""
    wildcard_constraints:
        simulation=either(simulations_from("throws", "nuisance", "genie")),
    input:
        read_inputs,
        binning=lambda w: simulation_config(w)["bins"]["path"],
    output:
        "<results>/simulations/{simulation}/raw/{part}.h5",
    params:
        settings=lambda w: step_settings(**read_settings(w)),
        code=code_hash("nuinfer.steps.read_throws"),
    resources:
        mem_mb=grows(4000),
        runtime=grows(30),
    log:
        "<logs>/read_throws/{simulation}_{part}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.read_throws --binning {input.binning:q} --output {output:q}"
        " --settings {params.settings:q} 2>&1 | tee {log:q}"


rule ingest:
    """Check throws, turn dials into physical values, compare them with their priors, and split them."""
    wildcard_constraints:
        simulation=either(simulations_from("throws", "nuisance", "genie")),
    input:
        parts=lambda w: [f"<results>/simulations/{w.simulation}/raw/{i}.h5" for i in range(n_parts(w))],
        binning=lambda w: simulation_config(w)["bins"]["path"],
    output:
        simulations="<results>/simulations/{simulation}/simulations.h5",
        report="<results>/simulations/{simulation}/ingest.json",
    params:
        settings=lambda w: step_settings(
            parameters=simulation_config(w)["parameters"],
            convention=simulation_config(w)[section_of(w)]["convention"],
            units=simulation_config(w)[section_of(w)].get("units", "cm2"),
            counts=split_counts(w),
            drop_momentum_overflow=simulation_config(w)["bins"]["drop_momentum_overflow"],
            on_bad_throw=simulation_config(w)["on_bad_throw"],
            check_prior=simulation_config(w)["check_prior"],
            simulation=w.simulation,
            seed=SEED,
        ),
        code=code_hash("nuinfer.steps.ingest"),
    resources:
        mem_mb=grows(4000),
        runtime=grows(30),
    log:
        "<logs>/ingest/{simulation}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.ingest --parts {input.parts:q} --binning {input.binning:q} --simulations {output.simulations:q}"
        " --report {output.report:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule surrogate:
    """Fit a response to throws: polynomials whose error is measured on throws that they did not see."""
    wildcard_constraints:
        simulation=either(simulations_from("throws", "nuisance", "genie")),
    input:
        simulations="<results>/simulations/{simulation}/simulations.h5",
        report="<results>/simulations/{simulation}/ingest.json",
    output:
        response="<results>/simulations/{simulation}/response.h5",
        checks="<results>/simulations/{simulation}/response.json",
    params:
        settings=lambda w: step_settings(max_degree=simulation_config(w)["max_degree"]),
        code=code_hash("nuinfer.steps.surrogate"),
    resources:
        mem_mb=grows(4000),
        runtime=grows(30),
    log:
        "<logs>/surrogate/{simulation}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.surrogate --simulations {input.simulations:q} --report {input.report:q}"
        " --response {output.response:q} --checks {output.checks:q} --settings {params.settings:q} 2>&1 | tee {log:q}"
