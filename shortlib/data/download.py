"""One file from the network: taken up where it was cut, kept only if its checksum is right."""

import hashlib
import logging
import os
import time
from pathlib import Path
from urllib.parse import urlsplit

import pooch
import requests

from shortlib.data.problems import DataError

CHUNK = 1 << 16
TRIES = 4
TIMEOUT = (10, 20)  # seconds, to be reached and to answer

# What passes when one waits: too many requests, and a server's own trouble.
_PASSING = (408, 429, 500, 502, 503, 504)


def retrieve(url, sha256, folder, name, *, size=None, tick=None, pause=0.5):
    """Download a file unless it is there, and check its SHA-256.

    Parameters
    ----------
    url : str
    sha256 : str
        In hexadecimal.
    folder : pathlib.Path
        Where the file goes; also where a part of it waits for the next attempt.
    name : str
        Of the file.
    size : int, optional
        Bytes that are due; more are never taken.
    tick : callable, optional
        Called with the number of bytes that arrived.
    pause : float
        Seconds before the second attempt; doubled at each further one.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    DataError
        If the host is not reached, has no such file, or sends another one. A file with
        a wrong checksum is deleted.
    """
    # Pooch tells of every file; here a bar does.
    pooch.get_logger().setLevel(logging.WARNING)
    part = Path(folder) / f"{name}.part"
    downloader = _Resuming(part, sha256, size, tick or (lambda n: None), pause)
    return Path(
        pooch.retrieve(
            url, known_hash=f"sha256:{sha256}", fname=name, path=folder, downloader=downloader
        )
    )


def sha256_of(path):
    """Return the SHA-256 of a file in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_sha256(path, due, what=None):
    """Raise a :class:`DataError` that names both checksums if they are not the same."""
    got = sha256_of(path)
    if got != due:
        raise DataError(
            "wrong checksum", f"SHA-256 is {got}, it should be {due}", path=what or path
        )


class _Resuming:
    """A downloader for pooch that keeps what arrived and asks for the rest."""

    def __init__(self, part, sha256, size, tick, pause):
        self.part, self.sha256, self.size = part, sha256, size
        self.tick, self.pause, self.told = tick, pause, 0

    def __call__(self, url, output_file, _pooch, check_only=False):
        for attempt in range(TRIES):
            try:
                self._take(url)
                break
            except requests.RequestException as error:
                if attempt == TRIES - 1:
                    raise _not_reached(url, error) from error
                time.sleep(self.pause * 2**attempt)
        try:
            check_sha256(self.part, self.sha256, url)
        except DataError:
            self.part.unlink()
            raise
        os.replace(self.part, output_file)

    def _take(self, url):
        have = self.part.stat().st_size if self.part.exists() else 0
        # Without "identity" a server may send it packed, and the bytes would not be the file's.
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code == 416:
                # There is nothing after what we have. Complete, or of another file: the
                # checksum tells.
                return
            if answer.status_code in _PASSING:
                answer.raise_for_status()
            if answer.status_code not in (200, 206):
                raise DataError(
                    "not to be had",
                    f"the host answers {answer.status_code} {answer.reason}",
                    path=url,
                )
            follows = answer.status_code == 206 and _starts_at(answer) == have
            if answer.status_code == 206 and not follows:
                self.part.unlink()
                raise requests.ConnectionError("the host sent another piece than asked for")
            self._write(answer, "ab" if follows else "wb", have if follows else 0)

    def _write(self, answer, mode, have):
        self._tell(have)
        with open(self.part, mode) as file:
            for chunk in answer.iter_content(CHUNK):
                have += len(chunk)
                if self.size is not None and have > self.size:
                    file.close()
                    self.part.unlink()
                    raise DataError(
                        "too long", f"more than the {self.size} bytes that are due", path=answer.url
                    )
                file.write(chunk)
                self._tell(have)
        if self.size is not None and have < self.size:
            raise requests.ConnectionError(f"{have} of {self.size} bytes arrived")

    def _tell(self, have):
        """Tell of the bytes that nobody was told of: an attempt may begin anew."""
        if have > self.told:
            self.tick(have - self.told)
            self.told = have


def _starts_at(answer):
    try:
        return int(answer.headers["Content-Range"].split()[1].split("-")[0])
    except (KeyError, IndexError, ValueError):
        return None


def _not_reached(url, error):
    status = getattr(getattr(error, "response", None), "status_code", None)
    reason = f"it answers {status}" if status else type(error).__name__
    return DataError(
        "host not reached",
        f"{urlsplit(url).netloc} ({reason}); try again later, or give a mirror with "
        "--from FOLDER or --from URL; what arrived is kept",
        path=url,
    )
