"""Tell which share of a fit's wall time is spent outside of computing.

Run from the checkout, a minute or two on one core::

    python benchmarks/loop_overhead.py

Fits a run of the synthetic study for two epochs, in a folder that is thrown away, and
reads its history: ``seconds`` of the epochs less ``step_seconds`` (forward, backward,
optimizer) and ``evaluate_seconds`` (forward on the monitored cases) is the loop's own.
The share of the whole run also counts drawing the data, building the network, scoring
the cases and hashing, as ``wall_seconds`` of its provenance does; scoring all cases is
once a run, so two epochs make it look larger than fifty do.
"""

import argparse
import tempfile
from dataclasses import replace

import torch

from shortlib.runs import Store
from shortlib.studies.registry import plan

# The profiles in which the study asks for these networks, at its own sizes.
PROFILES = {"fcn-resnet50": "reference", "fcn-resnet18-s8": "workshop"}
STUDY = "spatial-specificity-synthetic"


def measure(network, epochs, device, variant):
    """Return the seconds of the run, of its epochs, and of computing within these."""
    asked = next(r for r in plan(STUDY, PROFILES[network]) if r.variant == variant)
    asked = replace(asked, settings={**asked.settings, "network": network, "epochs": epochs})
    with tempfile.TemporaryDirectory() as folder:
        run = Store(folder).fit_or_load(asked, device=device)
        history, wall = run.history, run.provenance["wall_seconds"]
    computing = history["step_seconds"].sum() + history["evaluate_seconds"].sum()
    return wall, history["seconds"].sum(), computing


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(PROFILES), choices=PROFILES)
    parser.add_argument("--variant", default="minibatch-r04")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    print(f"{arguments.variant}, {arguments.epochs} epochs, torch {torch.__version__}")
    print("network          run [s]  epochs [s]  computing [s]  loop's own  outside epochs")
    for network in arguments.networks:
        wall, epochs, computing = measure(
            network, arguments.epochs, arguments.device, arguments.variant
        )
        print(
            f"{network:15}  {wall:7.1f}  {epochs:10.1f}  {computing:13.1f}  "
            f"{1 - computing / epochs:10.2%}  {1 - epochs / wall:14.1%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
