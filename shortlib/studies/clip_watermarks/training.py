"""One arm of a run: pre-training on real or watermarked images, then fine-tuning."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from shortlib.data.seeds import derive_seed
from shortlib.methods.augmentation import build_augmentation
from shortlib.methods.clip_training import fit_clip
from shortlib.methods.erm import fit_erm, predict_erm
from shortlib.methods.fine_tuning import fine_tune
from shortlib.methods.training import Rule, Schedule
from shortlib.methods.zero_shot import exclusive_cases, label_embeddings, predict_zero_shot
from shortlib.models.cnn import build_cnn
from shortlib.models.text import PUBLISHED, build_text_encoder
from shortlib.shortcuts.mention import mention
from shortlib.shortcuts.watermark import assign, watermarked

SELECTION = "validation"
RULES = {SELECTION: Rule("validation_loss")}


@dataclass
class PreTrained:
    """A model after pre-training, and how it scores images.

    Attributes
    ----------
    model : torch.nn.Module
        A CNN or a CLIP, with the weights of its best epoch, on the device.
    trained : shortlib.methods.training.Trained
    predict : callable
        Images of shape (n, c, h, w) to scores of shape (n, k).
    output : callable
        Float images of shape (m, c, h, w), which may carry gradients, to the same scores.
    """

    model: object
    trained: object
    predict: object
    output: object

    @property
    def image_encoder(self):
        """The network that is fine-tuned: the same architecture for both methods."""
        return getattr(self.model, "image_encoder", self.model)


def check_weights(method, settings):
    """Find published weights before hours are spent on reading images.

    Raises
    ------
    ValueError
        If weights that the settings name cannot be had.
    """
    build_cnn(settings["network"], weights=settings["weights"])
    if method == "clip" and settings["text_encoder"] in PUBLISHED:
        build_text_encoder(settings["text_encoder"], frozen_layers=settings["frozen_layers"])


def pretrain(method, arm, parts, settings, *, watermark, compute, seed, **options):
    """Train one arm and load the weights of its best epoch.

    Parameters
    ----------
    method : str
        ``"cnn"`` or ``"clip"``.
    arm : str
        ``"real"`` or ``"shortcut"``.
    parts : dict of str to shortlib.data.Cohort
        See :func:`shortlib.studies.clip_watermarks.sources.load_parts`.
    settings : dict
    watermark : shortlib.shortcuts.watermark.Watermark
    compute : shortlib.methods.compute.Compute
    seed : int
    **options
        Passed to :func:`shortlib.methods.training.train`.

    Returns
    -------
    PreTrained
    """
    train, validation, plant = parts["train"], parts["validation"], None
    if arm == "shortcut":
        train, validation, plant = _with_shortcut(train, validation, settings, watermark, seed)
    options |= {
        "network": settings["network"],
        "weights": settings["weights"],
        "schedule": _schedule(settings),
        "rules": RULES,
        "compute": compute,
        # Both arms start from the same weights and see the cases in the same order.
        "seed": derive_seed(seed, method),
        "augment": build_augmentation(**settings["augmentation"], side=settings["side"]),
        "plant": plant,
    }
    monitors = {SELECTION: validation}
    if method == "cnn":
        model, trained = fit_erm(train, monitors, **options)
        model.load_state_dict(trained.weights[SELECTION])
        return PreTrained(model, trained, _cnn_predict(model, compute), _cnn_output(model, compute))
    # Before the training, so that too few reports are said at once.
    chosen = exclusive_cases(
        parts["train"].labels,
        parts["train"].label_names,
        n=settings["n_prompts"],
        seed=derive_seed(seed, "prompts"),
    )
    text = {name: settings[name] for name in ("text_encoder", "frozen_layers", "text_length")}
    model, tokenizer, trained = fit_clip(
        train, monitors, width=settings["width"], terms=settings["terms"], **text, **options
    )
    model.load_state_dict(trained.weights[SELECTION])
    # Reports as they came, also where those of the training mention the symbols: the question
    # put to the images is the same in every arm.
    prompts = label_embeddings(
        model,
        tokenizer,
        parts["train"].reports,
        chosen,
        compute,
        text_length=settings["text_length"],
    ).clone()

    def predict(images):
        return predict_zero_shot(model, images, prompts, compute)

    def output(images):
        return model.embed_images(images.to(compute.device)) @ prompts.T

    return PreTrained(model, trained, predict, output)


def fine_tuned(encoder, clean, settings, *, compute, seed, new_head, watch):
    """Train a pre-trained image encoder further on clean images.

    Parameters
    ----------
    encoder : shortlib.models.cnn.CNN
        Changed in place.
    clean : shortlib.data.Cohort
    settings : dict
    compute : shortlib.methods.compute.Compute
    seed : int
    new_head : bool
        Whether the last layer starts anew.
    watch : callable
        ``watch(predict, epoch)`` after each epoch.

    Returns
    -------
    shortlib.methods.training.Trained
    """
    schedule = _schedule(settings)
    return fine_tune(
        encoder,
        clean,
        schedule=replace(
            schedule,
            epochs=settings["finetune_epochs"],
            learning_rate=schedule.learning_rate / 10,
            decay="constant",
        ),
        compute=compute,
        seed=derive_seed(seed, "fine-tuning"),
        new_head=new_head,
        watch=lambda model, epoch: watch(_cnn_predict(model, compute), epoch),
    )


def _with_shortcut(train, validation, settings, watermark, seed):
    """Plant the symbols in training: in each batch as it comes, in validation once."""
    chances = {name: settings[name] for name in ("p_marked", "p_correct", "negative")}
    carries = assign(train.labels, seed=derive_seed(seed, "symbols"), **chances)
    marked = watermarked(
        validation, watermark, seed=derive_seed(seed, "validation symbols"), **chances
    )
    if settings.get("mention"):
        on_validation = assign(
            validation.labels, seed=derive_seed(seed, "validation symbols"), **chances
        )
        train = replace(train, reports=mention(train.reports, carries, watermark.symbols))
        marked = replace(
            marked, reports=mention(validation.reports, on_validation, watermark.symbols)
        )

    def plant(images, index):
        # Seeded by torch's generator, as the augmentation is: a resumed fit draws the same.
        rng = np.random.default_rng(int(torch.randint(2**31, ())))
        offsets = watermark.offsets(len(images), images.shape[-1], rng)
        drawn, _ = watermark.draw(images, carries[index.cpu().numpy()], offsets)
        return drawn

    return train, marked, plant


def _schedule(settings):
    return Schedule(
        epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        learning_rate=settings["learning_rate"],
        weight_decay=settings["weight_decay"],
        decay=settings["decay"],
    )


def _cnn_predict(model, compute):
    return lambda images: predict_erm(model, images, compute)[0]


def _cnn_output(model, compute):
    return lambda images: model(images.to(compute.device))
