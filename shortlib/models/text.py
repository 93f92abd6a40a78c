"""Encoders of reports: a small one for a vocabulary of one's own, or a published one."""

import os

from torch import nn
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

from shortlib.data.locations import data_folder

PUBLISHED = {"bio-clinicalbert": "emilyalsentzer/Bio_ClinicalBERT"}
# Sizes of those that begin with random weights; what is not named is as in BERT-base.
SIZES = {
    "bert-small": {
        "hidden_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 256,
        "max_position_embeddings": 256,
    },
    "bert-base": {},
}
ENCODERS = ("bert-small", *PUBLISHED, "bert-base")


class TextEncoder(nn.Module):
    """A BERT and what it makes of a whole text: the pooled output of its first token."""

    def __init__(self, bert):
        super().__init__()
        self.bert, self.features = bert, bert.config.hidden_size

    def forward(self, words):
        """Return one vector a text, shape (n, features)."""
        return self.bert(input_ids=words.ids, attention_mask=words.mask).pooler_output


def build_text_encoder(name, *, tokenizer=None, frozen_layers=0):
    """Build a text encoder and its tokenizer.

    Parameters
    ----------
    name : str
        ``"bert-small"``: two layers of 128 features with random weights, for a
        vocabulary of its own. ``"bert-base"``: the same with the twelve layers of 768
        features that Bio_ClinicalBERT has. ``"bio-clinicalbert"``: the published
        weights as safetensors, from their model hub, its cache, or the folder
        ``weights/bio-clinicalbert`` in :func:`shortlib.data.locations.data_folder`,
        which comes first.
    tokenizer : tokenizers.Tokenizer, optional
        Of those with random weights; see :func:`shortlib.models.vocabulary.train_wordpiece`.
    frozen_layers : int
        The embeddings and so many of the first layers are not trained; 0 trains all,
        the embeddings too.

    Returns
    -------
    encoder : TextEncoder
    tokenizer : tokenizers.Tokenizer

    Raises
    ------
    ValueError
        If the name is unknown, random weights have no tokenizer, there are fewer
        layers than are to be frozen, or the published weights cannot be had.

    References
    ----------
    Alsentzer et al. (2019); the first eight layers are frozen in Palepu and Beam (2022).
    """
    if name in SIZES:
        if tokenizer is None:
            raise ValueError(f"{name} needs a tokenizer, trained on the training reports")
        bert = BertModel(BertConfig(vocab_size=tokenizer.get_vocab_size(), **SIZES[name]))
    elif name in PUBLISHED:
        bert, tokenizer = _published(name)
    else:
        raise ValueError(f"text encoder must be one of {', '.join(ENCODERS)}, got {name!r}")
    layers = bert.encoder.layer
    if not 0 <= frozen_layers <= len(layers):
        raise ValueError(
            f"frozen_layers must be from 0 to {len(layers)}, the layers of {name}, got "
            f"{frozen_layers}"
        )
    if frozen_layers:
        for part in (bert.embeddings, *layers[:frozen_layers]):
            part.requires_grad_(False)
    return TextEncoder(bert), tokenizer


def _published(name):
    repository, folder = PUBLISHED[name], data_folder() / "weights" / name
    source = str(folder) if folder.is_dir() else repository
    # Else transformers asks a service on the net to convert a repository without safetensors.
    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
    try:
        # Weights as safetensors only: a pickle could run code.
        bert, told = AutoModel.from_pretrained(
            source, use_safetensors=True, output_loading_info=True
        )
        tokenizer = AutoTokenizer.from_pretrained(source).backend_tokenizer
    except (OSError, ValueError) as error:
        raise ValueError(_how_to_get(repository, folder, error)) from error
    # Only a warning elsewhere: a part that is missing would begin with random weights.
    if told["missing_keys"] or told["mismatched_keys"]:
        first = sorted(map(str, [*told["missing_keys"], *told["mismatched_keys"]]))[0]
        raise ValueError(
            f"{source}: these are not the weights of {repository}: {first!r} is missing or of "
            "another shape"
        )
    return bert, tokenizer


def _how_to_get(repository, folder, error):
    if folder.is_dir():
        start = f"{folder}: the weights of {repository} cannot be read from this folder"
    else:
        start = (
            f"the weights of {repository} are not in the cache as safetensors, nor on the "
            "model hub, or it cannot be reached"
        )
    save = f"save_pretrained('{folder.name}')"
    return (
        f"{start} ({type(error).__name__}). The repository is known to hold a pickle only, which "
        "is not opened here, since it can run code. Convert it once on a machine that you trust "
        'with it: python -c "from transformers import AutoModel, AutoTokenizer; '
        f"AutoModel.from_pretrained('{repository}').{save}; "
        f"AutoTokenizer.from_pretrained('{repository}').{save}\"; then put the folder "
        f"{folder.name} at {folder}. Or name bert-base, the same network with random weights"
    )
