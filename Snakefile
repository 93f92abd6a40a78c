# Fits, then notebooks, then the book. Nothing reruns that did not change: a run's folder is
# named after all that decides its result, so it is made anew only when that changes.
#
#   snakemake book -n                          what would run, and why
#   snakemake book --cores 2                   the workshop profile
#   snakemake book --cores 2 --config profile=smoke

import hashlib
from pathlib import Path

from shortlib.runs.locations import default_store
from shortlib.studies.registry import STUDIES, plan

PROFILE = config.get("profile", "workshop")
BUILD = config.get("build", f"build/{PROFILE}")
DEVICE = config.get("device", "auto")
STORE = default_store(config.get("results_dir"))
SOURCE = f"{BUILD}/source"

NOTEBOOKS = sorted(path.stem for path in Path("notebooks").glob("*.ipynb"))
PAGES = [str(path) for path in sorted(Path("book").rglob("*")) if path.is_file()]
REPORTING = [
    str(path)
    for room in ("metrics", "report", "studies", "data")
    for path in sorted(Path("shortlib", room).rglob("*"))
    if path.suffix in (".py", ".yml")
] + [str(path) for path in sorted(Path("data_manifests").rglob("*.*"))]
# A notebook without a study fits what it shows itself, so it stands on these rooms too.
FITTING = [
    str(path)
    for room in ("shortcuts", "models", "methods", "explain")
    for path in sorted(Path("shortlib", room).rglob("*.py"))
]
EXECUTED = [f"{SOURCE}/notebooks/{notebook}.ipynb" for notebook in NOTEBOOKS]
VERDICTS = f"{SOURCE}/book/generated/claims/tally.md"
COMMITTED = [str(path) for path in sorted(Path("results").glob("*/*/files.json"))]


def fits_of(notebook):
    """Name what stands for all runs of a study that must be fitted, if there are any.

    Those that came with the project need no fit. Of a study with several data sets it is the runs on
    the first one that has the profile.
    """
    if notebook not in STUDIES:
        return []
    requests = plan(notebook, PROFILE)
    found = [STORE.find(request) for request in requests]
    names = [
        STORE.path(request).name
        for request, run in zip(requests, found, strict=True)
        if not (run and run.committed)
    ]
    digest = hashlib.sha256(" ".join(sorted(names)).encode()).hexdigest()[:16]
    return [f"build/fits/{notebook}-{PROFILE}-{digest}"] if names else []


wildcard_constraints:
    notebook="[^/]+",
    profile="[a-z]+",
    digest="[0-9a-f]+",


# Asks for the notebooks and the claims too, not for the page alone: what failed is run
# again even where an earlier build's page is still there.
rule book:
    input:
        f"{BUILD}/html/index.html",
        EXECUTED,
        VERDICTS,


rule html:
    input:
        config="_config.yml",
        toc="_toc.yml",
        pages=PAGES,
        notebooks=EXECUTED,
        claims=VERDICTS,
        code=[str(path) for path in sorted(Path("shortlib").rglob("*.py"))],
    output:
        f"{BUILD}/html/index.html",
    log:
        f"{BUILD}/log.txt",
    message:
        "Building the book"
    shell:
        "shortlib book {SOURCE} {BUILD} > {log} 2>&1 || (cat {log}; exit 1)"


rule claims:
    input:
        COMMITTED,
        REPORTING,
        PAGES,
        [f"notebooks/{notebook}.ipynb" for notebook in NOTEBOOKS],
    output:
        VERDICTS,
    message:
        "Judging the claims on the reference runs"
    shell:
        "shortlib claims --export {SOURCE}/book/generated/claims --check book --check notebooks"


rule notebook:
    input:
        source="notebooks/{notebook}.ipynb",
        fits=lambda wildcards: fits_of(wildcards.notebook),
        committed=COMMITTED,
        code=lambda wildcards: REPORTING + (FITTING if wildcards.notebook not in STUDIES else []),
    output:
        f"{SOURCE}/notebooks/{{notebook}}.ipynb",
    params:
        values=lambda wildcards: [
            f"profile={PROFILE}",
            f"device={DEVICE}",
            f"results_dir={STORE.local}",
            f"export_dir={Path(SOURCE, 'book', 'generated', wildcards.notebook).resolve()}",
        ],
    message:
        "Executing {input.source} (profile {PROFILE})"
    shell:
        "shortlib notebook {input.source} {output} {params.values}"


# The marker says that a study's runs are in the store; the store itself keeps runs whole, and
# loads those that are there already. One command fits them all, side by side: most runs of a small
# profile are shorter than the imports of a process of their own.
rule fit:
    output:
        touch("build/fits/{study}-{profile}-{digest}"),
    threads: workflow.cores
    message:
        "Fitting {wildcards.study} (profile {wildcards.profile})"
    shell:
        "shortlib fit {wildcards.study} --profile {wildcards.profile} --device {DEVICE}"
        " --results-dir {STORE.local} --jobs {threads}"
