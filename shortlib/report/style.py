"""One look for every figure."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import seaborn as sns

# Colour-blind safe, and told apart by marker and line style as well.
PALETTE = sns.color_palette("colorblind")
INK = "#333333"


def use_style():
    """Set the look of figures: seaborn's white grid, readable sizes, stable SVG."""
    # Loads the notebook's backend at once, so that figures made without pyplot are shown too.
    plt.switch_backend(plt.get_backend())
    sns.set_theme(context="notebook", style="whitegrid", palette=PALETTE)
    mpl.rcParams.update(
        {
            "figure.dpi": 110,
            "savefig.bbox": "tight",
            "svg.hashsalt": "shortlib",
            "axes.titlesize": "medium",
            "axes.edgecolor": INK,
            "figure.constrained_layout.use": True,
        }
    )
