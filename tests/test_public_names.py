"""Names and signatures that others rely on."""

import inspect
from importlib import import_module

import pytest

import shortlib.data
import shortlib.data.phantoms
import shortlib.explain
import shortlib.metrics

PROMISED = {
    "auroc": "(y_true, y_score)",
    "auroc_interval": "(y_true, y_score, *, level=0.95, n_resamples=2000, seed=0)",
    "robust_auroc": "(y_true, y_score, shortcut)",
    "variance_measure": "(images, labels)",
    "mutual_information": "(a, b, where=None)",
    "variance_closed_form": "(r, *, n, a, b, mu_a, mu_s, sigma)",
    "mutual_information_closed_form": "(r, *, n, a, b)",
    "anatomic_knowledge_score": "(saliency, mask)",
    "soft_dice": "(saliency, mask)",
    "dice": "(predicted, target)",
    "dice_of_counts": "(counts)",
    "activation_precision": "(saliency, mask, *, top=0.05)",
}


@pytest.mark.parametrize("name", PROMISED)
def test_metrics_have_the_promised_signatures(name):
    assert name in shortlib.metrics.__all__
    assert str(inspect.signature(getattr(shortlib.metrics, name))) == PROMISED[name]


def test_grad_cam_has_the_promised_signature():
    """Under the name of the module that it is defined in, which stays a module to import from."""
    assert str(inspect.signature(shortlib.explain.grad_cam)) == (
        "(model, layer, images, targets, *, create_graph=False)"
    )
    module = import_module("shortlib.explain.grad_cam")
    assert module.grad_cam is shortlib.explain.grad_cam


def test_the_synthetic_data_have_the_promised_signatures():
    assert str(inspect.signature(shortlib.data.phantoms.squares)) == (
        "(m, *, n=40, mu_y=0.9, rho=1.0, mu_a=2.0, mu_s=-10.0, sigma=1.0, a=8, b=12, "
        "train=True, seed=0)"
    )
    assert str(inspect.signature(shortlib.data.specificity_labels)) == "(masks, r)"
    assert isinstance(shortlib.data.phantoms.squares(3), shortlib.data.Cohort)
