"""Execute a notebook with papermill; a failure says where, and leaves nothing half-made."""

import os
from pathlib import Path

import nbformat
import papermill
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
    except PapermillExecutionError as error:
        failed = output.parent / "failed" / output.name
        failed.parent.mkdir(exist_ok=True)
        os.replace(unfinished, failed)
        first_line = error.source.strip().splitlines()[0] if error.source.strip() else ""
        raise NotebookFailedError(
            f"{source.name} failed in cell {error.exec_count} ({first_line}) with parameters "
            f"{given}: {error.ename}: {error.evalue}\nIts output is kept in {failed}"
        ) from error
    os.replace(unfinished, output)
    return output


def _record_effective_parameters(path, known, given):
    """Add to the metadata what every parameter was; papermill records overrides only."""
    notebook = nbformat.read(path, as_version=4)
    effective = {name: facts["default"] for name, facts in known.items()}
    effective |= {name: repr(value) for name, value in given.items()}
    notebook.metadata["shortlib"] = {"effective_parameters": effective}
    nbformat.write(notebook, path)
