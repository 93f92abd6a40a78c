"""The dial as an interactive figure of a page, which loads nothing from the network."""

from itertools import product

import pandas as pd

from shortlib.report.dial_figure import AXES, STAGES, VIEWS, check_table, lines_of, steps_of
from shortlib.report.dial_fragment import write_fragment
from shortlib.report.style import INK
from shortlib.report.watermark_figures import METHODS

MARKERS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")


def dial_figure(table):
    """Build the interactive figure: all views, stages and axes, of which one set is shown.

    Parameters
    ----------
    table : pandas.DataFrame
        See :func:`draw_dial`.

    Returns
    -------
    plotly.graph_objects.Figure
        Each trace says in ``meta`` which choice it belongs to.
    """
    from plotly.subplots import make_subplots  # takes a second to load

    check_table(table, "p_marked")
    methods = [method for method in METHODS if (table["method"] == method).any()]
    first = next(choices(table))
    figure = make_subplots(
        cols=len(methods), x_title=AXES[first[2]][0], shared_yaxes=True, horizontal_spacing=0.08,
        subplot_titles=[METHODS[method] for method in methods],
    )  # fmt: skip
    for choice in choices(table):
        view, stage, along = choice
        steps, colours = steps_of(table, along)
        mine = table[(table["view"] == view) & (table["stage"] == stage)]
        named = set()
        for column, method in enumerate(methods, 1):
            lines = lines_of(mine[mine["method"] == method], along, steps)
            for k, step, points in lines:
                trace = _trace(points, along, colours[k], MARKERS[k % 6])
                figure.add_scatter(
                    **trace, row=1, col=column, meta=list(choice), visible=choice == first,
                    name=AXES[along][1].format(step), legendgroup=str(step),
                    showlegend=step not in named,
                )  # fmt: skip
                named.add(step)
    figure.add_hline(0.5, line={"color": INK, "width": 1, "dash": "dot"})
    figure.update_xaxes(
        tickformat=".0%",
        tickvals=[0, 0.25, 0.5, 0.75, 1],
        range=[-0.04, 1.04],
        gridcolor="#dddddd",
        zeroline=False,
    )
    figure.update_yaxes(range=[-0.04, 1.04], gridcolor="#dddddd", zeroline=False)
    figure.update_yaxes(title_text="mean AUROC", title_standoff=8, col=1)
    figure.update_annotations(font_size=14)
    figure.update_layout(
        template="none", paper_bgcolor="white", plot_bgcolor="white", height=430,
        font={"color": INK, "family": "sans-serif", "size": 13}, hovermode="closest",
        margin={"l": 62, "r": 16, "t": 34, "b": 110}, dragmode=False,
        legend={"orientation": "h", "yref": "container", "y": 0.01, "yanchor": "bottom",
                "x": 0.5, "xanchor": "center"},
    )  # fmt: skip
    return figure


def write_dial(table, folder, *, name="dial", static="../_static"):
    """Write the interactive figure as a fragment for a page, with the script that it needs.

    See :func:`shortlib.report.dial_fragment.write_fragment`.

    Parameters
    ----------
    table : pandas.DataFrame
        See :func:`draw_dial`.
    folder : str or pathlib.Path
        Made if missing.
    name : str
        Of the file, and of its elements in the page.
    static : str
        Where the page finds static files, seen from the page.

    Returns
    -------
    pathlib.Path
        The fragment.
    """
    chosen = list(choices(table))
    stated = (("Test images", VIEWS), ("Models", STAGES),
              ("Across", {key: texts[0] for key, texts in AXES.items()}))  # fmt: skip
    menus = {
        label: {
            key: text for key, text in options.items() if any(choice[k] == key for choice in chosen)
        }
        for k, (label, options) in enumerate(stated)
    }
    return write_fragment(
        dial_figure(table), menus, _numbers(table), folder, name=name, about="Mean AUROC",
        static=static,
    )  # fmt: skip


def choices(table):
    """Yield (view, stage, along) for what the table has rows of, in the order of the menus."""
    there = set(zip(table["view"], table["stage"], strict=True))
    # One agreement alone makes no axis.
    axes = ["p_marked"]
    if table.loc[table["p_marked"] > 0, "p_correct"].nunique() > 1:
        axes.append("p_correct")
    yield from (c for c in product(VIEWS, STAGES, axes) if c[:2] in there)


def _trace(points, along, colour, marker):
    """Return a line with its intervals and what is said of each point."""
    value, low, high = (points[name].to_numpy() for name in ("value", "low", "high"))
    red, green, blue = (round(255 * part) for part in colour)
    said = [
        (f"{m:.0%} of images marked" + (f", {c:.0%} of them rightly" if m else ""))
        + f"<br><b>{v:.3f}</b> [{a:.3f}, {b:.3f}]"
        for m, c, v, a, b in zip(
            points["p_marked"], points["p_correct"], value, low, high, strict=True
        )
    ]
    return {
        "x": points[along].tolist(),
        "y": value.tolist(),
        "error_y": {
            "type": "data",
            "symmetric": False,
            # A percentile interval need not hold the value itself.
            "array": (high - value).clip(0).tolist(),
            "arrayminus": (value - low).clip(0).tolist(),
            "thickness": 1.3,
        },
        "text": said,
        "hovertemplate": "%{text}<extra></extra>",
        "mode": "lines+markers",
        "line": {"color": f"rgb({red},{green},{blue})", "width": 2},
        "marker": {"symbol": marker, "size": 8},
    }


def _numbers(table):
    """Write the table as HTML, ready to be read."""
    rows = table.sort_values(["method", "p_marked", "p_correct"], kind="stable")
    written = {
        "method": rows["method"].map(METHODS),
        "images marked": rows["p_marked"].map("{:.0%}".format),
        "rightly": [
            f"{c:.0%}" if m else ""
            for m, c in zip(rows["p_marked"], rows["p_correct"], strict=True)
        ],
        "stage": rows["stage"],
        "test images": rows["view"],
        "mean AUROC [95% interval]": [
            f"{v:.3f} [{a:.3f}, {b:.3f}]"
            for v, a, b in zip(rows["value"], rows["low"], rows["high"], strict=True)
        ],
    }
    return pd.DataFrame(written).to_html(index=False, border=0, classes="table")
