# Tunes of different measurements against each other.


rule tension:
    """Predict each measurement from the posterior of each other one: a matrix of p-values, tested on pseudo-data."""
    input:
        posteriors=tension_files("<results>/tuning/{tune}/measured/posterior.h5"),
        predictives=tension_files("<results>/tuning/{tune}/measured/predictive.json"),
        likelihoods=tension_files("<results>/tuning/{tune}/likelihood.h5"),
        observations=tension_files("<results>/tuning/{tune}/measured/observation.h5"),
        responses=tension_responses,
        models=tension_models,
        tensors=lambda w: [path.replace("model.json", "model.safetensors") for path in tension_models(w)],
        held_out=lambda w: f"<results>/tuning/{config['tensions'][w.tension]['tunes'][0]}/held_out.h5",
        whole=tension_whole,
    output:
        "<results>/tensions/{tension}/tension.json",
    params:
        settings=lambda w: step_settings(
            tension=w.tension,
            tunes=config["tensions"][w.tension]["tunes"],
            labels=[TUNES[t].get("label", t) for t in config["tensions"][w.tension]["tunes"]],
            members=tension_members(w),
            draws=config["tensions"][w.tension]["draws"],
            pseudo_experiments=config["tensions"][w.tension]["pseudo_experiments"],
            parameters=config["simulations"][TUNES[config["tensions"][w.tension]["tunes"][0]]["simulation"]]["parameters"],
            seed=SEED,
        ),
        code=code_hash("nuinfer.steps.tension"),
    threads: 1
    resources:
        mem_mb=grows(4000),
        runtime=grows(30),
    log:
        "<logs>/tension/{tension}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.tension --posteriors {input.posteriors:q} --predictives {input.predictives:q}"
        " --likelihoods {input.likelihoods:q} --observations {input.observations:q} --responses {input.responses:q}"
        " --models {input.models:q} --held-out {input.held_out:q} --whole {input.whole:q} --output {output:q}"
        " --settings {params.settings:q} 2>&1 | tee {log:q}"


rule figures_tension:
    """The matrix of p-values, and the p-values of pseudo-data."""
    input:
        "<results>/tensions/{tension}/tension.json",
    output:
        expand("<results>/figures/tensions/{{tension}}/{name}.pdf", name=TENSION_FIGURES),
        pictures("<results>/figures/tensions/{tension}", TENSION_FIGURES, "tension_{}", "Tensions", "{tension}"),
        captions="<results>/figures/tensions/{tension}/captions.json",
    params:
        settings=step_settings(),
        code=code_hash("nuinfer.steps.figures_tension"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/figures_tension/{tension}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.figures_tension --tension {input:q} --captions {output.captions:q}"
        " --settings {params.settings:q} 2>&1 | tee {log:q}"
