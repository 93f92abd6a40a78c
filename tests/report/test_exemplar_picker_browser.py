"""The picker in JupyterLab, in a real browser, by mouse and by keyboard; then without anybody."""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from shortlib.data.phantoms.chest import chest
from shortlib.report.execute import execute
from shortlib.studies.exemplary_explanations.choice import Choice, read_choice

pytestmark = pytest.mark.slow

RUN = "refined-s0-1a2b3c4d-99aabbcc"
PARAMETERS = "path: str = 'exemplars.yml'  # of the choice\n"
SHOW = f"""
import numpy as np
from shortlib.data.phantoms.chest import chest
from shortlib.report.exemplar_candidates import Candidates
from shortlib.report.exemplar_picker import ExemplarPicker

cohort = chest(12, task="pneumonia", size=96, seed=3)
y, x = np.mgrid[:96, :96] / 95
middle = np.linspace(0.2, 0.8, 12)[:, None, None]
candidates = Candidates(
    case_ids=cohort.case_ids, images=cohort.images[:, 0],
    maps=np.exp(-((y - middle) ** 2 + (x - middle) ** 2) / 0.03),
    labels=cohort.labels, label_names=cohort.label_names, predicted=cohort.labels,
    confidence=np.linspace(0.4, 1, 12), run="{RUN}",
)
picker = ExemplarPicker(candidates, path)
picker
"""
SECONDS = 300  # a kernel may take long to start on a busy machine
SETTINGS = {
    "notebook-extension/tracker": '{"autoStartDefaultKernel": true}',
    "apputils-extension/notification": '{"fetchNews": "false"}',
}


@pytest.fixture
def notebook(tmp_path):
    cells = [new_code_cell(source) for source in (PARAMETERS, SHOW, "print(picker.choice)")]
    cells[0].metadata["tags"] = ["parameters"]
    whole = new_notebook(cells=cells)
    whole.metadata["kernelspec"] = {"name": "python3", "display_name": "", "language": "python"}
    path = tmp_path / "work/pick.ipynb"
    path.parent.mkdir()
    nbformat.write(whole, path)
    return path


@pytest.fixture
def lab(notebook, tmp_path):
    """Start JupyterLab in the notebook's folder and give the notebook's address."""
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed (extra: book)")
    for name, text in SETTINGS.items():
        path = tmp_path / f"settings/@jupyterlab/{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    own = {name: str(tmp_path / folder) for name, folder in folders.items()}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token, log = secrets.token_hex(16), tmp_path / "lab.log"
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"),
        *(f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"),
        f"--ServerApp.root_dir={notebook.parent}",
    ]
    with log.open("w") as output:
        server = subprocess.Popen(
            command, env={**os.environ, **own}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/api?token={token}", server, log)
        yield f"http://127.0.0.1:{port}/lab/tree/{notebook.name}?token={token}"
    finally:
        server.terminate()
        server.wait(SECONDS)


def wait_for(address, server, log):
    for _ in range(SECONDS):
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (urllib.error.URLError, TimeoutError):
            assert server.poll() is None, log.read_text()
            time.sleep(1)
    raise AssertionError(f"JupyterLab does not answer:\n{log.read_text()}")


@pytest.fixture
def chromium():
    """Give a function that opens a page in the Chromium of this machine."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip(f"no Chromium on this machine: none of {', '.join(names)}")
    switches = (
        *("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run"),
        *("disable-background-networking", "disable-component-update", "disable-sync"),
    )

    @contextmanager
    def opened():
        with driver.sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=program, args=[f"--{switch}" for switch in switches]
            )
            page = browser.new_page(viewport={"width": 1280, "height": 1000})
            page.set_default_timeout(SECONDS * 1000)
            yield page
            browser.close()

    return opened


def run_all_cells(page, address):
    page.goto(address)
    page.get_by_text("| Idle").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator('.lm-Menu-item[data-command="runmenu:run-all"]').click()
    page.get_by_role("button", name="Save the choice").wait_for()


def button(page, name):
    """Find the picker's button whose name is exactly this, line breaks being spaces."""
    return page.get_by_role("button", name=re.compile(f"^{re.escape(name)}$"))


def tab_to(page, name):
    """Press Tab until the button of this name has the focus; return what was passed."""
    passed = []
    while len(passed) < 40:
        page.keyboard.press("Tab")
        passed.append(" ".join(page.evaluate("document.activeElement.textContent").split()))
        if passed[-1] == name:
            return passed
    raise AssertionError(f"Tab does not reach {name!r}; it reaches {passed}")


def test_a_person_picks_by_mouse_and_keyboard_and_papermill_sees_it(
    lab, chromium, notebook, tmp_path
):
    cohort = chest(12, task="pneumonia", size=96, seed=3)
    label = np.bincount(cohort.labels).argmax()
    wanted = cohort.case_ids[cohort.labels == label].tolist()
    good, bad = wanted[0], wanted[2]
    kept, asked = notebook.parent / "exemplars.yml", []

    with chromium() as page:
        page.on("request", lambda request: asked.append(request.url))
        run_all_cells(page, lab)
        assert button(page, "Save the choice").is_disabled()
        page.get_by_label("Class:").select_option(cohort.label_names[label])
        page.get_by_text(f"Images 1 to {len(wanted)} of {len(wanted)}").wait_for()
        cases = page.locator(".exemplar-card .exemplar-case strong").filter(visible=True)
        assert cases.all_inner_texts() == wanted

        button(page, f"Good {good}").click()
        button(page, f"✓ Good {good}").wait_for()
        passed = tab_to(page, f"Bad {bad}")
        between = [f"{kind} {case}" for case in wanted[1:3] for kind in ("Good", "Bad")]
        assert passed == [f"Bad {good}", *between]
        page.keyboard.press("Enter")
        button(page, f"✓ Bad {bad}").wait_for()
        assert not kept.exists()
        tab_to(page, "Save the choice")
        page.keyboard.press("Enter")
        page.get_by_text(f"Saved to {kept}").wait_for()

    assert read_choice(kept) == Choice(good, bad, RUN)
    local = (lab.partition("/lab/")[0], "data:", "blob:")
    assert [url for url in asked if not url.startswith(local)] == []
    output = rerun(notebook, tmp_path / "rerun.ipynb", {"path": str(kept)})
    assert printed(output) == f"{Choice(good, bad, RUN)}\n"


def test_the_notebook_runs_without_anybody(notebook, tmp_path):
    output = rerun(notebook, tmp_path / "out.ipynb", {"path": str(tmp_path / "none.yml")})
    assert printed(output) == "None\n"
    (shown,) = [o for o in output.cells[-2].outputs if o.output_type == "execute_result"]
    assert set(shown.data) == {"text/plain", "text/html"}
    assert "widgets" not in output.metadata  # a page of the book would load scripts for them
    assert not (tmp_path / "none.yml").exists()


def rerun(notebook, output, parameters):
    return nbformat.read(execute(notebook, output, parameters), as_version=4)


def printed(notebook):
    (said,) = notebook.cells[-1].outputs
    return said.text
