"""Fit-or-load: whoever asks for a run gets it, from disk when it is there."""

import os
import sys
import uuid
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from filelock import FileLock, Timeout
from safetensors import SafetensorError

from shortlib.methods.checkpoint_parts import parts_of
from shortlib.runs.code import code_version, fingerprint, fit_module
from shortlib.runs.folder import DamagedRunError, Run, write_run
from shortlib.runs.leftovers import checkpoint_path, clear_leftovers, lock_path, set_aside_path
from shortlib.runs.provenance import git_state, machine, measured, versions


@dataclass
class Store:
    """Run folders of one machine, and the committed ones beside them.

    Parameters
    ----------
    local : pathlib.Path
        Where runs are kept that are fitted here. A run is taken from here only if
        the code that fits is the code that made it.
    committed : pathlib.Path, optional
        Runs that came with the project, read only. A run is taken from here also if
        the code has changed since; its ``changed_modules`` says what.
    """

    local: Path
    committed: Path | None = None

    def __post_init__(self):
        self.local = Path(self.local).expanduser().resolve()
        self.committed = Path(self.committed).expanduser().resolve() if self.committed else None

    def path(self, request):
        """Return the folder of a request in the local store, present or not."""
        name = f"{request.name}-{code_version(fit_module(request.study))}"
        return self.local / request.study / name

    def find(self, request):
        """Return the finished run of a request, or None.

        A damaged local folder is named in a warning and set aside.
        """
        path = self.path(request)
        if not path.exists():
            return self._find_committed(request)
        try:
            return Run(path)
        except DamagedRunError as error:
            try:
                with FileLock(lock_path(path), timeout=0):
                    run = _open_or_set_aside(path)
            except Timeout:  # another process has it: that one sets it aside
                run = None
            except OSError as failure:
                warnings.warn(f"{error}; it can't be set aside: {failure}", stacklevel=2)
                run = None
        return run or self._find_committed(request)

    def _find_committed(self, request):
        if self.committed is None:
            return None
        found = []
        for path in sorted((self.committed / request.study).glob(f"{request.name}-*")):
            try:
                found.append(Run(path, committed=True))
            except DamagedRunError as error:
                warnings.warn(f"{error}; it is passed over", stacklevel=3)
        # The code as it is now comes first, then the latest.
        exact = self.path(request).name
        found.sort(key=lambda run: (run.path.name == exact, run.provenance["started"]))
        return found[-1] if found else None

    def fit_or_load(self, request, *, device="auto", threads=1, checkpoint_seconds=120.0):
        """Return the run of a request; fit it if it is not on disk.

        Two processes that ask for the same run wait for each other, and the second
        loads what the first has fitted. A fit that was killed resumes.

        Parameters
        ----------
        request : shortlib.runs.request.Request
        device : str
            ``"cpu"``, ``"cuda"`` or ``"auto"``.
        threads : int
            CPU threads of the fit.
        checkpoint_seconds : float
            Least time between two saves of the fit's state.

        Returns
        -------
        Run

        Raises
        ------
        ValueError
            If the local store cannot be written to.
        """
        if run := self.find(request):
            return run
        self.check_writable()
        path = self.path(request)
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_leftovers(path.parent)
        with _locked(path):
            if run := _open_or_set_aside(path):
                return run
            options = {
                "device": device,
                "threads": threads,
                "checkpoint_seconds": checkpoint_seconds,
            }
            _fit(path, request, options)
        return Run(path)

    def check_writable(self):
        """Make the local store's folder, or say why runs can't be kept in it."""
        probe = self.local / f".probe-{uuid.uuid4().hex[:8]}"
        try:
            self.local.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise ValueError(
                f"results_dir {self.local} is no folder that runs can be written to ({error})"
            ) from error

    def folders(self, study=None):
        """Yield ``(folder, committed)`` of every run, whole or not, local ones first."""
        roots = {self.local: False}
        if self.committed is not None:
            roots.setdefault(self.committed, True)
        for root, committed in roots.items():
            for path in sorted(root.glob(f"{study or '[!.]*'}/[!.]*")):
                if path.is_dir():
                    yield path, committed

    def runs(self, study=None):
        """Yield every finished run, local before committed, sorted by folder.

        A damaged one is named in a warning and passed over.
        """
        for path, committed in self.folders(study):
            try:
                yield Run(path, committed=committed)
            except DamagedRunError as error:
                warnings.warn(f"{error}; it is passed over", stacklevel=2)


def _fit(path, request, options):
    """Fit a run, its lock being held, and keep it."""
    module = import_module(fit_module(request.study))
    checkpoint = checkpoint_path(path)
    # Read before the fit: a checkout may move on while a long fit runs.
    made_by = {**git_state(), "versions": versions(), "code": fingerprint(module.__name__)}
    with measured() as facts:
        fitted = _resume(module.fit, request, checkpoint, options)
    resumed_from = fitted.facts.get("resumed_from_epoch", 0)
    if resumed_from:
        # Epochs that an earlier process made count; what it did after its last save does not.
        # A fit of several parts says itself how long they took.
        epochs = fitted.history["seconds"].iloc[:resumed_from]
        earlier = float(fitted.facts.get("resumed_seconds", epochs.sum()))
        facts["wall_seconds_since_resumed"] = facts["wall_seconds"]
        facts["wall_seconds"] = round(facts["wall_seconds"] + earlier, 3)
    provenance = {
        **facts,
        **made_by,
        "machine": machine(fitted.facts["compute"]["device"]),
        "data_checksum": request.data_checksum,
    }
    try:
        write_run(path, fitted, request, provenance)
    except (OSError, SafetensorError) as error:
        raise OSError(f"run {path} was fitted but can't be written: {error}") from error
    for left in (checkpoint, *parts_of(checkpoint)):
        left.unlink(missing_ok=True)


def _resume(fit, request, checkpoint, options):
    """Call a fit; set aside what it cannot resume from and call it again."""
    there = [path for path in (checkpoint, *parts_of(checkpoint)) if path.exists()]
    while True:
        try:
            return fit(request, checkpoint=checkpoint, **options)
        except ValueError as error:
            said = str(error)
            named = [p for p in there if said.startswith(f"checkpoint {p} cannot be resumed from")]
            if not named:
                raise
            there.remove(named[0])  # once each: what the fit writes itself it must be able to read
            aside = set_aside_path(named[0])
            os.replace(named[0], aside)
            warnings.warn(f"{error}; set aside as {aside.name}, the fit starts anew", stacklevel=4)


def _open_or_set_aside(path):
    """Open a run folder whose lock is held; set it aside if it is damaged."""
    if not path.exists():
        return None
    try:
        return Run(path)
    except DamagedRunError as error:
        aside = set_aside_path(path)
        os.rename(path, aside)
        warnings.warn(f"{error}; set aside as {aside.name}", stacklevel=3)
    return None


@contextmanager
def _locked(path):
    """Hold a run's lock, and say so when another process has it."""
    lock = FileLock(lock_path(path))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"waiting for another process that is fitting {path.name}", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
