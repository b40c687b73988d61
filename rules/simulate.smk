# The built-in generator's tabulated response; from it or from events': throws in chunks, one file of simulations.


rule response:
    """Tabulate the built-in generator's components in the measurement's bins."""
    wildcard_constraints:
        simulation=either(simulations_from("builtin")),
    input:
        flux=lambda w: simulation_config(w)["generator"]["flux"],
        binning=lambda w: simulation_config(w)["generator"]["binning"],
    output:
        "<results>/simulations/{simulation}/response.h5",
    params:
        settings=lambda w: step_settings(
            **{k: v for k, v in simulation_config(w)["generator"].items() if k not in ("flux", "binning")}
        ),
        code=code_hash("nuinfer.steps.response"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/response/{simulation}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.response --flux {input.flux:q} --binning {input.binning:q} --output {output:q}"
        " --settings {params.settings:q} 2>&1 | tee {log:q}"


rule simulate:
    """Throw one chunk of parameters and predict it."""
    wildcard_constraints:
        simulation=either(simulations_from(*RESPONSE_SOURCES)),
    input:
        "<results>/simulations/{simulation}/response.h5",
    output:
        "<results>/simulations/{simulation}/chunks/{chunk}.h5",
    params:
        settings=lambda w: step_settings(
            parameters=simulation_config(w)["parameters"],
            design=simulation_config(w)["throws"].get("design", "sobol"),
            n=simulation_config(w)["throws"][w.chunk.rsplit("_", 1)[0]],
            range=chunk_range(simulation_config(w)["throws"], w.chunk),
            simulation=w.simulation,
            seed=SEED,
        ),
        code=code_hash("nuinfer.steps.simulate"),
    group:
        block("throws_{simulation}")
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/simulate/{simulation}_{chunk}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.simulate --response {input:q} --output {output:q}"
        " --settings {params.settings:q} 2>&1 | tee {log:q}"


rule gather:
    """Gather the chunks into the one file of simulations, and prove that no throw occurs twice."""
    wildcard_constraints:
        simulation=either(simulations_from(*RESPONSE_SOURCES)),
    input:
        lambda w: [
            f"<results>/simulations/{w.simulation}/chunks/{name}.h5"
            for name in chunk_names(simulation_config(w)["throws"])
        ],
    output:
        "<results>/simulations/{simulation}/simulations.h5",
    params:
        settings=step_settings(),
        code=code_hash("nuinfer.steps.gather"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/gather/{simulation}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.gather --chunks {input:q} --output {output:q}"
        " --settings {params.settings:q} 2>&1 | tee {log:q}"
