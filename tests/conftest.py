"""What tests share: a store of one's own, the smallest real run, and runs made by hand."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

STUDY = "spatial-specificity-synthetic"


@pytest.fixture(scope="session")
def smoke_request():
    """The smallest request of the synthetic study: a fit takes a tenth of a second."""
    from shortlib.studies.registry import plan

    request = plan(STUDY, "smoke")[0]
    return replace(request, settings={**request.settings, "m": 20, "n_test": 40})


@pytest.fixture
def store(tmp_path):
    from shortlib.runs import Store

    return Store(tmp_path / "runs")


@pytest.fixture(scope="session")
def _fitted_once(smoke_request, tmp_path_factory):
    from shortlib.runs import Store

    return Store(tmp_path_factory.mktemp("fitted")).fit_or_load(smoke_request, device="cpu").path


@pytest.fixture
def fitted_run(_fitted_once, store, smoke_request):
    """Folder of the finished run of `smoke_request` in `store`, to be spoilt at will."""
    path = store.path(smoke_request)
    shutil.copytree(_fitted_once, path)
    return path


@pytest.fixture(scope="session")
def make_run(tmp_path_factory, smoke_request):
    """Write a run of the synthetic study by hand, without a fit; returns the run."""
    from shortlib.runs import Run
    from shortlib.runs.code import fingerprint, fit_module
    from shortlib.runs.folder import Fitted, write_run
    from shortlib.studies.registry import load_study
    from shortlib.studies.spatial_specificity_synthetic.fit import cohorts

    study = load_study(STUDY)

    def make(r=1, *, batch="printed", seed=0, scores=None, facts=None, model=None, **settings):
        settings = {**smoke_request.settings, "m": 30, "n_test": 60, "r": r, **settings}
        settings["data_model"] = {**settings["data_model"], "mu_y": 0.5, **(model or {})}
        settings["batch_size"] = study.profiles()["batches"][batch]
        request = replace(
            smoke_request, variant=study.variant_name(batch, r), settings=settings, seed=seed
        )
        test = cohorts(settings, seed)["test"]
        rng = np.random.default_rng([r, seed, len(batch)])
        tables = [
            pd.DataFrame(
                {
                    "case_id": test.case_ids,
                    "split": "test",
                    "view": "plain",
                    "label": test.labels,
                    "shortcut": test.shortcut.astype("int8"),
                    "selection": rule,
                    "score": scores(test, rule) if scores else rng.random(len(test)),
                }
            ).sample(frac=1, random_state=r)
            for rule in ("test", "validation")
        ]
        embedded = np.random.default_rng(0).permutation(len(test))[: len(test) // 2]
        fitted = Fitted(
            predictions=pd.concat(tables),
            history=pd.DataFrame(
                {"epoch": [1, 2, 3]}
                | {f"{part}_loss": rng.random(3) for part in ("train", "validation", "test")}
            ),
            weights={},
            embeddings={"test": torch.from_numpy(rng.standard_normal((len(embedded), 5))).half()},
            embedded_ids=[str(i) for i in test.case_ids[embedded]],
        )
        provenance = {
            "best_epochs": {"test": 2, "validation": 3},
            "code": fingerprint(fit_module(STUDY)),
            "cohort_checksums": {"test": "feedc0ffee" + "0" * 54},
            "commit": "0123456789abcdef",
            "dirty": False,
            "compute": {"precision": "float32"},
            "machine": "a machine, 2 cores",
            "peak_memory_mib": 500 + r,
            "started": f"2024-01-0{seed + 1}T00:00:00+00:00",
            "wall_seconds": 1800.0,
        }
        path = tmp_path_factory.mktemp("by-hand") / STUDY / request.name
        write_run(path, fitted, request, {**provenance, **(facts or {})})
        return Run(path)

    return make


@pytest.fixture(scope="session")
def open_data():
    """Folder of real images for the loaders; tests that want it are skipped without it."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SHORTLIB_OPEN_DATA", beside))
    if not folder.is_dir():
        pytest.skip("no real images here; SHORTLIB_OPEN_DATA names their folder")
    return folder
