"""What the tests of runs share: a store of one's own and the smallest real run."""

import shutil
from dataclasses import replace

import pytest

STUDY = "spatial-specificity-synthetic"


@pytest.fixture(scope="session")
def smoke_request():
    """The smallest request of the synthetic study: a fit takes a tenth of a second."""
    from shortlib.studies.registry import plan

    request = plan(STUDY, "smoke")[0]
    return replace(request, settings={**request.settings, "m": 20, "n_test": 40})


@pytest.fixture
def store(tmp_path):
    from shortlib.runs import Store

    return Store(tmp_path / "runs")


@pytest.fixture(scope="session")
def _fitted_once(smoke_request, tmp_path_factory):
    from shortlib.runs import Store

    return Store(tmp_path_factory.mktemp("fitted")).fit_or_load(smoke_request, device="cpu").path


@pytest.fixture
def fitted_run(_fitted_once, store, smoke_request):
    """Folder of the finished run of `smoke_request` in `store`, to be spoilt at will."""
    path = store.path(smoke_request)
    shutil.copytree(_fitted_once, path)
    return path
