"""The ``shortlib`` command. Heavy imports wait inside the commands, so that help is quick."""

import ast
from pathlib import Path
from typing import Annotated

import typer

from shortlib.cli_data import data_app
from shortlib.command import in_a_sentence, print_table

app = typer.Typer(
    help="Shortcut learning in medical images: studies, runs and what they show.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
runs_app = typer.Typer(help="Look at the runs on disk.", no_args_is_help=True)
app.add_typer(runs_app, name="runs")
app.add_typer(data_app, name="data")

ResultsDir = Annotated[Path | None, typer.Option(help="Folder of the runs fitted here.")]
StudyOption = Annotated[str | None, typer.Option("--study", help="Only this study's runs.")]
Profile = Annotated[str, typer.Option(help="smoke, workshop, reference or paper.")]
Data = Annotated[str | None, typer.Option(help="Data set; by default the profile's first one.")]
Own = Annotated[
    list[str] | None, typer.Option("--set", help="name=value (YAML) of the study's own parameters.")
]
Seeds = Annotated[int | None, typer.Option(help="Number of seeds, counted from 0.")]
Variant = Annotated[str | None, typer.Option(help="Only this variant.")]
Seed = Annotated[int | None, typer.Option(help="Only this seed.")]


@app.command()
@in_a_sentence
def studies():
    """List the studies, their profiles and how large these are."""
    from shortlib.studies.sizes import study_table

    print_table(study_table())


@app.command()
@in_a_sentence
def fit(
    study: str,
    profile: Profile = "smoke",
    data: Data = None,
    data_root: Annotated[str | None, typer.Option(help="Folder of a real data set.")] = None,
    seeds: Seeds = None,
    variant: Variant = None,
    seed: Seed = None,
    own: Own = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    jobs: Annotated[int | None, typer.Option(help="Fits at a time; one a core.")] = None,
    results_dir: ResultsDir = None,
):
    """Fit the runs of a study that are not on disk."""
    from shortlib.runs import fit_or_load_all
    from shortlib.runs.locations import default_store

    requests = _requests(study, profile, data, data_root, seeds, variant, seed, own)
    store = default_store(results_dir)
    runs = fit_or_load_all(store, requests, device=device, jobs=jobs)
    asked = ", ".join(filter(None, (profile, data)))
    typer.echo(f"all {len(runs)} runs asked of {study} ({asked}) are on disk: {store.local}")


@app.command()
@in_a_sentence
def claims(
    study: StudyOption = None,
    profile: Profile = "reference",
    selection: Annotated[
        str | None, typer.Option(help="Rule that chose the epochs; the papers' own by default.")
    ] = None,
    results_dir: ResultsDir = None,
    export: Annotated[Path | None, typer.Option(help="Write the book's tables here.")] = None,
    check: Annotated[
        list[Path] | None, typer.Option(help="Fail if pages here say otherwise.", exists=True)
    ] = None,
):
    """Judge the papers' claims on the runs that are on disk; fits nothing."""
    from shortlib.report.claim_tables import contradictions, epochs_in_words, verdict_table
    from shortlib.report.claims_export import all_verdicts, export_verdicts, other_verdicts
    from shortlib.report.parameters import reference_runs
    from shortlib.runs.locations import default_store
    from shortlib.studies.registry import STUDIES, load_study

    store, names = default_store(results_dir), [study] if study else STUDIES
    verdicts = all_verdicts(store, profile=profile, selection=selection, studies=names)
    for name, judged in verdicts.items():
        shown = ["id", "ours [95% interval]", "rule", "verdict", "n", "seeds"]
        rule = selection or load_study(name).SELECTIONS[0]
        typer.echo(f"{name}, profile {profile}, {epochs_in_words(rule)}")
        print_table(verdict_table(judged)[shown], empty="no claims")
    if export:
        other = other_verdicts(store, profile=profile, studies=verdicts)
        runs = {name: reference_runs(name, store, profile=profile) for name in verdicts}
        export_verdicts(verdicts, other, runs, export)
    everything = [v for judged in verdicts.values() for v in judged]
    wrong = [sentence for pages in check or () for sentence in contradictions(pages, everything)]
    for sentence in wrong:
        typer.echo(f"shortlib: {sentence}", err=True)
    if wrong:
        raise typer.Exit(1)


@app.command()
@in_a_sentence
def notebook(
    source: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    output: Path,
    parameters: Annotated[list[str] | None, typer.Argument(help="name=value ...")] = None,
):
    """Execute a notebook; what it does not know of the parameters is left out."""
    from shortlib.report.execute import execute

    execute(source, output, dict(map(_name_and_value, parameters or ())))


@app.command()
@in_a_sentence
def book(source: Path, build: Path):
    """Build the book from executed notebooks in SOURCE; the page goes to BUILD/html."""
    from shortlib.report.book import build_book

    typer.echo(build_book(Path.cwd(), source, build))


@runs_app.command("list")
@in_a_sentence
def list_runs(study: StudyOption = None, results_dir: ResultsDir = None):
    """List the runs on disk."""
    from shortlib.runs.locations import default_store
    from shortlib.runs.summary import run_table

    store = default_store(results_dir)
    print_table(run_table(store.runs(study)), empty=f"no runs in {store.local}")


@runs_app.command()
@in_a_sentence
def show(name: str, study: StudyOption = None, results_dir: ResultsDir = None):
    """Show one run: settings, provenance, end of its history, scores on the test cases."""
    import yaml

    from shortlib.runs import Run
    from shortlib.runs.locations import default_store
    from shortlib.runs.lookup import find_folder
    from shortlib.runs.summary import scores_on_test

    path, committed = find_folder(default_store(results_dir), name, study)
    run = Run(path, committed=committed)
    provenance = {**run.provenance, "code": f"{len(run.provenance['code'])} modules"}
    for title, values in (("Request", run.request), ("Provenance", provenance)):
        typer.echo(f"{title}\n{yaml.safe_dump(values, sort_keys=False, allow_unicode=True)}")
    typer.echo(f"History, last epochs\n{run.history.tail(5).to_string(index=False)}\n")
    typer.echo(f"Test cases\n{scores_on_test(run).to_string(index=False)}\n\n{path}")


@runs_app.command()
@in_a_sentence
def why(
    name: Annotated[str | None, typer.Argument(help="A run's name or a part of it.")] = None,
    study: StudyOption = None,
    profile: Profile = "smoke",
    data: Data = None,
    seeds: Seeds = None,
    variant: Variant = None,
    seed: Seed = None,
    own: Own = None,
    results_dir: ResultsDir = None,
):
    """Say why a run would be fitted anew, or which runs --study lacks and why."""
    from shortlib.runs.locations import default_store
    from shortlib.runs.lookup import find_folder
    from shortlib.runs.reasons import why_refit, why_request

    store = default_store(results_dir)
    if name is not None:
        path, committed = find_folder(store, name, study)
        _say_why(path.name, why_refit(path), committed=committed)
        return
    if study is None:
        raise ValueError("runs why needs the name of a run, or --study with what is asked of it")
    for request in _requests(study, profile, data, None, seeds, variant, seed, own):
        _say_why(request.name, why_request(store, request))


@runs_app.command()
@in_a_sentence
def stale(study: StudyOption = None, results_dir: ResultsDir = None):
    """List the runs that were made by code that has changed since."""
    from shortlib.runs.locations import default_store

    found = [run for run in default_store(results_dir).runs(study) if run.changed_modules]
    for run in found:
        typer.echo(f"{run.path.name}: {', '.join(run.changed_modules)}")
    if not found:
        typer.echo("every run was made by the code as it is now")


@runs_app.command()
@in_a_sentence
def verify(study: StudyOption = None, results_dir: ResultsDir = None):
    """Check every run folder; print the damaged ones and exit with 1 if there are any."""
    from shortlib.runs.locations import default_store
    from shortlib.runs.reasons import damaged_runs

    store = default_store(results_dir)
    damaged = damaged_runs(store, study)
    for _, sentence in damaged:
        typer.echo(sentence)
    typer.echo(f"{len(list(store.folders(study)))} run folders checked, {len(damaged)} damaged")
    if damaged:
        raise typer.Exit(1)


def _name_and_value(text):
    """Read ``name=value``; a value that is no Python literal is a string."""
    from shortlib.studies.own_parameters import name_and_text

    name, value = name_and_text(text)
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


@runs_app.command()
@in_a_sentence
def keep(
    study: str,
    profile: Profile = "reference",
    data: Annotated[str | None, typer.Option(help="Only this data set's runs.")] = None,
    results_dir: ResultsDir = None,
):
    """Copy a profile's finished runs to the checkout's results, without their weights."""
    from shortlib.data.locations import project_root
    from shortlib.runs.keeping import keep_run
    from shortlib.runs.locations import default_store
    from shortlib.studies.registry import data_sets

    root = project_root()
    if root is None:
        raise ValueError("runs keep works in a checkout only: there is no results folder here")
    store = default_store(results_dir)
    chosen = [data] if data else data_sets(study, profile)
    asked = [request for name in chosen for request in _requests(study, profile, name)]
    found = [store.find(request) for request in asked]
    kept = [keep_run(run, root / "results") for run in found if run and not run.committed]
    typer.echo(
        f"{sum(path is not None for path in kept)} runs copied to {root / 'results'}; of "
        f"{len(found)} in profile {profile}, {sum(run is None for run in found)} are not on disk"
    )


def _requests(
    study, profile, data=None, data_root=None, seeds=None, variant=None, seed=None, own=None
):
    """List what was asked for; a single seed may lie beyond the profile's number."""
    from shortlib.studies.own_parameters import own_parameters
    from shortlib.studies.registry import plan

    if seed is not None and seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}")
    if seed is not None:
        seeds = max(seeds or 0, seed + 1)
    own = own_parameters(study, own or ())
    requests = plan(study, profile, data=data, data_root=data_root, seeds=seeds, **own)
    known = list(dict.fromkeys(request.variant for request in requests))
    if variant is not None and variant not in known:
        raise ValueError(f"variant must be one of {', '.join(known)}, got {variant!r}")
    return [
        request
        for request in requests
        if variant in (None, request.variant) and seed in (None, request.seed)
    ]


def _say_why(name, reasons, *, committed=False):
    if not reasons:
        typer.echo(f"{name}: would be loaded")
    elif committed:
        typer.echo(f"{name}: came with the project and would be loaded, although")
    else:
        typer.echo(f"{name}: would be fitted, because")
    for reason in reasons:
        typer.echo(f"  {reason}")
