"""An interactive figure with menus, as a fragment of a page; nothing comes from the network."""

from pathlib import Path

SCRIPT = "plotly.min.js"

PAGE = """<div class="dial" id="{name}">
<form class="dial-menus" onsubmit="return false">{menus}</form>
<div class="dial-frame"><div id="{name}-plot" class="dial-plot" role="img" aria-label="{about} \
of the choice above; the table below holds the numbers"><p>This figure needs JavaScript; the table \
below holds its numbers.</p></div></div>
<details><summary>All numbers of this figure</summary>{numbers}</details>
</div>
<style>
.dial {{ margin-bottom: 1.5rem; }}
.dial-menus {{ display: flex; flex-wrap: wrap; gap: 0.5rem 1.25rem; margin: 1rem 0 0.5rem; }}
.dial-menus select {{ display: block; max-width: 100%; padding: 0.25rem; }}
.dial-frame {{ background: white; color: #333; overflow-x: auto; }}
.dial-plot {{ min-width: 30rem; }}
@media print {{ .dial {{ display: none; }} }}
</style>
<script defer src="{source}"></script>
<script>
window.addEventListener("DOMContentLoaded", async function () {{
  if (!window.Plotly) return;
  const plot = document.getElementById("{name}-plot");
  const menus = [...document.querySelectorAll("#{name} select")];
  plot.replaceChildren();
  const figure = {figure};
  const options = {{responsive: true, displayModeBar: false}};
  await Plotly.newPlot(plot, figure.data, figure.layout, options);
  const choose = () => {{
    const wanted = menus.map((menu) => menu.value).join();
    const visible = plot.data.map((trace) => trace.meta.join() === wanted);
    const title = `annotations[${{plot.layout.annotations.length - 1}}].text`;
    Plotly.update(plot, {{visible}}, {{[title]: menus[menus.length - 1].selectedOptions[0].text}});
  }};
  menus.forEach((menu) => menu.addEventListener("change", choose));
  choose();  // a browser may come back to a page with other choices than the first
}});
</script>
"""


def write_fragment(figure, menus, numbers, folder, *, name, about, static="../_static"):
    """Write an interactive figure as a fragment for a page, with the script that it needs.

    The fragment is ``<name>.html``: menus that the keyboard reaches, the figure and all its
    numbers as a table. The script is written to ``static/`` in the folder, which the book's
    configuration names among its static folders; nothing is loaded from the network.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Each trace says in ``meta`` which choice it belongs to, a key of each menu in their
        order. The last annotation names the horizontal axis.
    menus : dict of str to dict of str to str
        By label, the keys and what is said of them. The last one's text names the axis.
    numbers : str
        The numbers of the figure as an HTML table.
    folder : str or pathlib.Path
        Made if missing.
    name : str
        Of the file, and of its elements in the page.
    about : str
        What the figure shows, e.g. ``"Mean AUROC"``.
    static : str
        Where the page finds static files, seen from the page.

    Returns
    -------
    pathlib.Path
        The fragment.
    """
    from plotly.offline import get_plotlyjs

    folder = Path(folder)
    (folder / "static").mkdir(parents=True, exist_ok=True)
    (folder / "static" / SCRIPT).write_text(get_plotlyjs(), encoding="utf-8")
    written = "".join(
        _menu(f"{name}-{k}", label, options) for k, (label, options) in enumerate(menus.items())
    )
    fragment = PAGE.format(
        name=name, menus=written, numbers=numbers, source=f"{static}/{SCRIPT}", about=about,
        figure=_json(figure),
    )  # fmt: skip
    path = folder / f"{name}.html"
    path.write_text(fragment, encoding="utf-8")
    return path


def _menu(name, label, options):
    inner = "".join(f'<option value="{key}">{text}</option>' for key, text in options.items())
    hidden = " hidden" if len(options) == 1 else ""  # nothing to choose
    return f'<label for="{name}"{hidden}>{label}<select id="{name}">{inner}</select></label>'


def _json(figure):
    """Write a figure as JSON that cannot end the script that it stands in."""
    return figure.to_json().replace("</", "<\\/")
