"""How every command of ``shortlib`` prints: a table, a warning, one sentence when it fails."""

import errno
import functools
import warnings

import typer

# What a person can mend: rights, room, names that are something else. Other ones are mistakes
# of the program and keep their trace.
_OF_THE_PLACE = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
}


def in_a_sentence(command):
    """Print what went wrong as one sentence: exit 2 for what was asked, 1 for a fit.

    A place that cannot be read or written is of what was asked.

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
            except OSError as error:
                if error.errno not in _OF_THE_PLACE:
                    raise
                place = f"{error.filename}: " if error.filename is not None else ""
                typer.echo(f"shortlib: {place}{error.strerror}", err=True)
                raise typer.Exit(2) from error
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
