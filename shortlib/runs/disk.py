"""Files on disk: forced there before they are relied on, and known by their checksum."""

import hashlib
import os
from contextlib import suppress


def sha256(path):
    """Return the SHA-256 of a file's content, as a hexadecimal string."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(folder):
    """Force the files of a folder to disk before the folder gets its final name."""
    for file in folder.iterdir():
        with open(file, "rb") as handle:
            os.fsync(handle.fileno())
    flush_names(folder)


def flush_names(folder):
    """Force a folder's own entries to disk, where the system lets one open a folder."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
