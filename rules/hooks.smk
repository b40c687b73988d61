# What happens around the jobs of a run: at its start, at its end, and where nothing is to be done.


def look_for_foreign():
    """Refuse results of another configuration that Snakemake would take, for want of notes; tell of those that it may take."""
    refused, taken = foreign.judged(workflow.dag, RerunTrigger.PARAMS in workflow.rerun_triggers)
    for line in taken:
        print(line, file=sys.stderr)
    if refused:
        raise WorkflowError(refused)


if workflow.is_main_process:
    # Where nothing is left to do, and in a dry run, onstart is not called.
    foreign.Told(logger, (NOTHING_TO_BE_DONE_MSG, "This was a dry-run"), look_for_foreign)


onstart:
    # First, so that a refusal leaves no record of the run's locks.
    look_for_foreign()
    # The names of the locks that this run holds, which Snakemake tells nobody; none with --nolock or another backend.
    locks.note_run(workflow.persistence.path, getattr(workflow.persistence, "_lockfile", {}).values())
    results = f"{config['pathvars']['results']}/"
    files = {str(f) for job in workflow.dag.jobs for f in (*job.input, *job.output) if str(f).startswith(results)}
    if ahead := mtimes.bring_back(sorted(files), time.time_ns()):
        print(f"results from the future, {len(ahead)}, now have the present time; the first: {ahead[0]}", file=sys.stderr)
    if not workflow.touch:
        lines.follow(
            logger,
            planned=Counter(job.rule.name for job in workflow.dag.needrun_jobs()),
            instant={rule.name for rule in workflow.rules if rule.norun},
            seconds_file=Path(workflow.persistence.path, "nuinfer_seconds.json"),
            key=config["pathvars"]["results"],
            quietness=Quietness.PROGRESS,
        )


onsuccess:
    lines.finish(logger)
    locks.forget_run(workflow.persistence.path)
    page = Path(config["pathvars"]["results"], "report.html")
    if page.is_file():
        print("report:", page.resolve())


onerror:
    lines.finish(logger)
    locks.forget_run(workflow.persistence.path)
    failed = sorted((job for each in workflow.scheduler.failed for job in (each.jobs if each.is_group() else [each])), key=str)
    if failed:
        print(f"failed jobs, {len(failed)}, and the log of each:", file=sys.stderr)
    for job in failed:
        print(f"  {job}:", *job.log, file=sys.stderr)
