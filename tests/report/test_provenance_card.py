import pytest

from shortlib.report.provenance_card import provenance_card


def lines_of(card):
    """What follows each bold word."""
    rows = (
        line.removeprefix("- **").split("**: ", 1) for line in card.splitlines() if "**" in line
    )
    return dict(rows)


def test_a_card_states_all_that_a_reader_asks(make_run):
    card = provenance_card([make_run(4)])
    assert card.startswith(":::{dropdown} Where this comes from\n")
    assert card.endswith("\n:::\n")
    told = lines_of(card)
    assert told["Runs"] == "1 of spatial-specificity-synthetic; profile smoke; seeds 0"
    assert told["Commit"] == "`0123456789`"
    assert "network fcn-tiny" in told["Parameters"]
    assert "mu_s -10.0" in told["Parameters"]  # settings of the data model are among them
    assert told["Varied"] == "none"
    assert told["Data"] == "squares; checksum of the data: `feedc0ffee` (test)"
    assert told["Device"] == "a machine, 2 cores, float32"
    assert told["Time"] == "0.50 h of fitting in all; started 2024-01-01T00:00:00+00:00"
    assert told["Peak memory"] == "504 MiB a fit"
    assert "Code changed since" not in told


def test_what_runs_share_and_what_varies_are_told_apart(make_run):
    runs = [make_run(r, batch=b, seed=s) for s in (0, 1) for b in ("printed", "minibatch")
            for r in (1, 4, 40)]  # fmt: skip
    told = lines_of(provenance_card(runs))
    assert told["Runs"].endswith("seeds 0 (×6), 1 (×6)")
    assert told["Varied"] == "batch_size: 15, 150; r: 1, 4, 40"
    assert "batch_size" not in told["Parameters"]
    assert told["Time"] == "6.00 h of fitting in all; started 2024-01-01T00:00:00+00:00"
    assert told["Peak memory"] == "540 MiB a fit"


def test_a_setting_of_the_data_model_can_vary(make_run):
    told = lines_of(provenance_card([make_run(1), make_run(1, model={"rho": 0.8})]))
    assert told["Varied"] == "rho: 0.8, 1.0"
    assert "mu_a 2.0" in told["Parameters"]


def test_settings_of_one_name_are_told_apart_by_where_they_stand(make_run):
    runs = [make_run(4), make_run(4)]
    for run, there in zip(runs, (4, 5), strict=True):
        run.settings["training"] = {"epochs": 3, "decay": "cosine"}
        run.settings["pretraining"] = {"epochs": there}
    told = lines_of(provenance_card(runs))
    assert "training epochs 3" in told["Parameters"]
    assert "decay cosine" in told["Parameters"]
    assert "pretraining epochs: 4, 5" in told["Varied"]


def test_a_setting_that_some_runs_lack_varies(make_run):
    told = lines_of(provenance_card([make_run(1), make_run(4, dropout=0.5)]))
    assert "dropout: –, 0.5" in told["Varied"]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"dirty": True}, "`0123456789` with changes not committed"),
        ({"commit": None, "dirty": None}, "outside a checkout"),
    ],
)
def test_code_that_was_not_committed_is_marked(make_run, facts, said):
    assert lines_of(provenance_card([make_run(facts=facts)]))["Commit"] == said


def test_runs_of_several_commits_are_counted(make_run):
    runs = [make_run(1), make_run(4), make_run(40, facts={"commit": "f" * 40})]
    told = lines_of(provenance_card(runs))
    assert told["Commit"] == "`0123456789` (×2), `ffffffffff` (×1)"


def test_modules_that_have_changed_since_are_named(make_run):
    run = make_run()
    made_by = {**run.provenance["code"], "shortlib.models.fcn": "0" * 16, "shortlib.gone": "1" * 16}
    told = lines_of(provenance_card([make_run(4), make_run(40, facts={"code": made_by})]))
    assert told["Code changed since"] == "shortlib.gone, shortlib.models.fcn"


def test_each_data_set_has_its_own_checksum(make_run, monkeypatch):
    runs = [make_run(r) for r in (1, 4)]
    other = make_run(40, facts={"cohort_checksums": {}, "data_checksum": "0123456789" + "a" * 54})
    monkeypatch.setitem(other.request, "data", "circles")
    told = lines_of(provenance_card([*runs, other]))
    assert told["Data"] == (
        "squares; checksum of the data: `feedc0ffee` (test). "
        "circles; checksum of the data: `0123456789`"
    )


def test_without_a_run_the_card_says_so():
    assert "No run is on disk." in provenance_card([], title="A title")
