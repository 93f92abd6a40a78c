"""Every open data set that is here, from its files to one epoch of training."""

import warnings

import numpy as np
import pytest

from shortlib.data.sets import load
from shortlib.methods.erm import fit_erm
from shortlib.methods.training import Rule, Schedule

# Data set to its folder among the open data, the parts that are trained on, the cases there, and
# options of its reader. ISIC's validation images will do: its reader's own test opens all of them.
# Sunnybrook's four studies have one diagnosis: the loop must run on it, and nothing can be learnt.
SETS = {
    "covid-cxr-lungmask": ("covid_cxr_lungmask", None, 480, {}),
    "nih-cxr14-starter": ("nih_cxr14_starter", None, 621, {}),
    "ieee8023-image-text": ("ieee8023_image_text", None, 183, {}),
    "isic2018-task1-256": ("isic2018_task1_256", "val", 259, {}),
    "openi-reports": ("openi_reports", None, 4, {}),
    "sunnybrook-cine": ("sunnybrook_cine", None, 4, {"groups": ("HF-I",)}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_a_cohort_of_an_open_set_trains_one_epoch(name, open_data, toy):
    folder, split, n, options = SETS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # nothing may be left out
        cohort = load(name, split, root=open_data / folder, size=64, **options)
    assert len(cohort) == n
    model, trained = fit_erm(
        cohort,
        {"train": cohort},
        network="cnn-small",
        schedule=Schedule(epochs=1, batch_size=32, learning_rate=1e-3),
        rules={"train": Rule("train_loss")},
        compute=toy.CPU,
        seed=0,
    )
    assert np.isfinite(trained.history[0]["train_loss"])
    assert sum(p.grad is not None for p in model.parameters()) == len(list(model.parameters()))
