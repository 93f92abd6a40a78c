"""What a person looks at to choose exemplars, from a run whose weights are made by hand."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from shortlib.data.problems import DataError
from shortlib.explain.grad_cam_maps import grad_cam_maps
from shortlib.methods.compute import as_float
from shortlib.runs.folder import PREDICTION_COLUMNS, Fitted, Run, write_run
from shortlib.runs.request import Request
from shortlib.studies.exemplary_explanations.choice import came_from
from shortlib.studies.exemplary_explanations.looking import candidates_of
from shortlib.studies.exemplary_explanations.refinements import build_model
from shortlib.studies.exemplary_explanations.sources import load_parts, source_checksum
from shortlib.studies.registry import plan

SIZES = {"train": 5, "validation": 1, "test": 1}


@pytest.fixture(scope="module")
def made():
    """A run as its folder would give it, its unrefined model, and its training cases."""
    (request,) = (
        one for one in plan("exemplary-explanations", "smoke") if one.variant == "refined"
    )
    settings = {**request.settings, "side": 32}
    drawn = {**settings["source"]["drawn"], "n": SIZES}
    settings["source"] = {**settings["source"], "drawn": drawn}
    request = Request(**{**request.to_dict(), "settings": settings})
    cohort = load_parts(settings, seed=0)["train"]
    torch.manual_seed(0)
    model = build_model(settings, cohort).eval()
    weights = {f"unrefined/{name}": tensor for name, tensor in model.state_dict().items()}
    weights |= {name.replace("unrefined/", "exbl-1/"): 0 * w for name, w in weights.items()}
    return run_of(request, weights), model, cohort


def run_of(request, weights):
    return SimpleNamespace(
        settings=request.settings,
        request=request.to_dict(),
        seed=request.seed,
        weights=weights,
        path=Path(f"{request.name}-12345678"),
    )


def test_images_are_shown_with_the_unrefined_models_attention(made):
    run, model, cohort = made
    found = candidates_of(run)
    assert list(found["case_ids"]) == list(cohort.case_ids)
    np.testing.assert_array_equal(found["images"], cohort.images[:, 0])
    assert found["images"].dtype == np.uint8
    assert list(found["labels"]) == list(cohort.labels)
    with torch.no_grad():
        odds = model(as_float(torch.from_numpy(cohort.images))).softmax(dim=1).numpy()
    np.testing.assert_array_equal(found["predicted"], odds.argmax(axis=1))
    np.testing.assert_allclose(found["confidence"], odds.max(axis=1), atol=1e-5)
    slow = grad_cam_maps(model, cohort.images)[:, 0]
    np.testing.assert_allclose(found["maps"], slow, atol=1e-4)
    assert found["maps"].max() == 1
    assert found["run"] == run.path.name


def test_a_choice_from_a_rerun_is_for_the_run_that_it_replaces(made):
    run, _, cohort = made
    ids = [str(one) for one in cohort.case_ids]
    person = {"rule": "person", "good": ids[0], "bad": ids[1]}
    request = Request(**{**run.request, "settings": {**run.settings, "exemplars": person}})
    again = run_of(request, run.weights)
    assert not came_from(SimpleNamespace(run=again.path.name), run.path.name)
    found = candidates_of(again)
    assert came_from(SimpleNamespace(run=found["run"]), run.path.name)


def test_other_data_are_not_looked_at(made):
    run, _, _ = made
    other = SimpleNamespace(**{**vars(run), "request": {**run.request, "data_checksum": "other"}})
    with pytest.raises(DataError, match="have the checksum"):
        candidates_of(other)
    assert run.request["data_checksum"] == source_checksum(run.settings["source"])


def test_a_run_without_weights_says_how_to_have_them(made, tmp_path):
    request = Request(**made[0].request)
    row = dict.fromkeys(PREDICTION_COLUMNS, "a")
    fitted = Fitted(pd.DataFrame([row]), pd.DataFrame({"epoch": [1]}), made[0].weights)
    write_run(tmp_path / "run", fitted, request, {})
    (tmp_path / "run" / "weights.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="kept without weights; fit it"):
        candidates_of(Run(tmp_path / "run"))
