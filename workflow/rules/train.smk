# Only the values and the input files of a training make it run again: its key does not depend on code, comments, titles
# or time stamps. run.json has the code version, and the comparison marks rows with other code. The resume checkpoint is
# not an output, since Snakemake deletes outputs of killed jobs.
rule train:
    input:
        train=PLAN.data.split_annotations(PLAN.study.train),
        validation=PLAN.data.split_annotations(PLAN.study.validation),
        backbone=lambda wildcards: given(
            PLAN.training.backbone_weights(wildcards.variant)
        ),
        initial=lambda wildcards: given(
            PLAN.training.initial_weights(wildcards.variant)
        ),
        # `ancient`: a new tracking database must not cause retraining.
        database=ancient(LAYOUT.tracking_database()),
    output:
        weights=LAYOUT.train(RUN).weights,
        last=LAYOUT.train(RUN).last_weights,
        history=LAYOUT.train(RUN).history,
        run=LAYOUT.train(RUN).record,
    log:
        LAYOUT.log("train", RUN),
    wildcard_constraints:
        variant=PLAN.training.names_of_trained(),
    # Other jobs fill the cores that trainings leave, and not the other way round.
    priority: 2
    conda:
        "../../environment.yml"
    threads: lambda wildcards: THREADS.training(wildcards.variant)
    # Resources are not a trigger, unlike params: the way of loading images does not change the weights.
    resources:
        **REQUESTS.training,
        gpu=lambda wildcards: gpus(wildcards)
        * PLAN.recipes[wildcards.variant].training.gpus,
        # Slurm may place the tasks on several nodes. None is as if a resource were not there.
        slurm_tasks=slurm_tasks,
        mpi=lambda wildcards: "srun" if slurm_tasks(wildcards) else None,
        tasks=lambda wildcards: slurm_tasks(wildcards) or None,
        tasks_per_gpu=lambda wildcards: 1 if slurm_tasks(wildcards) else None,
        workers=workers_of_variant,
        image_cache_gb=lambda wildcards: PLAN.training.image_cache_gb(wildcards.variant),
    params:
        key=training_key,
        results=LAYOUT.root,
    message:
        "Train {wildcards.variant}, seed {wildcards.seed}"
    # In its own process: without the server of steps.
    shell:
        "env -u TRANSPOSE_STEP_SERVER python -m transpose step --gpus {resources.gpu:q} train {wildcards.variant:q}/seed{wildcards.seed:q} --results {params.results:q}"
        " --train {input.train:q} --validation {input.validation:q}"
        " --workers {resources.workers:q} --image-cache-gb {resources.image_cache_gb:q}"
        " --slurm-tasks {resources.slurm_tasks:q} 2> {log:q}"
