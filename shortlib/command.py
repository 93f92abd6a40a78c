"""How every command of ``shortlib`` prints: a table, a warning, one sentence when it fails."""

import functools
import warnings

import typer


def in_a_sentence(command):
    """Print what went wrong as one sentence: exit 2 for what was asked, 1 for a fit.

    An error that has an ``exit_code`` of its own exits with that.
    """

    @functools.wraps(command)
    def wrapped(*args, **kwargs):
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = lambda message, *_: typer.echo(f"warning: {message}", err=True)
            try:
                return command(*args, **kwargs)
            except ValueError as error:
                typer.echo(f"shortlib: {error}", err=True)
                raise typer.Exit(getattr(error, "exit_code", 2)) from error
            except RuntimeError as error:
                # Imported late: it brings torch, which commands that fit nothing do not need.
                from shortlib.runs import FitFailedError

                if not isinstance(error, FitFailedError):
                    raise
                typer.echo(f"shortlib: {error}", err=True)
                raise typer.Exit(1) from error

    return wrapped


def print_table(table, empty=""):
    """Print a table without its index, or what to say when it has no row."""
    typer.echo(table.to_string(index=False) if len(table) else empty)
