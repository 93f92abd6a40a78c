"""The commands ``shortlib data ...``: what data sets there are, and getting and checking them."""

from pathlib import Path
from typing import Annotated

import typer

from shortlib.command import in_a_sentence

data_app = typer.Typer(
    help="Data sets: list, show, fetch, make, verify, preview.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="A data set; `shortlib data list` has the names.")]
Root = Annotated[Path | None, typer.Option(help="Its folder; its place in the data folder else.")]


@data_app.command("list")
@in_a_sentence
def list_sets():
    """List the data sets: what is here, what is missing, what it needs."""
    from tabulate import tabulate

    from shortlib.data.listing import overview
    from shortlib.data.locations import data_folder

    typer.echo(tabulate(overview(), headers="keys", tablefmt="plain", showindex=False))
    typer.echo(f"\nThe data folder is {data_folder()}; SHORTLIB_DATA names another one.")


@data_app.command()
@in_a_sentence
def show(name: Name, root: Root = None):
    """Show all that is known of a data set: source, licence, steps, layout, quirks, citation."""
    from shortlib.data.listing import describe

    typer.echo(describe(name, root))


@data_app.command()
@in_a_sentence
def fetch(
    name: Name,
    root: Root = None,
    source: Annotated[
        str | None, typer.Option("--from", help="A mirror: a folder, or the URL above the files.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
):
    """Fetch a data set that anyone may have, or say what a person has to do (exit code 3)."""
    from shortlib.data.fetch import fetch as fetch_set

    done = fetch_set(name, root, source=source, progress=not quiet)
    for sentence in done.sentences:
        typer.echo(sentence)


@data_app.command()
@in_a_sentence
def make(
    name: Annotated[str, typer.Argument(help="A built-in data set, or all.")] = "all",
    root: Root = None,
    seed: Annotated[int | None, typer.Option(help="The manifest's by default.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes that draw; one a core.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
):
    """Make a built-in data set in the layout of the real one; what is there stays."""
    from time import perf_counter

    from shortlib.data.phantoms.make import built_in_names
    from shortlib.data.phantoms.make import make as make_set
    from shortlib.data.placing import is_taken
    from shortlib.data.sets import root_of

    names = built_in_names() if name == "all" else [name]
    if root is not None and len(names) > 1:
        raise ValueError("--root is the folder of one data set; name that set")
    for each in names:
        if name == "all" and not force and is_taken(root_of(each)):
            typer.echo(f"{each} is here: {root_of(each)}")
            continue
        begun = perf_counter()
        path = make_set(each, root, seed=seed, n_jobs=jobs or _cores(), force=force)
        typer.echo(f"{each} made in {perf_counter() - begun:.0f} s: {path}")


@data_app.command()
@in_a_sentence
def verify(
    name: Name,
    root: Root = None,
    sample: Annotated[int | None, typer.Option(help="Open so many cases, at random.")] = None,
    shallow: Annotated[bool, typer.Option("--shallow", help="Open no image.")] = False,
    jobs: Annotated[int | None, typer.Option(help="Threads that read; one a core.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
):
    """Check layout, counts, checksums, images, splits and labels; exit with 1 if one is wrong."""
    from tabulate import tabulate

    from shortlib.data.verify import verify as verify_set

    report = verify_set(
        name, root, sample=sample, deep=not shallow, workers=jobs or _cores(), progress=not quiet
    )
    typer.echo(f"{name}: {report.root}\n")
    typer.echo(_fitting(report.table()))
    histogram = report.histogram()
    if histogram is not None:
        if len(report.labels.columns) > 1:
            typer.echo(f"\nCases: {' / '.join(report.labels.columns)}")
        typer.echo(f"\n{tabulate(histogram, headers='keys', tablefmt='plain', showindex=False)}")
    for note in report.notes:
        typer.echo(f"\nnote: {note}")
    if report.problems:
        typer.echo("\nProblems, at most some of each kind:")
        for problem in report.problems:
            typer.echo(f"  {problem}")
    failed = sum(check.state == "failed" for check in report.checks)
    typer.echo(f"\n{len(report.checks)} checks, {failed} failed")
    if not report.ok:
        raise typer.Exit(1)


@data_app.command()
@in_a_sentence
def preview(
    name: Name,
    root: Root = None,
    split: Annotated[str | None, typer.Option(help="All cases by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="Picture; NAME.png here by default.")] = None,
    n: Annotated[int, typer.Option(help="Number of cases.")] = 24,
    seed: Annotated[int, typer.Option(help="Which cases.")] = 0,
):
    """Draw a contact sheet with masks and shortcuts outlined."""
    from shortlib.data.sets import read_index
    from shortlib.report.preview import contact_sheet

    out = Path(f"{name}.png") if out is None else out
    if out.suffix.lower() not in (".png", ".pdf", ".svg", ".jpg"):
        raise ValueError(f"--out is a picture (.png, .pdf, .svg or .jpg), got {str(out)!r}")
    index = read_index(name, root, on_error="skip")
    figure = contact_sheet(index, split, n=n, seed=seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=150)
    index.problems.warn(name)
    typer.echo(out)


def _fitting(table):
    """Print a table of checks, wrapped so that it fits the terminal."""
    from shutil import get_terminal_size

    from tabulate import tabulate

    wide = {name: max(len(name), table[name].map(len).max()) for name in table}
    # Two blanks between columns. What was found gives way first, down to a readable width.
    room = get_terminal_size((100, 24)).columns - 2 * (len(wide) - 1) - sum(wide.values())
    for name, least in (("found", 24), ("what", 20)):
        narrower = min(max(wide[name] + room, least), wide[name])
        room += wide[name] - narrower
        wide[name] = narrower
    return tabulate(
        table,
        headers="keys",
        tablefmt="plain",
        showindex=False,
        maxcolwidths=list(wide.values()),
        disable_numparse=True,
    )


def _cores():
    import os

    return os.cpu_count() or 1
