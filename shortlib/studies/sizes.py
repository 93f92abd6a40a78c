"""What studies there are and how large they are, as a table."""

import pandas as pd

from shortlib.studies.registry import STUDIES, load_study


def study_table():
    """Return one row a study, data set and profile.

    Returns
    -------
    pandas.DataFrame
        Columns ``study``, ``data``, ``profile``, ``seeds``, ``runs`` and ``measured``
        (what the profile took where it was last timed; empty if it never was).
    """
    rows = []
    for name in STUDIES:
        study = load_study(name)
        stated = study.profiles()
        for data, profiles in stated["combinations"].items():
            for profile in profiles:
                requests = study.requests(profile, data=data)
                rows.append(
                    {
                        "study": name,
                        "data": data,
                        "profile": profile,
                        "seeds": len({request.seed for request in requests}),
                        "runs": len(requests),
                        "measured": _in_words(stated["profiles"][profile].get("measured")),
                    }
                )
    return pd.DataFrame(rows)


def _in_words(measured):
    if isinstance(measured, dict):
        return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in measured.items())
    return str(measured) if measured else ""
