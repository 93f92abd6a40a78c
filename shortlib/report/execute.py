"""Execute a notebook with papermill; a failure says where, and leaves nothing half-made."""

import os
from pathlib import Path

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError


class NotebookFailedError(ValueError):
    """A notebook stopped with an error."""


def execute(source, output, parameters):
    """Execute a notebook and put the result in place when it is complete.

    Parameters
    ----------
    source, output : str or pathlib.Path
        A failed notebook is kept beside `output`, as ``failed/<name>``.
    parameters : dict
        Values for the notebook's parameters; those that the notebook does not know
        are left out, so that one set serves a whole book.

    Returns
    -------
    pathlib.Path
        `output`.

    Raises
    ------
    NotebookFailedError
        Names the notebook, the cell, the parameters and where the output is kept.
    """
    source, output = Path(source), Path(output)
    known = papermill.inspect_notebook(source)
    given = {name: value for name, value in parameters.items() if name in known}
    unfinished = output.with_name(f".{output.stem}-{os.getpid()}.ipynb")
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    try:
        papermill.execute_notebook(
            source, unfinished, given, kernel_name="python3", progress_bar=False
        )
        _record_effective_parameters(unfinished, known, given)
        os.replace(unfinished, output)
        (output.parent / "failed" / output.name).unlink(missing_ok=True)  # of an earlier try
    except (PapermillExecutionError, DeadKernelError) as error:
        failed = output.parent / "failed" / output.name
        failed.parent.mkdir(exist_ok=True)
        os.replace(unfinished, failed)
        kind, said = getattr(error, "ename", type(error).__name__), getattr(error, "evalue", error)
        raise NotebookFailedError(
            f"{source.name} failed in {_last_cell(failed)} with parameters {given}: "
            f"{kind}: {said}\nIts output is kept in {failed}"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return output


def _last_cell(path):
    """Say which cell was the last to begin: its number among those run, and its first line."""
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    begun = [c.source for c in cells if c.metadata.get("papermill", {}).get("start_time")]
    first_line = begun[-1].strip().partition("\n")[0] if begun else ""
    return f"cell {len(begun)} ({first_line})"


def _record_effective_parameters(path, known, given):
    """Add to the metadata what every parameter was; papermill records overrides only."""
    notebook = nbformat.read(path, as_version=4)
    effective = {name: facts["default"] for name, facts in known.items()}
    effective |= {name: repr(value) for name, value in given.items()}
    notebook.metadata["shortlib"] = {"effective_parameters": effective}
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "injected-parameters" in tags and "hide-cell" not in tags:
            cell.metadata["tags"] = [*tags, "hide-cell"]  # folders of this machine, mostly
    nbformat.write(notebook, path)
