"""Encoders of reports: a small one for a vocabulary of one's own, or a published one."""

from torch import nn
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

PUBLISHED = {"bio-clinicalbert": "emilyalsentzer/Bio_ClinicalBERT"}
ENCODERS = ("bert-small", *PUBLISHED)


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
        vocabulary of its own. ``"bio-clinicalbert"``: the published weights, which are
        downloaded from their model hub or found in its cache.
    tokenizer : tokenizers.Tokenizer, optional
        Of the small encoder; see :func:`shortlib.models.vocabulary.train_wordpiece`.
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
        If the name is unknown, the small encoder has no tokenizer, there are fewer
        layers than are to be frozen, or the published weights cannot be had.

    References
    ----------
    Alsentzer et al. (2019); the first eight layers are frozen in Palepu and Beam (2022).
    """
    if name == "bert-small":
        if tokenizer is None:
            raise ValueError("bert-small needs a tokenizer, trained on the training reports")
        bert = BertModel(
            BertConfig(
                vocab_size=tokenizer.get_vocab_size(),
                hidden_size=128,
                num_hidden_layers=2,
                num_attention_heads=4,
                intermediate_size=256,
                max_position_embeddings=256,
            )
        )
    elif name in PUBLISHED:
        bert, tokenizer = _published(PUBLISHED[name])
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
    try:
        # Weights as safetensors only: a pickle could run code.
        bert = AutoModel.from_pretrained(name, use_safetensors=True)
        tokenizer = AutoTokenizer.from_pretrained(name).backend_tokenizer
    except (OSError, ValueError) as error:
        raise ValueError(
            f"the weights of {name} are not in the cache and the model hub cannot be reached; "
            f"download them on a machine that can, or name bert-small ({type(error).__name__})"
        ) from error
    return bert, tokenizer
