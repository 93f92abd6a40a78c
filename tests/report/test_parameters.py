import pytest

from shortlib.report.parameters import injected_names, prepare, reference_runs
from shortlib.runs import Store
from shortlib.studies.registry import load_study, plan

STUDY = "spatial-specificity-synthetic"
OWN = ("specificities", "epochs", "rho", "mu_a", "mu_s")


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """The globals of a notebook after its parameters cell; call to inject parameters."""
    monkeypatch.setattr("shortlib.runs.locations.project_root", lambda: None)

    def after(**given):
        standard = {"profile": "smoke", "data": "squares", "data_root": "", "seeds": None}
        standard |= {"device": "cpu", "results_dir": str(tmp_path / "runs"), "export_dir": ""}
        injected = "# Parameters\n" + "".join(f"{k} = {v!r}\n" for k, v in given.items())
        return standard | dict.fromkeys(OWN) | given | {"In": ["", "profile = 1", injected, "x"]}

    return after


def test_only_papermills_own_cell_counts():
    cells = ["", "a = 1\nimport os", "# Parameters\nprofile = 'smoke'\nrho = 0.5\n", "b = 2"]
    assert injected_names(cells) == ["profile", "rho"]
    assert injected_names(["", "a = 1", "# Parameters of the model are below\n"]) == []
    assert injected_names([]) == []


def test_a_name_that_the_notebook_does_not_know_lists_those_it_does(notebook):
    known = "profile, data, data_root, seeds, device, results_dir, export_dir, specificities"
    with pytest.raises(ValueError, match=f"no parameter 'sedes'; it has {known}, epochs, rho"):
        prepare(STUDY, notebook(sedes=3), own=OWN)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"profile": "huge"}, "profile must be one of smoke, workshop, reference, paper, got 'hug"),
        ({"data": "circles"}, "'circles' with profile 'smoke'; it runs on squares with smoke"),
        ({"seeds": "3"}, "seeds is a whole number of seeds, at least 1, got '3'"),
        ({"device": "tpu"}, "device must be cpu, cuda or auto, got 'tpu'"),
        ({"rho": 2.0}, r"rho is a probability in \[0, 1\], got 2.0"),
        ({"epochs": -1}, "epochs is a whole number of epochs, at least 1, got -1"),
        ({"specificities": [0]}, r"from 1 to 40, got \[0\]"),
    ],
)
def test_a_value_that_makes_no_sense_stops_with_what_does(notebook, given, sentence):
    with pytest.raises(ValueError, match=sentence):
        prepare(STUDY, notebook(**given), own=OWN)


def test_a_results_dir_that_is_a_file_is_named(notebook, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"results_dir .*file is no folder"):
        prepare(STUDY, notebook(results_dir=str(tmp_path / "file")), own=OWN)


def test_a_chapter_holds_the_runs_and_what_was_changed(notebook, monkeypatch):
    asked = []

    def fit(store, requests, *, device):
        asked.append((store.local, [r.name for r in requests], device))
        assert {r.data_root for r in requests} == {None}  # "" is the usual place, not this folder
        return list(requests)

    monkeypatch.setattr("shortlib.report.parameters.fit_or_load_all", fit)
    given = notebook(seeds=2, specificities=[1, 40], rho=0.9, data="")
    chapter = prepare(STUDY, given, own=OWN)
    requests = plan(STUDY, "smoke", seeds=2, specificities=[1, 40], rho=0.9)
    assert [r.name for r in chapter.runs] == [r.name for r in requests]
    assert str(asked[0][0]) == given["results_dir"]
    assert asked[0][1:] == ([r.name for r in requests], "cpu")
    assert chapter.study.NAME == STUDY
    assert chapter.reference == []
    assert (chapter.profile, chapter.data) == ("smoke", "squares")
    assert chapter.changed == {"specificities": [1, 40], "rho": 0.9}


def test_reference_runs_are_those_on_disk_and_none_is_fitted(fitted_run, store, monkeypatch):
    monkeypatch.setattr(Store, "fit_or_load", lambda *_, **__: pytest.fail("fitted"))
    assert reference_runs(STUDY, store) == []
    whole = {request.name: request for request in plan(STUDY, "smoke")}
    monkeypatch.setattr(Store, "find", lambda self, request: whole.get(request.name))
    assert reference_runs(STUDY, store, profile="smoke") == list(whole.values())


@pytest.fixture
def of_two(store, monkeypatch):
    """The study as if it ran on two data sets; a function that puts runs on disk."""
    study = load_study(STUDY)
    stated = {"made": ["smoke", "reference"], "open": ["reference"], "real": ["paper"]}
    book = {**study.profiles(), "combinations": stated}
    monkeypatch.setattr(study, "profiles", lambda: book)
    there = {}
    monkeypatch.setattr(Store, "find", lambda self, request: there.get(request))

    def put(data, seeds=(0, 1, 2), without=None):
        asked = [r for r in plan(STUDY, "reference", data=data) if r.seed in seeds]
        there.update({r: r for r in asked if (r.seed, r.variant) != without})

    put.asked = lambda data, *seeds: [
        r for r in plan(STUDY, "reference", data=data) if r.seed in seeds
    ]
    return put


def test_reference_runs_are_of_all_data_sets_or_of_the_one_that_is_named(of_two, store):
    of_two("made")
    of_two("open", seeds=(0,))
    made, other = of_two.asked("made", 0, 1, 2), of_two.asked("open", 0)
    assert reference_runs(STUDY, store) == [*made, *other]
    assert reference_runs(STUDY, store, data="") == [*made, *other]  # as notebooks give it
    assert reference_runs(STUDY, store, data="made") == made
    assert reference_runs(STUDY, store, data="open") == other
    assert reference_runs(STUDY, store, data="real") == []
    with pytest.raises(ValueError, match="does not run on data 'circles'"):
        reference_runs(STUDY, store, data="circles")
    with pytest.raises(ValueError, match="profile must be one of"):
        reference_runs(STUDY, store, data="real", profile="huge")


def test_an_incomplete_seed_is_left_out_of_its_own_data_set_only(of_two, store):
    of_two("made", without=(1, "minibatch-r04"))
    of_two("open", seeds=(1,))
    expected = [*of_two.asked("made", 0, 2), *of_two.asked("open", 1)]
    assert reference_runs(STUDY, store) == expected


@pytest.mark.parametrize("data", ["", "made"])
def test_a_chapter_has_the_reference_runs_of_all_data_sets(of_two, notebook, monkeypatch, data):
    monkeypatch.setattr(
        "shortlib.report.parameters.fit_or_load_all", lambda store, requests, **_: list(requests)
    )
    of_two("made")
    of_two("open")
    chapter = prepare(STUDY, notebook(data=data), own=OWN)
    assert list(dict.fromkeys(run.data for run in chapter.reference)) == ["made", "open"]
    assert chapter.data == "made"
    assert {run.data for run in chapter.runs} == {"made"}
