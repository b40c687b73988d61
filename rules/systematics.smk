# Systematic ensembles: every draw of a study fitted, regions united, their coverage; and scans of networks.


rule member:
    """Fit one draw to the far detector, with its learned cross section and with the true one in its flux."""
    input:
        unpack(member_inputs),
    output:
        "<results>/far/{sample}/{xsec}/{draw}/member.h5",
    params:
        settings=member_settings,
        code=code_hash("nuinfer.steps.member"),
    group:
        block("draws_{xsec}")
    resources:
        mem_mb=grows(3000),
        runtime=grows(10),
    log:
        "<logs>/member/{sample}_{xsec}_{draw}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.member --truth {input.truth:q} --operator {input.operator:q} --events {input.events:q}"
        " --at-events {input.at_events:q} --near {input.near:q} --learned {input.learned:q}"
        " --output {output:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule union:
    """Unite the regions of an ensemble, and compare them with statistics alone."""
    input:
        reference=lambda w: true_member(ensemble_config(w)["sample"]),
        members=member_files,
    output:
        metrics="<results>/ensembles/{ensemble}/union.json",
        arrays="<results>/ensembles/{ensemble}/union.h5",
    params:
        settings=lambda w: step_settings(ensemble=w.ensemble, member_methods=config["fit"]["member_methods"]),
        code=code_hash("nuinfer.steps.union"),
    resources:
        mem_mb=grows(3000),
        runtime=grows(30),
    log:
        "<logs>/union/{ensemble}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.union --reference {input.reference:q} --members {input.members:q}"
        " --metrics {output.metrics:q} --output {output.arrays:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule closed_form:
    """Marginalise an ensemble's systematics in closed form."""
    input:
        truth=ensemble_truth,
        operator=ensemble_operator,
        flux_shapes=ensemble_flux_shapes,
        events=ensemble_events,
    output:
        metrics="<results>/ensembles/{ensemble}/closed_form.json",
        arrays="<results>/ensembles/{ensemble}/closed_form.h5",
    params:
        settings=lambda w: world_settings(w, "n_sin2", "n_dm31", truth_known=ensemble_config(w)["sample"] in DRAWN_SAMPLES),
        code=code_hash("nuinfer.steps.closed_form"),
    resources:
        mem_mb=grows(6000),
        runtime=grows(30),
    log:
        "<logs>/closed_form/{ensemble}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.closed_form --truth {input.truth:q} --operator {input.operator:q} --flux-shapes {input.flux_shapes:q}"
        " --events {input.events:q} --metrics {output.metrics:q}"
        " --output {output.arrays:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule universe_toys:
    """Throw the pseudo-experiments behind the likelihood ratios of universes."""
    input:
        truth=ensemble_truth,
        operator=ensemble_operator,
        flux_shapes=ensemble_flux_shapes,
    output:
        statistical="<results>/ensembles/{ensemble}/toys_statistical.h5",
        systematic="<results>/ensembles/{ensemble}/toys_systematic.h5",
    params:
        settings=lambda w: world_settings(w, "toys"),
        code=code_hash("nuinfer.steps.universe_toys"),
    resources:
        mem_mb=grows(6000),
        runtime=grows(30),
    log:
        "<logs>/universe_toys/{ensemble}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.universe_toys --truth {input.truth:q} --operator {input.operator:q} --flux-shapes {input.flux_shapes:q}"
        " --statistical {output.statistical:q} --systematic {output.systematic:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule universes:
    """Draw some universes, analyse each with a whole ensemble, keep at which level its regions hold the truth."""
    input:
        truth=ensemble_truth,
        operator=ensemble_operator,
        flux_shapes=ensemble_flux_shapes,
        statistical="<results>/ensembles/{ensemble}/toys_statistical.h5",
        systematic="<results>/ensembles/{ensemble}/toys_systematic.h5",
    output:
        "<results>/ensembles/{ensemble}/universes/{part}.h5",
    params:
        settings=lambda w: world_settings(
            w,
            "member_methods",
            "universe_bootstraps",
            members=STUDIES[ensemble_config(w)["study"]]["draws"],
            varies=STUDIES[ensemble_config(w)["study"]]["varies"],
            range=universe_range(w),
        ),
        code=code_hash("nuinfer.steps.universes"),
    resources:
        mem_mb=grows(6000),
        runtime=grows(60),
    log:
        "<logs>/universes/{ensemble}_{part}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.universes --truth {input.truth:q} --operator {input.operator:q} --flux-shapes {input.flux_shapes:q}"
        " --statistical {input.statistical:q} --systematic {input.systematic:q}"
        " --output {output:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule universes_summary:
    """How often the united regions of an ensemble hold the truth, and what does better."""
    input:
        parts=universe_parts,
        statistical="<results>/ensembles/{ensemble}/toys_statistical.h5",
    output:
        metrics="<results>/ensembles/{ensemble}/coverage.json",
        arrays="<results>/ensembles/{ensemble}/coverage.h5",
    params:
        settings=lambda w: step_settings(ensemble=w.ensemble, truth=ensemble_point(w.ensemble)),
        code=code_hash("nuinfer.steps.universes_summary"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/universes_summary/{ensemble}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.universes_summary --parts {input.parts:q} --statistical {input.statistical:q} --metrics {output.metrics:q}"
        " --output {output.arrays:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule scan:
    """Gather a scan of a network's size and of the number of bins."""
    input:
        reference=lambda w: true_member(SCANS[w.scan]["sample"]),
        comparisons=lambda w: scan_files(w, "<results>/closure/{study}/0/comparison.json"),
        members=lambda w: scan_files(w, "<results>/far/{sample}/{study}/0/member.h5"),
    output:
        "<results>/scans/{scan}/scan.json",
    params:
        settings=lambda w: step_settings(scan=w.scan, points=scan_points(SCANS[w.scan])),
        code=code_hash("nuinfer.steps.scan"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/scan/{scan}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.scan --reference {input.reference:q} --comparisons {input.comparisons:q} --members {input.members:q}"
        " --output {output:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule figures_flux:
    """The components of an experiment's flux uncertainty, and draws of it."""
    input:
        truth="<results>/experiments/{experiment}/truth.h5",
        flux_shapes=lambda w: experiment_config(w)["flux_shapes"],
    output:
        expand("<results>/figures/flux/{{experiment}}/{name}.pdf", name=FLUX_FIGURES),
        pictures("<results>/figures/flux/{experiment}", FLUX_FIGURES, "flux_{}", "Systematics", "flux of {experiment}"),
        captions="<results>/figures/flux/{experiment}/captions.json",
    params:
        settings=lambda w: step_settings(
            label=experiment_label(w), experiment=w.experiment, draws=min(6, varied_experiments()[w.experiment]), seed=SEED
        ),
        code=code_hash("nuinfer.steps.figures_flux"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/figures_flux/{experiment}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.figures_flux --truth {input.truth:q} --flux-shapes {input.flux_shapes:q}"
        " --captions {output.captions:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule figures_ensemble:
    """Members, united regions, and the closed form beside them."""
    input:
        references=reference_files,
        members=member_files,
        union="<results>/ensembles/{ensemble}/union.h5",
    output:
        expand("<results>/figures/ensembles/{{ensemble}}/{name}.pdf", name=ENSEMBLE_FIGURES),
        pictures(
            "<results>/figures/ensembles/{ensemble}", ENSEMBLE_FIGURES, "ensemble_{}", "Systematics", "ensemble {ensemble}"
        ),
        captions="<results>/figures/ensembles/{ensemble}/captions.json",
    params:
        settings=lambda w: step_settings(
            label=ensemble_label(w.ensemble),
            methods=config["fit"]["member_methods"],
            truth=ensemble_point(w.ensemble),
            reference=reference_label(w.ensemble),
        ),
        code=code_hash("nuinfer.steps.figures_ensemble"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/figures_ensemble/{ensemble}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.figures_ensemble --references {input.references:q} --members {input.members:q} --union {input.union:q}"
        " --captions {output.captions:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule figures_roads:
    """An ensemble's united regions beside those with systematics marginalised in closed form."""
    input:
        union="<results>/ensembles/{ensemble}/union.h5",
        closed_form="<results>/ensembles/{ensemble}/closed_form.h5",
    output:
        expand("<results>/figures/ensembles/{{ensemble}}/{name}.pdf", name=ROAD_FIGURES),
        pictures(
            "<results>/figures/ensembles/{ensemble}", ROAD_FIGURES, "ensemble_roads", "Systematics", "ensemble {ensemble}"
        ),
        captions="<results>/figures/ensembles/{ensemble}/roads.json",
    params:
        settings=lambda w: step_settings(
            label=ensemble_label(w.ensemble),
            methods=config["fit"]["member_methods"],
            truth=ensemble_point(w.ensemble),
            members=STUDIES[ensemble_config(w)["study"]]["draws"],
        ),
        code=code_hash("nuinfer.steps.figures_roads"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/figures_roads/{ensemble}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.figures_roads --union {input.union:q} --closed-form {input.closed_form:q}"
        " --captions {output.captions:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule figures_universes:
    """Coverage of an ensemble's united regions, and against the fraction of members demanded."""
    input:
        arrays="<results>/ensembles/{ensemble}/coverage.h5",
        metrics="<results>/ensembles/{ensemble}/coverage.json",
    output:
        expand("<results>/figures/ensembles/{{ensemble}}/{name}.pdf", name=UNIVERSE_FIGURES),
        pictures(
            "<results>/figures/ensembles/{ensemble}", UNIVERSE_FIGURES, "ensemble_{}", "Systematics", "ensemble {ensemble}"
        ),
        captions="<results>/figures/ensembles/{ensemble}/coverage.json",
    params:
        settings=lambda w: step_settings(label=ensemble_label(w.ensemble)),
        code=code_hash("nuinfer.steps.figures_universes"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/figures_universes/{ensemble}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.figures_universes --arrays {input.arrays:q} --metrics {input.metrics:q}"
        " --captions {output.captions:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule figure_scan:
    """A scan of a network's size and of the number of bins."""
    input:
        "<results>/scans/{scan}/scan.json",
    output:
        "<results>/figures/scans/{scan}/scan.pdf",
        pictures("<results>/figures/scans/{scan}", {"scan": "size and bins"}, "scan", "Systematics", "scan {scan}"),
        captions="<results>/figures/scans/{scan}/captions.json",
    params:
        settings=lambda w: step_settings(label=SCANS[w.scan].get("label", w.scan), featured=featured(w.scan)),
        code=code_hash("nuinfer.steps.figure_scan"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/figure_scan/{scan}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.figure_scan --scan {input:q}"
        " --captions {output.captions:q} --settings {params.settings:q} 2>&1 | tee {log:q}"
