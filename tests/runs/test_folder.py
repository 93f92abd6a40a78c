import json
from dataclasses import replace

import pandas as pd
import pytest
import torch

from shortlib.runs.folder import (
    PREDICTION_COLUMNS,
    DamagedRunError,
    Fitted,
    Run,
    check_run,
    write_run,
)
from shortlib.runs.keeping import keep_run
from shortlib.runs.request import Request

REQUEST = Request("s", "m", "v", {"x": 1}, 0, "d", "c", 1)
PROVENANCE = {"started": "2020-01-01T00:00:00+00:00", "code": {}}


def fitted():
    row = dict(zip(PREDICTION_COLUMNS, ("a", "test", "plain", 1, 0, "best", 0.1), strict=True))
    return Fitted(
        predictions=pd.DataFrame([row]),
        history=pd.DataFrame({"epoch": [1], "train_loss": [0.1 + 0.2]}),
        weights={"w": torch.arange(3.0)},
        embeddings={"test": torch.eye(2)},
        embedded_ids=["a", "b"],
        facts={"best_epochs": {"best": 1}},
    )


@pytest.fixture
def path(tmp_path):
    write_run(tmp_path / "run", fitted(), REQUEST, PROVENANCE)
    return tmp_path / "run"


FILES = [
    "embeddings.safetensors",
    "files.json",
    "history.csv",
    "predictions.parquet",
    "provenance.json",
    "request.json",
    "weights.safetensors",
]


def test_a_run_comes_back_as_it_was_kept(path):
    run = Run(path)
    assert sorted(file.name for file in path.iterdir()) == FILES
    assert run.request == REQUEST.to_dict()
    assert run.settings == {"x": 1}
    assert run.provenance == {**PROVENANCE, "best_epochs": {"best": 1}}
    pd.testing.assert_frame_equal(run.predictions, fitted().predictions)
    assert run.history["train_loss"][0] == 0.1 + 0.2  # to the last bit
    assert torch.equal(run.weights["w"], torch.arange(3.0))
    ids, tensors = run.embeddings()
    assert ids == ["a", "b"]
    assert torch.equal(tensors["test"], torch.eye(2))
    assert not run.committed


def full():
    """A run with all that a study may add: columns, a table, examples."""
    whole = fitted()
    whole.predictions = whole.predictions.assign(stage="tuned", epoch=3)
    whole.predictions = whole.predictions[["stage", *PREDICTION_COLUMNS[::-1], "epoch"]]
    whole.tables = {"saliency": pd.DataFrame({"case_id": ["a", "b"], "mass": [0.25, 1.0]})}
    whole.examples = {"images": torch.arange(8, dtype=torch.uint8).reshape(2, 2, 2)}
    return whole


def test_what_a_study_adds_comes_back_as_it_was_kept(tmp_path):
    write_run(tmp_path / "run", full(), REQUEST, PROVENANCE)
    run = Run(tmp_path / "run")
    assert list(run.predictions) == [*PREDICTION_COLUMNS, "stage", "epoch"]
    assert run.predictions["epoch"].tolist() == [3]
    pd.testing.assert_frame_equal(run.table("saliency"), full().tables["saliency"])
    assert torch.equal(run.examples()["images"], full().examples["images"])
    listed = json.loads((run.path / "files.json").read_text())
    assert listed.keys() >= {"saliency.parquet", "examples.safetensors"}


@pytest.mark.parametrize("name", ["saliency.parquet", "examples.safetensors"])
def test_what_a_study_adds_is_checked_like_the_rest(tmp_path, name):
    write_run(tmp_path / "run", full(), REQUEST, PROVENANCE)
    (tmp_path / "run" / name).unlink()
    with pytest.raises(DamagedRunError, match=f"{name} is missing"):
        Run(tmp_path / "run")


def test_a_run_without_what_a_study_may_add_says_so(path):
    with pytest.raises(FileNotFoundError, match="run run was fitted without a table 'saliency'"):
        Run(path).table("saliency")
    with pytest.raises(FileNotFoundError, match="run run was fitted without examples"):
        Run(path).examples()


@pytest.mark.parametrize("name", ["predictions", "", "../a", "a.b"])
def test_a_table_whose_name_would_not_do_is_refused(tmp_path, name):
    odd = fitted()
    odd.tables = {name: pd.DataFrame({"a": [1]})}
    with pytest.raises(ValueError, match="tables are named by"):
        write_run(tmp_path / "run", odd, REQUEST, PROVENANCE)
    assert list(tmp_path.iterdir()) == []


def test_it_is_copied_with_what_a_study_adds_and_without_weights(tmp_path):
    write_run(tmp_path / "run", full(), REQUEST, PROVENANCE)
    kept = Run(keep_run(Run(tmp_path / "run"), tmp_path / "results"))
    assert kept.table("saliency")["mass"].tolist() == [0.25, 1.0]
    assert kept.examples().keys() == {"images"}
    assert not (kept.path / "weights.safetensors").exists()


def test_a_copy_does_not_say_where_the_data_lay(tmp_path):
    write_run(tmp_path / "run", fitted(), replace(REQUEST, data_root="/home/me/data"), PROVENANCE)
    kept = Run(keep_run(Run(tmp_path / "run"), tmp_path / "results"))  # its checksums are right
    assert kept.request == REQUEST.to_dict()
    assert b"/home/me" not in b"".join(file.read_bytes() for file in kept.path.iterdir())


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_named(path, name):
    file = path / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(DamagedRunError, match=f"{path}.*{name}"):
        Run(path)


@pytest.mark.parametrize("name", [name for name in FILES if name != "weights.safetensors"])
def test_a_missing_file_is_named(path, name):
    (path / name).unlink()
    with pytest.raises(DamagedRunError, match=name):
        check_run(path)


@pytest.mark.parametrize("name", ["request.json", "predictions.parquet"])
def test_an_altered_file_of_the_same_size_is_named(path, name):
    content = bytearray((path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (path / name).write_bytes(content)
    with pytest.raises(DamagedRunError, match=f"{name} was altered"):
        check_run(path)


@pytest.mark.parametrize(
    "garbage", ["", "[]", "{}", "null", "{", '{"history.csv": 3}', "\udcff\udcfe"]
)
def test_a_list_of_files_that_is_garbage_is_named(path, garbage):
    (path / "files.json").write_bytes(garbage.encode(errors="surrogateescape"))
    with pytest.raises(DamagedRunError, match=r"files\.json"):
        check_run(path)


def test_a_list_of_files_without_sizes_is_named(path):
    listed = json.loads((path / "files.json").read_text())
    listed["history.csv"] = {}
    (path / "files.json").write_text(json.dumps(listed))
    with pytest.raises(DamagedRunError, match=r"too little of history\.csv"):
        check_run(path)


def test_a_folder_in_the_place_of_a_file_is_named(path):
    (path / "history.csv").unlink()
    (path / "history.csv").mkdir()
    with pytest.raises(DamagedRunError, match=r"history\.csv"):
        check_run(path)


def test_an_empty_folder_is_damaged(tmp_path):
    with pytest.raises(DamagedRunError, match="cannot be read"):
        check_run(tmp_path)


def test_a_run_kept_without_weights_is_whole_and_says_so(path):
    (path / "weights.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="kept without weights"):
        _ = Run(path).weights


def test_predictions_that_lack_a_column_are_refused(tmp_path):
    lacking = fitted()
    lacking.predictions = lacking.predictions.drop(columns="score")
    with pytest.raises(ValueError, match=r"\['score'\]"):
        write_run(tmp_path / "run", lacking, REQUEST, PROVENANCE)
    assert list(tmp_path.iterdir()) == []


def test_of_two_that_finish_the_first_stays(path):
    later = fitted()
    later.history["train_loss"] = 9.0
    write_run(path, later, REQUEST, PROVENANCE)
    assert Run(path).history["train_loss"][0] != 9.0
    assert [other.name for other in path.parent.iterdir()] == ["run"]


@pytest.mark.parametrize("at", ["to_parquet", "save_file", "_write_json", "flush", "rename"])
def test_an_error_at_any_moment_leaves_nothing(tmp_path, monkeypatch, at):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    where = {"to_parquet": "pandas.DataFrame.to_parquet", "rename": "os.rename"}
    monkeypatch.setattr(where.get(at, f"shortlib.runs.folder.{at}"), full)
    with pytest.raises(OSError, match="No space left"):
        write_run(tmp_path / "run", fitted(), REQUEST, PROVENANCE)
    assert list(tmp_path.iterdir()) == []
