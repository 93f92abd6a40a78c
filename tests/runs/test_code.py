import ast
import textwrap

import pytest

from shortlib.runs import code

FIT = "shortlib.studies.some_study.fit"
FILES = {
    FIT: '''
        """One run."""
        from shortlib.methods.train import train
        from shortlib.metrics.auroc import auroc
        import shortlib.report.figures

        def fit(request):
            """Fit."""
            return train(request)
    ''',
    "shortlib.methods.train": """
        from shortlib.data import rows

        RATE = 0.5

        def train(request):
            return RATE * len(rows(request))
    """,
    "shortlib.data": '"""Names only."""\nfrom shortlib.data.table import rows\n',
    "shortlib.data.table": "def rows(request):\n    return [request]\n",
    "shortlib.metrics.auroc": "def auroc(): ...\n",
    "shortlib.report.figures": "SIZE = 3\n",
}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Put a small package in the place of the real one; write a module of it anew."""

    def path(name):
        folder = tmp_path.joinpath(*name.split("."))
        for file in (folder.with_suffix(".py"), folder / "__init__.py"):
            if file.exists():
                return file
        return None

    def write(name, text):
        is_package = any(other.startswith(f"{name}.") for other in FILES)
        file = tmp_path.joinpath(*name.split("."))
        file = file / "__init__.py" if is_package else file.with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        code._read.cache_clear()

    monkeypatch.setattr(code, "_path", path)
    for name, text in FILES.items():
        write(name, text)
    yield write
    code._read.cache_clear()


@pytest.mark.usefixtures("write")
def test_imports_are_followed_through_the_fitting_rooms_alone():
    found = code.fingerprint(FIT)
    rooms = ["shortlib.data.table", "shortlib.methods.train", "shortlib.metrics.auroc", FIT]
    assert list(found) == rooms


def test_comments_docstrings_and_format_do_not_count(write):
    before = code.fingerprint(FIT)
    write(
        "shortlib.methods.train",
        '''
        """How a model is trained."""
        from shortlib.data import (
            rows,
        )
        RATE = 0.50  # half

        def train( request ):
            """Train."""
            # a comment
            return (RATE *
                    len(rows(request)))
        ''',
    )
    write("shortlib.report.figures", "SIZE = 4\n")
    assert code.fingerprint(FIT) == before


def test_a_metric_that_a_fit_calls_counts(write):
    before = code.fingerprint(FIT)
    write("shortlib.metrics.auroc", "def auroc(): return 1\n")
    assert code.changed_modules(FIT, before) == ["shortlib.metrics.auroc"]


def test_a_changed_constant_counts_and_is_named(write):
    before, version = code.fingerprint(FIT), code.code_version(FIT)
    write("shortlib.methods.train", FILES["shortlib.methods.train"].replace("0.5", "0.25"))
    assert code.changed_modules(FIT, before) == ["shortlib.methods.train"]
    assert code.code_version(FIT) != version


def test_a_module_that_came_or_went_is_named(write):
    before = code.fingerprint(FIT)
    write("shortlib.methods.train", "def train(request): ...\n")
    assert code.changed_modules(FIT, before) == ["shortlib.data.table", "shortlib.methods.train"]


def test_a_process_keeps_the_code_that_it_began_with(write, tmp_path):
    before = code.fingerprint(FIT)
    (tmp_path / "shortlib/methods/train.py").write_text("RATE = 9\n")  # edited meanwhile
    assert code.fingerprint(FIT) == before
    code._read.cache_clear()  # as a new process would
    assert code.fingerprint(FIT) != before


def test_fingerprint_is_the_same_on_every_python():
    # As Python 3.11 writes it; later versions write more or fewer of the empty fields.
    written = code._without_docstrings(ast.parse('def f(x, *, y=1):\n    "Doc."\n    return g()\n'))
    assert written == (
        "Module(body=[FunctionDef(name='f', args=arguments(posonlyargs=[], args=[arg(arg='x')], "
        "kwonlyargs=[arg(arg='y')], kw_defaults=[Constant(value=1)], defaults=[]), "
        "body=[Return(value=Call(func=Name(id='g', ctx=Load()), args=[], keywords=[]))], "
        "decorator_list=[])], type_ignores=[])"
    )


def test_the_real_fit_stands_on_the_modules_that_compute():
    found = code.fingerprint(code.fit_module("spatial-specificity-synthetic"))
    assert {"shortlib.methods.training", "shortlib.models.fcn", "shortlib.data.seeds"} <= set(found)
    assert not any(name.startswith(("shortlib.runs", "shortlib.metrics")) for name in found)
