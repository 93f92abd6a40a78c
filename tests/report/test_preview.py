import numpy as np
import pandas as pd
import pytest

from shortlib.data.index import Index
from shortlib.data.problems import DataError
from shortlib.report.preview import LOOKS, contact_sheet


def index_of(tmp_path, n=12, channels=1, *, labels=None, planes=None, broken=(), shortcuts=()):
    cases = pd.DataFrame({"case_id": [f"c{i}" for i in range(n)], "patient_id": "p"})
    cases["split"] = ["train", "test"] * (n // 2)
    cases["number"] = range(n)
    labels = {"label": [i % 2 for i in range(n)]} if labels is None else labels
    cases = cases.assign(**labels, **{name: cases["number"] % 3 == 0 for name in shortcuts})

    def image(case, size):
        if case["number"] in broken:
            raise DataError("missing image", "there is no such file", path="x.png")
        rng = np.random.default_rng(case["number"])
        pixels = rng.integers(0, 256, (channels, size, size), np.uint8)
        return pixels / np.float32(255) if channels == 2 else pixels

    def masks(names):
        def read(case, size):
            found = np.zeros((len(names), size, size), bool)
            for k in range(len(names)):
                found[k, 4 : 12 + k, 4 : 14 + k] = True
            return found if len(names) > 1 else found[0]

        return read

    readers = {"images": image, **{f: masks(names or [""]) for f, names in (planes or {}).items()}}
    return Index(
        "set",
        tmp_path,
        cases,
        readers,
        32,
        labels=tuple(labels),
        label_names=("benign", "malignant") if list(labels) == ["label"] else (),
        shortcuts=shortcuts,
        planes={f: tuple(names) for f, names in (planes or {}).items() if names},
    )


def tiles(figure):
    return [axis for axis in figure.axes if axis.axison]


def captions(figure):
    return [axis.get_xlabel() for axis in tiles(figure)]


def legend(figure):
    return [text.get_text() for box in figure.legends for text in box.get_texts()]


def outlines(axis):
    """Colour and extent, left to right, of each outline."""
    return [(c.get_edgecolor()[0], c.get_paths()[0].get_extents().x0) for c in axis.collections]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_tile_a_case_with_its_label_below(tmp_path, channels):
    figure = contact_sheet(index_of(tmp_path, channels=channels), n=6)
    assert len(tiles(figure)) == 6
    names = [caption.split("\n")[1] for caption in captions(figure)]
    assert names == ["benign"] * 3 + ["malignant"] * 3
    assert figure.legends == []


def test_rare_labels_are_shown_as_often_as_frequent_ones(tmp_path):
    index = index_of(tmp_path, n=40, labels={"label": [int(i in (7, 20)) for i in range(40)]})
    names = [caption.split("\n")[1] for caption in captions(contact_sheet(index, n=10))]
    assert names.count("malignant") == 2
    findings = {"Edema": [1.0] * 40, "Mass": [float(i == 5) for i in range(40)]}
    shown = captions(contact_sheet(index_of(tmp_path, n=40, labels=findings), n=4))
    assert any("c5\n" in caption and "Edema, Mass" in caption for caption in shown)


def test_a_part_and_a_seed_say_which_cases(tmp_path):
    index = index_of(tmp_path, n=40)
    shown = {caption.split("\n")[0] for caption in captions(contact_sheet(index, "test", n=99))}
    assert shown == {f"c{i}" for i in range(1, 40, 2)}
    first = captions(contact_sheet(index, n=6))
    assert first == captions(contact_sheet(index, n=6))
    assert first != captions(contact_sheet(index, n=6, seed=1))


def test_findings_that_are_uncertain_have_a_question_mark(tmp_path):
    labels = {"Edema": [1, -1, 0, np.nan] * 3, "Mass": [1, 0, 0, np.nan] * 3}
    shown = set(captions(contact_sheet(index_of(tmp_path, labels=labels), n=12)))
    assert {"c0\nEdema, Mass", "c1\nEdema?", "c2\nno finding", "c3\nno finding"} <= shown


def test_what_a_case_carries_is_said(tmp_path):
    shown = captions(contact_sheet(index_of(tmp_path, shortcuts=("ruler", "ink")), n=12))
    assert all(("with ruler, ink" in c) == (int(c[1 : c.index("\n")]) % 3 == 0) for c in shown)


def test_every_mask_is_outlined_in_a_colour_of_its_own(tmp_path):
    planes = {
        "anatomy_masks": ["lung", "heart"],
        "abnormality_masks": [],
        "shortcut_masks": ["tube"],
    }
    figure = contact_sheet(index_of(tmp_path, planes=planes), n=4)
    assert sorted(legend(figure)) == ["abnormality", "heart", "lung", "tube"]
    for axis in tiles(figure):
        colours = {tuple(colour) for colour, _ in outlines(axis)}
        assert len(axis.collections) == len(colours) == 4


def test_an_outline_lies_on_the_mask(tmp_path):
    figure = contact_sheet(index_of(tmp_path, planes={"abnormality_masks": []}), n=1, size=32)
    box = tiles(figure)[0].collections[0].get_paths()[0].get_extents()
    assert (box.x0, box.x1, box.y0, box.y1) == (3.5, 13.5, 3.5, 11.5)


def test_a_pair_of_phases_lies_side_by_side_with_the_masks_of_each(tmp_path):
    planes = {"anatomy_masks": ["LV ED", "LV ES"], "shortcut_masks": []}
    figure = contact_sheet(index_of(tmp_path, channels=2, planes=planes), n=1, size=32)
    (axis,) = tiles(figure)
    assert axis.get_images()[0].get_array().shape == (32, 64)
    assert legend(figure) == ["LV", "shortcut"]
    left = [x for _, x in outlines(axis)]
    assert left == [3.5, 35.5, 3.5, 35.5]


def test_the_empty_margin_around_a_pair_is_cut_off(tmp_path):
    index = index_of(tmp_path, channels=2, planes={"anatomy_masks": ["LV ED", "LV ES"]})
    read = index.readers["images"]

    def padded(case, size):
        image = read(case, size)
        image[:, :3], image[:, :, -5:] = 0, 0
        return image

    index.readers["images"] = padded
    (axis,) = tiles(contact_sheet(index, n=1, size=32))
    assert axis.get_images()[0].get_array().shape == (29, 54)
    box = axis.collections[0].get_paths()[0].get_extents()
    assert (box.x0, box.y0) == (3.5, 0.5)


def test_a_shortcut_that_is_alone_has_its_name_in_the_legend(tmp_path):
    index = index_of(tmp_path, planes={"shortcut_masks": []}, shortcuts=("heavy habitus",))
    assert legend(contact_sheet(index, n=2)) == ["heavy habitus"]


def test_a_case_that_cannot_be_read_says_why_in_its_tile(tmp_path):
    figure = contact_sheet(index_of(tmp_path, n=4, broken=(0, 1)), n=4)
    said = [" ".join(t.get_text() for t in axis.texts) for axis in tiles(figure)]
    assert sum("missing image" in text.replace("\n", " ") for text in said) == 2
    contact_sheet(index_of(tmp_path, n=4, broken=range(4)), n=4)


def test_planes_of_one_family_do_not_share_a_colour():
    for colours, _, _ in LOOKS.values():
        assert len(set(colours)) == len(colours)
    families = [set(colours) for colours, _, _ in LOOKS.values()]
    assert not set.intersection(*families)


def test_it_can_be_saved_and_wrong_arguments_are_named(tmp_path):
    index = index_of(tmp_path, planes={"shortcut_masks": []})
    contact_sheet(index, n=3).savefig(tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 1000
    with pytest.raises(ValueError, match="n is a number of cases, at least 1, got 0"):
        contact_sheet(index, n=0)
    with pytest.raises(DataError, match="no case in 'tune'"):
        contact_sheet(index, "tune")
