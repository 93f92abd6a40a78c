"""Tables and figures that say in words why there is nothing to show."""

from textwrap import fill

import matplotlib.pyplot as plt
import pandas as pd

from shortlib.report.style import INK


def absent_table(said):
    """Return a table of one row that says why there is no other.

    Parameters
    ----------
    said : str
        A sentence.

    Returns
    -------
    pandas.DataFrame
    """
    return pd.DataFrame({"nothing to show": [said]})


def absent_figure(said):
    """Return a small figure that says why there is no other.

    Parameters
    ----------
    said : str
        A sentence.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axis = plt.subplots(figsize=(7.2, 1.2))
    axis.text(0.5, 0.5, fill(said, 70), ha="center", va="center", color=INK)
    axis.set_axis_off()
    return figure
