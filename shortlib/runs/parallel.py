"""Many runs at once: what is on disk is loaded, the rest is fitted side by side."""

import os
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context

from tqdm import tqdm

from shortlib.methods.compute import choose_compute
from shortlib.runs.folder import Run

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class FitFailedError(RuntimeError):
    """A fit that raised an error; names the run and says what it said."""


def fit_or_load_all(store, requests, *, device="auto", jobs=None, checkpoint_seconds=120.0):
    """Return the runs of many requests; fit those that are not on disk.

    Fits run in processes of their own, with one thread each. When one fails, those that
    are running go on to their end, and no other is begun.

    Parameters
    ----------
    store : shortlib.runs.Store
    requests : iterable of shortlib.runs.request.Request
        The same one may occur more than once.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    jobs : int, optional
        Fits at a time; by default one for each core on a CPU, and one on CUDA. One at a
        time is fitted in this process.
    checkpoint_seconds : float
        Least time between two saves of a fit's state.

    Returns
    -------
    list of shortlib.runs.Run
        In the order of the requests.

    Raises
    ------
    FitFailedError
        Names the runs that could not be fitted and says why.
    ValueError
        If the device is not there, `jobs` is no positive number, or the store's folder
        can't be written to.
    """
    requests = list(requests)
    device = choose_compute(device, "").device
    if jobs is not None and (isinstance(jobs, bool) or int(jobs) != jobs or jobs < 1):
        raise ValueError(f"jobs is a number of fits at a time, at least 1, got {jobs!r}")
    wanted = {store.path(request): request for request in requests}
    runs = {path: store.find(request) for path, request in wanted.items()}
    missing = [path for path, run in runs.items() if run is None]
    if missing:
        store.check_writable()
        jobs = min(jobs or (usable_cores() if device == "cpu" else 1), len(missing))
        _say(
            f"{len(wanted) - len(missing)} of {len(wanted)} runs are on disk; "
            f"fitting {len(missing)}, {NUMBERS[jobs] if jobs < len(NUMBERS) else jobs} at a time"
        )
        options = {"device": device, "checkpoint_seconds": checkpoint_seconds}
        fit_all = _in_this_process if jobs == 1 else _side_by_side
        with _Progress(len(missing)) as progress:
            todo = [wanted[path] for path in missing]
            for request, run in fit_all(store, todo, options, jobs, progress):
                runs[store.path(request)] = run
    return [runs[store.path(request)] for request in requests]


def usable_cores():
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return getattr(os, "process_cpu_count", os.cpu_count)() or 1


def _in_this_process(store, requests, options, jobs, progress):
    for request in requests:
        start = time.perf_counter()
        try:
            run = store.fit_or_load(request, **options)
        except Exception as error:
            raise FitFailedError(_what_failed(request, error)) from error
        progress.finished(request, time.perf_counter() - start)
        yield request, run


def _side_by_side(store, requests, options, jobs, progress):
    waiting, running, failed = list(requests), {}, {}
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin_worker)
    with _one_thread_a_process(), _stopped_on_interrupt(pool):
        # Handed over one by one: what the pool has been given it can't be made to leave.
        while running or (waiting and not failed):
            while waiting and len(running) < jobs and not failed:
                request = waiting.pop(0)
                running[pool.submit(_fit_one, store, request, options)] = request
            done = wait(running, return_when=FIRST_COMPLETED).done
            for future in [future for future in running if future in done]:
                request = running.pop(future)
                try:
                    path, committed, seconds = future.result()
                except Exception as error:
                    failed[request] = error
                else:
                    progress.finished(request, seconds)
                    yield request, Run(path, committed=committed)
    if failed:
        text = "; ".join(_what_failed(request, error) for request, error in failed.items())
        if waiting:
            text += f"; {len(waiting)} more were not begun"
        raise FitFailedError(text) from next(iter(failed.values()))


def _fit_one(store, request, options):
    """Fit one run in a worker; runs are read where they are needed, not sent."""
    start = time.perf_counter()
    run = store.fit_or_load(request, **options)
    return run.path, run.committed, time.perf_counter() - start


def _what_failed(request, error):
    if isinstance(error, BrokenProcessPool):
        said = (
            "its process was ended from outside (out of memory?), or the calling script does "
            "its work outside `if __name__ == '__main__':`; the next call resumes it"
        )
    else:
        said = f"{type(error).__name__}: {error}"
    return f"fitting {request.variant} seed {request.seed} of {request.study} failed ({said})"


class _PlainStream:
    """A stream that is no terminal, so that workers draw no bars over each other's."""

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def isatty(self):
        return False


def _begin_worker():
    sys.stderr = _PlainStream(sys.stderr)


@contextmanager
def _one_thread_a_process():
    """Let the processes that are started meanwhile have one thread each."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _stopped_on_interrupt(pool):
    """Shut a pool down; end its fits at once when the caller is interrupted."""
    try:
        yield
    except BaseException:
        for process in list((pool._processes or {}).values()):
            process.terminate()  # the checkpoints stay
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


class _Progress:
    """A bar over runs in a terminal, a line a run elsewhere."""

    def __init__(self, total):
        self.total, self.done = total, 0
        self.bar = None

    def __enter__(self):
        if sys.stderr.isatty():
            self.bar = tqdm(total=self.total, desc="runs", unit="run")
        return self

    def __exit__(self, *exception):
        if self.bar is not None:
            self.bar.close()

    def finished(self, request, seconds):
        self.done += 1
        if self.bar is not None:
            self.bar.update()
        else:
            _say(
                f"[{self.done}/{self.total}] {request.variant} seed {request.seed}: {seconds:.1f} s"
            )


def _say(text):
    print(text, file=sys.stderr, flush=True)
