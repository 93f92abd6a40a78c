import copy

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from shortlib.data import Cohort
from shortlib.methods.classification import fit_classes
from shortlib.methods.compute import choose_compute
from shortlib.methods.erm import predict_erm
from shortlib.methods.linear_probe import fit_linear_probe
from shortlib.methods.training import Schedule
from shortlib.models.phases import build_phase_network

COMPUTE = choose_compute("cpu", "cnn-small")
SCHEDULE = Schedule(epochs=2, batch_size=8, learning_rate=0.01)


def cohort_of(labels, names=("a", "b", "c"), seed=0):
    """Images whose two phases are as bright as the class says, with noise."""
    rng = np.random.default_rng(seed)
    labels = np.asarray(labels)
    images = rng.random((len(labels), 2, 32, 32)) * 0.3 + labels[:, None, None, None] * 0.3
    ids = np.array([f"case-{i}" for i in range(len(labels))])
    return Cohort("toy", ids, images.astype(np.float32), labels=labels, label_names=names)


def network(outputs=3, seed=0):
    torch.manual_seed(seed)
    return COMPUTE.place(build_phase_network("cnn-small", outputs=outputs))


@pytest.fixture(scope="module")
def cohort():
    return cohort_of(np.arange(24) % 3)


def test_training_learns_what_is_to_be_learned_and_keeps_the_last_epoch(cohort):
    model = network()
    schedule = Schedule(epochs=12, batch_size=8, learning_rate=0.01)
    trained = fit_classes(model, cohort, schedule=schedule, compute=COMPUTE, seed=0)
    assert [row["epoch"] for row in trained.history] == list(range(1, 13))
    assert trained.weights == {}
    assert (predict_erm(model, cohort.images, COMPUTE)[0].argmax(axis=1) == cohort.labels).all()


def test_the_loss_is_the_cross_entropy_of_logits_with_one_softmax(cohort):
    model = network()
    start = copy.deepcopy(model).train()
    with torch.no_grad():
        chances = start(torch.from_numpy(cohort.images)).softmax(dim=1).numpy()
    expected = -np.log(chances[np.arange(24), cohort.labels]).mean()
    one = Schedule(epochs=1, batch_size=24, learning_rate=1e-9)
    trained = fit_classes(model, cohort, schedule=one, compute=COMPUTE, seed=0)
    assert trained.history[0]["train_loss"] == pytest.approx(expected, rel=1e-4)


def test_balanced_weights_let_each_class_count_alike():
    labels = np.array([0] * 12 + [1] * 3 + [2])
    cohort, found = cohort_of(labels), {}
    for kind in ("none", "balanced"):
        model = network()
        one = Schedule(epochs=1, batch_size=16, learning_rate=1e-9)
        start = copy.deepcopy(model).train()
        with torch.no_grad():
            each = -start(torch.from_numpy(cohort.images)).log_softmax(dim=1)
        each = each[torch.arange(16), torch.from_numpy(labels)].numpy()
        trained = fit_classes(
            model, cohort, schedule=one, compute=COMPUTE, seed=0, class_weights=kind
        )
        found[kind] = trained.history[0]["train_loss"], each
    loss, each = found["none"]
    assert loss == pytest.approx(each.mean(), rel=1e-4)
    loss, each = found["balanced"]
    by_class = [each[labels == k].mean() for k in range(3)]
    assert loss == pytest.approx(np.mean(by_class), rel=1e-4)


def test_what_comes_before_the_augmentation_gets_the_batch_and_its_cases(cohort):
    steps = []

    def before(images, index):
        np.testing.assert_array_equal(images.numpy(), cohort.images[index.numpy()])
        steps.append("before")
        return images * 0

    def augment(images):
        assert (images == 0).all()
        steps.append("augment")
        return images

    fit_classes(
        network(),
        cohort,
        schedule=SCHEDULE,
        compute=COMPUTE,
        seed=0,
        before=before,
        augment=augment,
    )
    assert steps == ["before", "augment"] * 6


def test_what_cannot_be_trained_on_is_refused(cohort):
    options = {"schedule": SCHEDULE, "compute": COMPUTE, "seed": 0}
    with pytest.raises(ValueError, match="class_weights must be one of none, balanced, got 'all'"):
        fit_classes(network(), cohort, class_weights="all", **options)
    lacking = cohort_of([0, 0, 2, 2])
    with pytest.raises(ValueError, match="no training case has class 1"):
        fit_classes(network(), lacking, class_weights="balanced", **options)
    several = Cohort(
        "toy", cohort.case_ids, cohort.images, labels=np.zeros((24, 2)), label_names=("a", "b")
    )
    with pytest.raises(ValueError, match=r"one class a case, got shape \(24, 2\)"):
        fit_classes(network(2), several, **options)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_probe_is_scikit_learns_regression_on_scaled_embeddings(classes):
    names = ("a", "b", "c")[:classes]
    cohort = cohort_of(np.arange(30) % classes, names=names)
    model = network(classes)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    embedded = predict_erm(model, cohort.images, COMPUTE)[1].astype(float)
    scale = embedded.std(axis=0)
    scaled = (embedded - embedded.mean(axis=0)) / np.where(scale == 0, 1, scale)
    expected = LogisticRegression(max_iter=5000).fit(scaled, cohort.labels).predict_proba(scaled)
    fit_linear_probe(model, cohort, COMPUTE)
    logits = predict_erm(model, cohort.images, COMPUTE)[0]
    found = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    for name, value in model.state_dict().items():
        assert name.startswith("head") or torch.equal(value, before[name])


def test_a_probe_needs_every_class():
    with pytest.raises(ValueError, match="cohort 'toy' has no training case of class 'b'"):
        fit_linear_probe(network(), cohort_of([0, 2, 0, 2]), COMPUTE)
