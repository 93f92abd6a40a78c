"""Time Grad-CAM inside the graph against the package grad-cam, and steps of training by it.

Run from the checkout, about a minute on two cores::

    python benchmarks/exbl_step.py

First the maps of a batch, without a graph of their own: ours against the package's, of the same
network, layer, images and classes. Ours runs in the memory layout that the compute policy chooses
and goes back no further than the layer; the package's runs in the plain layout and goes back to
the first convolution. The largest difference of the maps is printed beside the ratio; it is the
order in which over a thousand features are added in float32 (in float64 they agree to 1e-5).

Then a step of training, which is forward, loss, backward and Adam: with an explanation loss beside
the cross-entropy, against the cross-entropy alone, with the same network, batch and layout. Here
the maps are in the graph, so a step goes back through them: about the cost of one more forward and
backward pass through what follows the layer, and of products of maps and images. RRR alone goes
back through the whole network twice.

Sides take turns, A B A B, so that other work on the machine bears on both; ratios are of turns
beside each other, and their median is printed: by the clock of the wall and by processor seconds,
which is what counts where other work shares the cores.
"""

import argparse
import statistics
import time
from copy import deepcopy
from importlib.metadata import version

import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch.nn.functional import cross_entropy

from shortlib.explain.grad_cam import grad_cam, logits_and_maps
from shortlib.methods.annotated_explanations import masked_explanation, right_reasons
from shortlib.methods.compute import choose_compute
from shortlib.methods.exbl import exemplar_explanation
from shortlib.models.transfer import build_transfer

CASES = (("cnn-small", 96, 64), ("mobilenet-v2", 224, 8))  # network, side, images in a batch
CLASSES = 4


def settled(network, side):
    """Return a network whose norms have seen something, and whose maps have peaks to speak of."""
    torch.manual_seed(0)
    model = build_transfer(network, outputs=CLASSES)
    with torch.no_grad():
        model.train()(torch.rand(8, 1, side, side))
        # The package adds 1e-7 to the peak of a map; beside a small one that would be seen.
        model.head[-1].weight *= 100
    return model.eval()


def compare_maps(network, side, batch, compute, turns):
    """Return seconds of both sides, the ratios, and the largest difference of the maps."""
    plain, images = settled(network, side), torch.rand(batch, 1, side, side)
    placed, ready = compute.place(deepcopy(plain)), compute.place(images)
    targets = torch.arange(batch) % CLASSES
    explainer = GradCAM(plain, [plain.body])
    wanted = [ClassifierOutputTarget(k) for k in targets.tolist()]

    def theirs():
        return torch.from_numpy(explainer(images, wanted))

    def ours():
        return grad_cam(placed, placed.body, ready, targets)

    difference = (theirs() - ours()).abs().max().item()  # and both are warm
    found = in_turns({"grad-cam": theirs, "shortlib": ours}, turns)
    explainer.activations_and_grads.release()
    return found, difference


def steppers(network, side, batch, compute):
    """Return a function that takes a step, by the loss on explanations that it has."""
    images = compute.place(torch.rand(batch, 1, side, side))
    labels = torch.arange(batch) % CLASSES
    masks = (torch.rand(batch, side, side) < 0.5).float()
    pair = [(images[k], torch.rand(side, side)) for k in (0, 1)]
    cells = settled(network, side).body(images[:1]).shape[-1]

    def by_map(model, images, labels):
        return logits_and_maps(model, model.body, images, labels)

    losses = {
        "plain": None,
        "eXBL": exemplar_explanation(by_map, *pair),
        "eXBL, code's": exemplar_explanation(by_map, *pair, distance="mean square", size=cells),
        "masked": masked_explanation(by_map),
        "RRR": right_reasons,
    }

    def stepper(explain):
        model = compute.place(settled(network, side)).train()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)

        def step():
            if explain is None:
                loss = cross_entropy(model(images), labels)
            else:
                logits, explained = explain(model, images, labels, masks)
                loss = cross_entropy(logits, labels) + explained
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            return loss.item()

        return step

    return {name: stepper(explain) for name, explain in losses.items()}


def in_turns(sides, turns):
    """Return, by side, rows of wall and processor seconds, one a turn."""
    rows = {name: [] for name in sides}
    for _ in range(turns):
        for name, function in sides.items():
            wall, processor = time.perf_counter(), time.process_time()
            function()
            rows[name].append((time.perf_counter() - wall, time.process_time() - processor))
    return rows


def median_ratio(rows, others, k):
    return statistics.median(a[k] / b[k] for a, b in zip(rows, others, strict=True))


def milliseconds(rows, k):
    return 1000 * statistics.median(row[k] for row in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, grad-cam {version('grad-cam')}, threads {arguments.threads}")
    for network, side, batch in CASES:
        compute = choose_compute("cpu", network, threads=arguments.threads)
        with compute.active():
            rows, difference = compare_maps(network, side, batch, compute, arguments.turns)
            print(f"\n{network}, {side} px, batch {batch}: milliseconds by the wall, of processor")
            for name, row in rows.items():
                times = f"{milliseconds(row, 0):9.0f} {milliseconds(row, 1):9.0f}"
                faster = [median_ratio(rows["grad-cam"], row, k) for k in (0, 1)]
                print(
                    f"  maps, {name:16}{times}   {faster[0]:5.2f}x, {faster[1]:5.2f}x as fast",
                    flush=True,
                )
            print(f"  largest difference of the maps {difference:.1e}")
            sides = steppers(network, side, batch, compute)
            in_turns(sides, 1)  # warm up
            rows = in_turns(sides, arguments.turns)
            for name, row in rows.items():
                times = f"{milliseconds(row, 0):9.0f} {milliseconds(row, 1):9.0f}"
                cost = [median_ratio(row, rows["plain"], k) for k in (0, 1)]
                print(
                    f"  step, {name:16}{times}   {cost[0]:5.2f}x, {cost[1]:5.2f}x a plain one",
                    flush=True,
                )


if __name__ == "__main__":
    main()
