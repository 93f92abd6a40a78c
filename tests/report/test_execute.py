import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from shortlib.report.execute import NotebookFailedError, execute

pytestmark = pytest.mark.slow


@pytest.fixture
def notebook(tmp_path):
    """Write a notebook of the given cells after a parameters cell."""

    def write(*cells):
        parameters = "profile: str = 'smoke'  # size\nseeds: int = None  # how many\n"
        tagged = new_code_cell(parameters, metadata={"tags": ["parameters"]})
        whole = new_notebook(
            cells=[new_markdown_cell("# Title"), tagged, *map(new_code_cell, cells)]
        )
        whole.metadata["kernelspec"] = {"name": "python3", "display_name": "", "language": "python"}
        nbformat.write(whole, tmp_path / "source.ipynb")
        return tmp_path / "source.ipynb"

    return write


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def printed(path):
    cells = nbformat.read(path, as_version=4).cells
    return [o.text for c in cells for o in c.get("outputs", ()) if o.output_type == "stream"]


def test_a_notebook_is_put_in_place_with_the_parameters_that_took_effect(notebook, tmp_path):
    source = notebook("print(profile, seeds)")
    before = source.read_bytes()
    output = tmp_path / "out/deep/chapter.ipynb"
    found = execute(source, output, {"profile": "workshop", "rho": 0.5})
    assert found == output
    assert printed(output) == ["workshop None\n"]
    facts = nbformat.read(output, as_version=4).metadata["shortlib"]
    assert facts["effective_parameters"] == {"profile": "'workshop'", "seeds": "None"}
    assert files(tmp_path / "out") == ["deep/chapter.ipynb"]
    assert source.read_bytes() == before


def test_a_failing_cell_is_named_and_its_output_kept(notebook, tmp_path):
    source = notebook("x = 1", "# divide\nx / 0", "print('never')")
    with pytest.raises(NotebookFailedError) as caught:
        execute(source, tmp_path / "out/chapter.ipynb", {"seeds": 3})
    said = str(caught.value)
    assert "source.ipynb failed in cell 4 (# divide)" in said
    assert "with parameters {'seeds': 3}: ZeroDivisionError: division by zero" in said
    kept = tmp_path / "out/failed/chapter.ipynb"
    assert str(kept) in said
    assert files(tmp_path / "out") == ["failed/chapter.ipynb"]
    outputs = [o for c in nbformat.read(kept, as_version=4).cells for o in c.get("outputs", ())]
    assert any(o.get("ename") == "ZeroDivisionError" for o in outputs)


def test_a_kernel_that_dies_is_a_failure_of_its_cell(notebook, tmp_path):
    source = notebook("x = 1", "import os\nos._exit(9)")
    with pytest.raises(NotebookFailedError, match=r"failed in cell 3 \(import os\).*Kernel died"):
        execute(source, tmp_path / "out/chapter.ipynb", {})
    assert files(tmp_path / "out") == ["failed/chapter.ipynb"]
