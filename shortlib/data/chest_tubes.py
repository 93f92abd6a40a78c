"""Which radiographs of SIIM-ACR show a chest tube, from a table or from the authors' pickle.

The labels were released with spatial-specificity as a pickled dict of SOPInstanceUID to
bool. A pickle is a program; this one is read as a list of words instead, and anything
but a dict of text to bool is refused before it is touched.
"""

import io
import pickle
import pickletools

import pandas as pd

from shortlib.data.problems import DataError
from shortlib.data.rows import first_of_each
from shortlib.data.tables import read_table, to_number

# What it takes to write a dict of text to bool, in all protocols, and nothing that
# imports, calls or builds anything.
_OPCODES = {"PROTO", "FRAME", "MARK", "DICT", "EMPTY_DICT", "SETITEM", "SETITEMS", "STOP"}
_OPCODES |= {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
_OPCODES |= {"INT", "NEWTRUE", "NEWFALSE"}
_OPCODES |= {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET"}
_MOST_BYTES = 64 << 20


def read_tubes(path, problems):
    """Read chest-tube labels.

    Parameters
    ----------
    path : pathlib.Path
        A CSV with the columns ``ImageId`` and ``tube`` (0 or 1), or ``.pkl``.
    problems : shortlib.data.problems.Problems
        Is given the rows that occur twice.

    Returns
    -------
    pandas.Series of bool
        By image id, in the order of the file.

    Raises
    ------
    DataError
        If the table lacks a column, a label is neither 0 nor 1, or the pickle holds
        anything but a dict of text to bool.
    """
    if path.suffix in (".pkl", ".pickle"):
        labels = load_flags(path)
        return pd.Series(list(labels.values()), index=list(labels), dtype=bool)
    table = first_of_each(read_table(path, ["ImageId", "tube"]), ["ImageId"], path, problems)
    flags = to_number(table, "tube", path, allowed=(0, 1), whole=True).astype(bool)
    return flags.set_axis(table["ImageId"])


def load_flags(path):
    """Read a pickled dict of text to bool without running it.

    Returns
    -------
    dict of str to bool

    Raises
    ------
    DataError
        If it is no pickle or could hold anything else.
    """
    data = path.read_bytes()
    if len(data) > _MOST_BYTES:
        raise DataError("refused pickle", f"has {len(data)} bytes; a few 100 kB are due", path=path)
    try:
        most = len(data)
        for opcode, argument, _ in pickletools.genops(data):
            stores = opcode.name in ("PUT", "BINPUT", "LONG_BINPUT")
            if opcode.name not in _OPCODES or (stores and int(argument) > most):
                raise DataError(
                    "refused pickle",
                    f"holds {opcode.name}; only a dict of text to bool is read, nothing is run",
                    path=path,
                )
        found = _Words(io.BytesIO(data)).load()
    except DataError:
        raise
    # Damaged bytes raise UnpicklingError, ValueError, EOFError, IndexError, KeyError and more.
    except Exception as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise DataError("broken pickle", said[:300], path=path) from error
    ok = isinstance(found, dict) and all(
        isinstance(key, str) and isinstance(value, bool) for key, value in found.items()
    )
    if not ok:
        raise DataError("refused pickle", "only a dict of text to bool is read", path=path)
    return found


class _Words(pickle.Unpickler):
    """An unpickler that finds no class and no function, in case an opcode slipped through."""

    def find_class(self, module, name):
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed")

    def persistent_load(self, pid):
        raise pickle.UnpicklingError(f"persistent id {pid!r} is not allowed")
