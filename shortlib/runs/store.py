"""Fit-or-load: whoever asks for a run gets it, from disk when it is there."""

import os
import time
import warnings
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from filelock import FileLock

from shortlib.runs.code import changed_modules, code_version, fingerprint
from shortlib.runs.folder import DamagedRunError, Run, write_run
from shortlib.runs.provenance import git_state, machine, measured, versions


def fit_module(study):
    """Return the dotted name of the module that holds a study's ``fit``."""
    return f"shortlib.studies.{study.replace('-', '_')}.fit"


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
        self.committed = Path(self.committed).resolve() if self.committed else None

    def path(self, request):
        """Return the folder of a request in the local store, present or not."""
        name = f"{request.name}-{code_version(fit_module(request.study))}"
        return self.local / request.study / name

    def find(self, request):
        """Return the finished run of a request, or None.

        A damaged local folder is named in a warning and set aside.
        """
        path = self.path(request)
        if path.exists():
            try:
                return Run(path)
            except DamagedRunError as error:
                aside = path.with_name(f".damaged-{path.name}-{time.time_ns()}")
                os.rename(path, aside)
                warnings.warn(f"{error}; set aside as {aside.name}", stacklevel=2)
        return self._find_committed(request)

    def _find_committed(self, request):
        if self.committed is None:
            return None
        found = sorted((self.committed / request.study).glob(f"{request.name}-*"))
        exact = [p for p in found if p.name == self.path(request).name]
        for path in exact + found:
            try:
                return Run(path)
            except DamagedRunError as error:
                warnings.warn(f"{error}; it is passed over", stacklevel=2)
        return None

    def fit_or_load(self, request, *, device="auto", threads=1, checkpoint_seconds=120.0):
        """Return the run of a request; fit it if it is not on disk.

        Two processes that ask for the same run wait for each other, and the second
        loads what the first has fitted. A fit that was killed resumes.
        """
        if run := self.find(request):
            return run
        path = self.path(request)
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock")):
            if path.exists() and (run := self.find(request)):
                return run
            module = import_module(fit_module(request.study))
            checkpoint = path.with_name(f".{path.name}.checkpoint.safetensors")
            with measured() as facts:
                fitted = module.fit(
                    request,
                    device=device,
                    threads=threads,
                    checkpoint=checkpoint,
                    checkpoint_seconds=checkpoint_seconds,
                )
            provenance = {
                **facts,
                **git_state(),
                "machine": machine(fitted.facts["compute"]["device"]),
                "versions": versions(),
                "code": fingerprint(module.__name__),
                "data_checksum": request.data_checksum,
            }
            write_run(path, fitted, request, provenance)
            checkpoint.unlink(missing_ok=True)
        return Run(path)

    def runs(self, study=None):
        """Yield every finished run, local before committed, sorted by folder."""
        for root in filter(None, (self.local, self.committed)):
            for path in sorted(root.glob(f"{study or '*'}/[!.]*")):
                if (path / "files.json").exists():
                    yield Run(path)


def why_refit(run):
    """Say why a run would be fitted anew today, or return an empty list."""
    changed = changed_modules(fit_module(run.request["study"]), run.provenance["code"])
    return [f"{name} has changed since" for name in changed]
