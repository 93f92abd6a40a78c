"""The cardiac dial as an interactive figure of a page, which loads nothing from the network."""

from html import escape

import pandas as pd

from shortlib.report.context_dial import AXES, PATIENTS, has_patients, lines_of
from shortlib.report.context_figures import COLOURS
from shortlib.report.dial_fragment import write_fragment
from shortlib.report.style import INK
from shortlib.studies.cardiac_context.measures import MODELS

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "triangle-left", "cross",
           "x", "star")  # fmt: skip


def dial_figure(table):
    """Build the interactive figure: all patients and both axes, of which one set is shown.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`shortlib.report.context_dial.prepare_dial` returns it.

    Returns
    -------
    plotly.graph_objects.Figure
        Each trace says in ``meta`` which choice it belongs to.
    """
    from plotly.subplots import make_subplots  # takes a second to load

    chosen = [
        (patients, along)
        for patients in PATIENTS
        if has_patients(table, patients)
        for along in AXES
    ]
    figure = make_subplots(cols=1, x_title=AXES[chosen[0][1]])
    for choice in chosen:
        for name, points in lines_of(table, *choice):
            figure.add_scatter(
                **_trace(points, choice[1], name), meta=list(choice), visible=choice == chosen[0]
            )
    figure.add_hline(0.5, line={"color": INK, "width": 1, "dash": "dot"})
    figure.update_xaxes(range=[-1.06, 1.06], gridcolor="#dddddd", zeroline=False)
    figure.update_yaxes(title_text="micro AUROC", range=[0, 1.02], gridcolor="#dddddd",
                        zeroline=False)  # fmt: skip
    figure.update_annotations(font_size=14)
    figure.update_layout(
        template="none", paper_bgcolor="white", plot_bgcolor="white", height=430, showlegend=True,
        font={"color": INK, "family": "sans-serif", "size": 13}, hovermode="closest",
        margin={"l": 62, "r": 16, "t": 20, "b": 110}, dragmode=False,
        legend={"orientation": "h", "yref": "container", "y": 0.01, "yanchor": "bottom",
                "x": 0.5, "xanchor": "center"},
    )  # fmt: skip
    return figure


def write_context_dial(table, folder, *, name="dial"):
    """Write the interactive figure as a fragment for a page, with the script that it needs.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`shortlib.report.context_dial.prepare_dial` returns it.
    folder : str or pathlib.Path
    name : str
        Of the file, and of its elements in the page.

    Returns
    -------
    pathlib.Path
        The fragment; see :func:`shortlib.report.dial_fragment.write_fragment`.
    """
    patients = {key: text for key, text in PATIENTS.items() if has_patients(table, key)}
    menus = {"Test patients": patients, "Across": AXES}
    return write_fragment(
        dial_figure(table), menus, _numbers(table), folder, name=name, about="AUROC"
    )


def _trace(points, along, name):
    value, low, high = (points[column].to_numpy() for column in ("value", "low", "high"))
    red, green, blue = (round(255 * part) for part in COLOURS[name])
    return {
        "x": points[along].tolist(),
        "y": value.tolist(),
        "name": escape(name),
        "error_y": {
            "type": "data",
            "symmetric": False,
            # A percentile interval need not hold the value itself.
            "array": (high - value).clip(0).tolist(),
            "arrayminus": (value - low).clip(0).tolist(),
            "thickness": 1.3,
        },
        "text": [
            f"{escape(name)}: here {row.cm:g}, there {row.acdc:g}"
            f"<br><b>{row.value:.3f}</b> [{row.low:.3f}, {row.high:.3f}]"
            for row in points.itertuples()
        ],
        "hovertemplate": "%{text}<extra></extra>",
        "mode": "lines+markers",
        "line": {"color": f"rgb({red},{green},{blue})", "width": 2},
        "marker": {"symbol": SYMBOLS[list(MODELS.values()).index(name)], "size": 8},
    }


def _numbers(table):
    """Write the table as HTML, ready to be read."""
    patients = (table["task"] + "/" + table["view"]).map(PATIENTS)
    written = {
        "model": table["variant"].map(MODELS),
        "association here": table["cm"].map("{:g}".format),
        "there": ["–" if pd.isna(value) else f"{value:g}" for value in table["acdc"]],
        "test patients": patients,
        "AUROC [95% interval]": [
            f"{v:.3f} [{a:.3f}, {b:.3f}]"
            for v, a, b in zip(table["value"], table["low"], table["high"], strict=True)
        ],
        "seeds": table["seeds"],
    }
    return pd.DataFrame(written).to_html(index=False, border=0, classes="table")
