# The estimator: trained once for a tune, used for any observation.


rule train:
    """Train one member of a tune's estimator; killed, it goes on from its last checkpoint."""
    input:
        simulations=simulations_file,
        likelihood="<results>/tuning/{tune}/likelihood.h5",
    output:
        model="<results>/tuning/{tune}/model_{member}/model.json",
        tensors="<results>/tuning/{tune}/model_{member}/model.safetensors",
    params:
        settings=lambda w: step_settings(
            estimator={k: v for k, v in estimator_of(w).items() if k != "members"},
            member=int(w.member),
            seed=SEED,
            tune=w.tune,
        ),
        code=code_hash("nuinfer.steps.train"),
    threads: 1
    resources:
        mem_mb=grows(4000),
        runtime=grows(30),
        gpu=0,
    log:
        "<logs>/train/{tune}_{member}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.train --simulations {input.simulations:q} --likelihood {input.likelihood:q}"
        " --model {output.model:q} --gpus {resources.gpu} --settings {params.settings:q} 2>&1 | tee {log:q}"
