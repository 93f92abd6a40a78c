"""A cardiomyopathy cohort of anyone's own: short-axis cine, one diagnosis a patient.

``cases.csv`` in the root has a row for each study:

- ``patient`` and ``study``: names of folders;
- ``group``: the diagnosis, e.g. NICM, ICM, AMYL, HCM;
- ``split``, optional: part of each study, the same for all studies of a patient;
- any other column (``scanner``, ``age``, ``sex``, ...) goes along as a covariate.

``<patient>/<study>/ED.nii.gz`` and ``ES.nii.gz`` are the phases at end-diastole and
end-systole, three axes each; ``ED_gt.nii.gz`` and ``ES_gt.nii.gz``, optional, their ground
truth with ACDC's codes: 1 RV, 2 myocardium, 3 LV.
"""

import pandas as pd

from shortlib.data.cine import (
    PHASES,
    PLANES,
    SIDE,
    SPACING,
    Pair,
    check_grid,
    truth_files,
    volume_file,
)
from shortlib.data.drawn_splits import split_by_shares
from shortlib.data.index import Index
from shortlib.data.paths import data_set_root, existing, inside
from shortlib.data.problems import DataError
from shortlib.data.rows import first_of_each, leave_out, patients_in_one_part
from shortlib.data.tables import read_table, table_columns, typed

NAME = "a cardiomyopathy cohort"
SIZE = SIDE
TABLE = "cases.csv"
FRACTIONS = {"train": 0.7, "test": 0.3}

_NAMED = ("patient", "study", "group", "split")
_FOLDER = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"


def read_index(
    root,
    *,
    problems,
    groups=None,
    planes=PLANES,
    fractions=None,
    seed=0,
    spacing=SPACING,
    side=SIDE,
):
    """List the studies; a case is one study, seen at ED and at ES.

    Parameters
    ----------
    root : str or pathlib.Path
        Holds ``cases.csv``; see the module's description for its columns.
    problems : shortlib.data.problems.Problems
    groups : sequence of str, optional
        Values of ``group`` that there are; the label is the place in this list. By
        default those that are found, in alphabetical order.
    planes : sequence of str
        Of the anatomy masks; see :func:`shortlib.data.acdc.read_index`. There are none
        when a study has no ground truth; `notes` of the index then says so.
    fractions : dict of str to float, optional
        Parts of the split and their share of the patients, where the table has no
        ``split``; 0.7 ``train`` and 0.3 ``test`` by default, as in the paper. A
        patient's studies stay together.
    seed : int
        Of that split.
    spacing, side
        As in :func:`shortlib.data.acdc.read_index`.

    Returns
    -------
    shortlib.data.index.Index
        Images as those of :func:`shortlib.data.acdc.read_index`; a case is known by
        patient and study.

    Raises
    ------
    DataError
        If the root has no such table, a column is missing, a cell is not what its
        column says, or the studies of one patient are in two parts.
    """
    planes = check_grid(spacing, side, planes)
    groups = None if groups is None else tuple(map(str, groups))  # a manifest may have numbers
    root = data_set_root(root, NAME, holds=[TABLE])
    cases, covariates = _studies(existing(root, TABLE, "table"), groups, problems)
    cases, drawn = _with_files(cases, root, problems)
    if "split" not in cases:
        cases["split"] = split_by_shares(
            cases, fractions or FRACTIONS, strata="group", seed=seed, root=root
        )
    names = tuple(groups or sorted(set(cases["group"])))
    cases["label"] = cases["group"].map(names.index)
    pair = Pair(root, spacing, side, planes, truth=bool(drawn.all()))
    readers, planes_of = pair.readers(cases)
    return Index(
        name="cm",
        root=root,
        cases=cases.reset_index(drop=True),
        readers=readers,
        size=side,
        files=tuple(name for name in cases if name.startswith(PHASES) and name not in covariates),
        labels=("label",),
        label_names=names,
        covariates=("group", *covariates),
        planes=planes_of,
        fit="stretch",
        problems=problems,
        notes=_notes(root, cases, drawn),
    )


def _studies(path, groups, problems):
    columns = table_columns(path)
    covariates = [name for name in columns if name and name not in (*_NAMED, "case_id", "label")]
    clash = [n for n in covariates if n in ("patient_id", *PHASES) or n.startswith(("ED_", "ES_"))]
    if clash:
        raise DataError("column name is taken", f"rename {clash[0]!r}", path=path)
    cases = read_table(path, _NAMED[:3], optional=["split", *covariates])
    for name in ("patient", "study"):
        cases = leave_out(
            cases,
            ~cases[name].str.fullmatch(_FOLDER),
            "hostile path",
            lambda row, name=name: (
                f"{name!r} is the name of a folder, of letters, digits and . _ -, got {row[name]!r}"
            ),
            path,
            problems,
        )
    wanted = "not empty" if groups is None else f"one of {', '.join(groups)}"
    cases = leave_out(
        cases,
        cases["group"] == "" if groups is None else ~cases["group"].isin(list(groups)),
        "unknown group",
        lambda row: f"'group' must be {wanted}, got {row['group']!r}",
        path,
        problems,
    )
    if "split" in cases:
        cases = leave_out(
            cases, cases["split"] == "", "bad cell", lambda row: "'split' is empty", path, problems
        )
    cases = first_of_each(cases, ["patient", "study"], path, problems)
    cases = cases.assign(case_id=cases["patient"] + "-" + cases["study"])
    cases = first_of_each(cases, ["case_id"], path, problems)
    cases = cases.assign(patient_id=cases["patient"])
    if "split" in cases:
        cases = patients_in_one_part(cases, path, problems)
    if not len(cases):
        raise DataError("no cases", "no row of the table can be used", path=path)
    return typed(cases.reset_index(drop=True), covariates), tuple(covariates)


def _with_files(cases, root, problems):
    """Add the paths of each study, and say which studies have ground truth."""
    files = {}
    for place, stem in zip(cases.index, cases["patient"] + "/" + cases["study"], strict=True):
        try:
            found = {phase: volume_file(root, f"{stem}/{phase}") for phase in PHASES}
            found |= {f"{p}_gt": volume_file(root, f"{stem}/{p}_gt") for p in PHASES}
            for phase in PHASES:
                truths = truth_files(root, found[phase])
                found |= {f"{phase}_{kind}": file for kind, file in truths.items()}
            drawn = all(inside(root, found[f"{phase}_gt"]).is_file() for phase in PHASES)
            files[place] = {**found, "drawn": drawn}
        except DataError as error:
            problems.add(error)
    if not files:
        raise DataError("no cases", "no study can be used", path=root)
    files = pd.DataFrame.from_dict(files, orient="index")
    drawn = files.pop("drawn").to_numpy(dtype=bool)
    if not drawn.all():
        files = files.drop(columns=[f"{phase}_gt" for phase in PHASES])
    files = files.loc[:, (files != "").any()]
    return cases.join(files, how="inner"), drawn


def _notes(root, cases, drawn):
    notes = []
    if not drawn.all():
        notes.append(
            f"{(~drawn).sum()} of {len(drawn)} studies have no ground truth, so there are no "
            "anatomy masks and the slice is the middle of the stack"
        )
    listed = {*cases["patient"], "annotations"}
    others = [path.name for path in root.iterdir() if path.is_dir() and path.name[0] != "."]
    unlisted = sorted(set(others) - listed)
    if unlisted:
        notes.append(f"{len(unlisted)} folders are in no row, the first is {unlisted[0]!r}")
    return tuple(notes)
