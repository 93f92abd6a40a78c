import numpy as np
import pandas as pd
import pytest

from shortlib.data import Cohort
from shortlib.data.views import VIEWS
from shortlib.shortcuts.watermark import Watermark, view_of_label
from shortlib.studies.clip_watermarks.scoring import SEED, mark_cases

FINDINGS = ("Edema", "Cardiomegaly", "Effusion")
MARK = Watermark(symbols=("E", "C", "P"))
SIDE, N = 56, 30
WEIGHTS = np.random.default_rng(5).normal(size=(3, SIDE * SIDE)) / SIDE


def predict(images):
    """Scores that every pixel has a part in, another one for each finding."""
    return (np.asarray(images).reshape(len(images), -1) @ WEIGHTS.T).astype(np.float32)


def cohort(n=N, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.choice([0.0, 1.0, -1.0, np.nan], (n, 3), p=[0.4, 0.3, 0.15, 0.15])
    return Cohort(
        "films",
        np.array([f"case-{i:02d}" for i in rng.permutation(n)]),
        rng.integers(0, 200, (n, 1, SIDE, SIDE), dtype=np.uint8),
        labels=labels.astype(np.float32),
        label_names=FINDINGS,
    )


@pytest.fixture(scope="module")
def tested():
    return mark_cases(cohort(), MARK)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("finding", FINDINGS)
def test_scores_are_those_of_the_views_own_images(tested, view, finding):
    k, whole = FINDINGS.index(finding), cohort()
    table = tested.table(*tested.scores(predict))
    rows = table[(table["view"] == view) & (table["finding"] == finding)].set_index("case_id")
    seen = view_of_label(whole, view, finding, MARK, seed=SEED)
    carries = np.zeros(len(seen), bool) if view == "plain" else seen.shortcut
    labels, kept = seen.labels[:, k], 0
    for i, case_id in enumerate(seen.case_ids):
        if labels[i] not in (0, 1):
            assert case_id not in rows.index
            continue
        kept += 1
        assert rows.loc[case_id, "score"] == predict(np.asarray(seen.images[i])[None])[0, k]
        assert rows.loc[case_id, "label"] == labels[i]
        assert rows.loc[case_id, "shortcut"] == carries[i]
    assert len(rows) == kept > 5


def test_the_shortcut_is_on_the_positives_or_on_the_negatives(tested):
    table = tested.table(*tested.scores(predict))
    of = {view: part for view, part in table.groupby("view")}
    assert not of["plain"]["shortcut"].any()
    assert (of["aligned"]["shortcut"] == of["aligned"]["label"]).all()
    assert (of["adversarial"]["shortcut"] == 1 - of["adversarial"]["label"]).all()


def test_a_case_without_its_symbol_scores_as_it_does_plain(tested):
    table = tested.table(*tested.scores(predict))
    plain = table[table["view"] == "plain"].set_index(["finding", "case_id"])["score"]
    bare = table[table["shortcut"] == 0].set_index(["finding", "case_id"])["score"]
    pd.testing.assert_series_equal(bare, plain.loc[bare.index])
    marked = table[table["shortcut"] == 1].set_index(["finding", "case_id"])["score"]
    assert (marked != plain.loc[marked.index]).all()


def test_marked_images_differ_from_plain_inside_the_masks_alone(tested):
    whole = cohort()
    for k, finding in enumerate(FINDINGS):
        marked, masks = tested.marked[finding], tested.masks[finding]
        changed = (marked != whole.images)[:, 0]
        assert not changed[~masks].any()
        known = np.isin(whole.labels[:, k], (0, 1))
        assert changed[known].any(axis=(1, 2)).all()
        assert not masks[~known].any()
        assert (marked >= whole.images).all()  # the ink is white
    assert np.array_equal(tested.cohort.images, cohort().images)  # not drawn in place


def test_some_views_are_some_of_the_rows(tested):
    scores = tested.scores(predict)
    table = tested.table(*scores)
    some = tested.table(*scores, views=("adversarial",))
    due = table[table["view"] == "adversarial"].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        some.sort_values(["finding", "case_id"], ignore_index=True),
        due.sort_values(["finding", "case_id"], ignore_index=True),
    )


def test_some_cases_are_marked_as_they_are_among_all(tested):
    for index in (slice(3, 9), np.array([20, 4])):
        part, alone = tested[index], mark_cases(cohort()[index], MARK)
        for finding in FINDINGS:
            assert np.array_equal(part.marked[finding], alone.marked[finding])
            assert np.array_equal(part.masks[finding], alone.masks[finding])
        assert part.cohort.case_ids.tolist() == cohort().case_ids[index].tolist()


def test_one_finding_and_one_class_are_enough():
    whole = cohort()
    alone = Cohort("one", whole.case_ids, whole.images, labels=np.ones((N, 1)), label_names=("X",))
    table = mark_cases(alone, Watermark(symbols=("X",))).scores(lambda x: predict(x)[:, :1])
    assert table[0].shape == table[1].shape == (N, 1)
    assert (table[0] != table[1]).all()
