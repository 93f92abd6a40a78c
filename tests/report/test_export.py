import matplotlib.pyplot as plt
import pandas as pd
import pytest

from shortlib.report.export import Export

TABLE = pd.DataFrame({"r": [1, 40], "ours": ["0.10", "0.90"]})


@pytest.fixture
def figure():
    figure, axis = plt.subplots()
    axis.plot([0, 1])
    yield figure
    plt.close(figure)


def test_a_figure_is_saved_with_its_card(figure, make_run, tmp_path):
    export = Export(tmp_path / "new/folder")
    export.figure(figure, "curve", [make_run()])
    assert {p.name for p in (tmp_path / "new/folder").iterdir()} == {"curve.svg", "curve.card.md"}
    drawn = (tmp_path / "new/folder/curve.svg").read_text()
    assert "<svg" in drawn
    assert "dc:date" not in drawn  # the same figure is the same file
    assert "**Commit**: `0123456789`" in (tmp_path / "new/folder/curve.card.md").read_text()


def test_a_table_is_shown_and_saved_with_its_card(make_run, tmp_path, capsys):
    Export(str(tmp_path / "out")).table(TABLE, "aurocs", [make_run()])
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "out/aurocs.csv", dtype={"ours": str}), TABLE
    )
    assert "seeds 0" in (tmp_path / "out/aurocs.card.md").read_text()
    assert "Markdown" in capsys.readouterr().out


DIAL = pd.DataFrame(
    [("cnn", 0.9, 0.9, "fine-tuned", "plain", 0.5, 0.4, 0.6)],
    columns=["method", "p_marked", "p_correct", "stage", "view", "value", "low", "high"],
)


def test_a_dial_is_saved_with_its_script_and_its_card(make_run, tmp_path):
    Export(tmp_path / "out").dial(DIAL, "turn", [make_run()])
    assert '<div class="dial" id="turn">' in (tmp_path / "out/turn.html").read_text()
    assert (tmp_path / "out/static/plotly.min.js").stat().st_size > 1e5
    assert "seeds 0" in (tmp_path / "out/turn.card.md").read_text()


def test_without_a_folder_nothing_is_saved(figure, make_run, tmp_path, monkeypatch):
    runs = [make_run()]
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    Export("").figure(figure, "curve", runs)
    Export("").table(TABLE, "aurocs", runs)
    Export("").dial(DIAL, "turn", runs)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_table_keeps_its_digits_when_shown(monkeypatch):
    shown = []
    monkeypatch.setattr("shortlib.report.export.display", shown.append)
    Export("").table(TABLE, "aurocs", [])
    assert "| 0.10" in shown[0].data
    assert "| 0.90" in shown[0].data
