# Throws made by GENIE and NUISANCE on a batch system: events once, then chunks of cards, each predicted by nuiscomp.
# Snakemake compares no params that are made of inputs or outputs with those of an earlier run: hence `compared`.


rule generate:
    """Generate events with GENIE."""
    wildcard_constraints:
        simulation=either(simulations_from("genie")),
    input:
        splines=lambda w: genie_of(w)["splines"],
        flux=lambda w: genie_of(w)["flux"].rpartition(",")[0],
    output:
        "<results>/production/{simulation}/events.ghep.root",
    params:
        guard=lambda w: program_shell("gevgen"),
        command=lambda w, output: gevgen(w, output[0]),
        compared=lambda w: gevgen(w, "OUTPUT"),
    resources:
        mem_mb=grows(4000),
        runtime=grows(1440),
    log:
        "<logs>/generate/{simulation}.log",
    conda:
        "../envs/nuinfer.yaml"
    container:
        config["programs"].get("container", False)
    envmodules:
        *config["programs"]["envmodules"],
    shell:
        "({params.guard}\n{params.command}) 2>&1 | tee {log:q}"


rule prepare:
    """Give GENIE's events the flux and rate that NUISANCE needs."""
    wildcard_constraints:
        simulation=either(simulations_from("genie")),
    input:
        events="<results>/production/{simulation}/events.ghep.root",
        flux=lambda w: genie_of(w)["flux"].rpartition(",")[0],
    output:
        "<results>/production/{simulation}/events.nuis.root",
    params:
        guard=lambda w: program_shell("prepare"),
        command=lambda w, input, output: prepare_events(w, input.events, output[0]),
        compared=lambda w: prepare_events(w, "INPUT", "OUTPUT"),
    resources:
        mem_mb=grows(4000),
        runtime=grows(120),
    log:
        "<logs>/prepare/{simulation}.log",
    conda:
        "../envs/nuinfer.yaml"
    container:
        config["programs"].get("container", False)
    envmodules:
        *config["programs"]["envmodules"],
    shell:
        "({params.guard}\n{params.command}) 2>&1 | tee {log:q}"


rule cards:
    """Write the card of one chunk, and a line with the dials of each of its throws."""
    wildcard_constraints:
        simulation=either(simulations_from("genie")),
    output:
        card="<results>/production/{simulation}/{part}/card.xml",
        throws="<results>/production/{simulation}/{part}/throws.txt",
    params:
        settings=lambda w: step_settings(**card_entry(w)),
        code=code_hash("nuinfer.steps.cards"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    log:
        "<logs>/cards/{simulation}_{part}.log",
    conda:
        "../envs/nuinfer.yaml"
    shell:
        "python -m nuinfer.steps.cards --output-card {output.card:q} --output-throws {output.throws:q}"
        " --settings {params.settings:q} 2>&1 | tee {log:q}"


rule nuiscomp:
    """Predict every throw of one chunk; killed, the same command goes on with the throws that are missing."""
    wildcard_constraints:
        simulation=either(simulations_from("genie")),
    input:
        card="<results>/production/{simulation}/{part}/card.xml",
        throws="<results>/production/{simulation}/{part}/throws.txt",
        events=genie_events_file,
    output:
        "<results>/production/{simulation}/{part}/files.txt",
    params:
        guard=lambda w: program_shell("nuiscomp"),
        command=lambda w, input, output: predict_throws(w, input, output[0]),
        compared=lambda w: [config["programs"]["nuiscomp"], genie_of(w).get("max_events")],
    resources:
        mem_mb=grows(4000),
        runtime=grows(1440),
    log:
        "<logs>/nuiscomp/{simulation}_{part}.log",
    conda:
        "../envs/nuinfer.yaml"
    container:
        config["programs"].get("container", False)
    envmodules:
        *config["programs"]["envmodules"],
    shell:
        "({params.guard}\n{params.command}) 2>&1 | tee {log:q}"
