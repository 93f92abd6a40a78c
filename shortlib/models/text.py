"""Encoders of reports: a small one with its own vocabulary, or a published one."""

from collections import Counter
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import nn
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

PUBLISHED = {"bio-clinicalbert": "emilyalsentzer/Bio_ClinicalBERT"}
ENCODERS = ("bert-small", *PUBLISHED)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@dataclass(frozen=True)
class Words:
    """Token numbers of texts, padded to one length.

    Parameters
    ----------
    ids : torch.Tensor of int64, shape (n, length)
    mask : torch.Tensor of int64, shape (n, length)
        1 on tokens, 0 on padding.
    """

    ids: torch.Tensor
    mask: torch.Tensor

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, index):
        """Return some of the texts, without the padding that none of them needs."""
        ids, mask = self.ids[index], self.mask[index]
        longest = max(int(mask.sum(dim=-1).max()), 1)
        return Words(ids[..., :longest], mask[..., :longest])

    def to(self, device):
        """Return the same on a device."""
        return Words(self.ids.to(device), self.mask.to(device))


def train_wordpiece(texts, *, size=2000, least=2):
    """Make a WordPiece vocabulary from texts, lower case.

    It holds every character, alone and within a word, and the most frequent words; a
    word that is not in it is spelled. The library's own trainer breaks ties at random,
    so two fits of one seed would read differently.

    Parameters
    ----------
    texts : sequence of str
        The training reports; those of other parts must not be among them.
    size : int
        Tokens in the vocabulary at most, characters aside.
    least : int
        A word must occur so often.

    Returns
    -------
    tokenizers.Tokenizer
        Same texts, same vocabulary, whatever their order.

    Raises
    ------
    ValueError
        If there is no text.
    """
    if not len(texts):
        raise ValueError("a vocabulary needs texts to be made from, got none")
    normalizer = normalizers.BertNormalizer(lowercase=True)
    splitter = pre_tokenizers.BertPreTokenizer()
    counts = Counter(
        word
        for text in texts
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(str(text)))
    )
    characters = sorted({letter for word in counts for letter in word})
    frequent = sorted(
        (word for word, n in counts.items() if n >= least), key=lambda word: (-counts[word], word)
    )
    pieces = [*SPECIAL, *characters, *(f"##{letter}" for letter in characters), *frequent[:size]]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, splitter
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.post_processor = processors.BertProcessing(
        ("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"])
    )
    return tokenizer


def to_words(tokenizer, texts, *, length=256):
    """Turn texts into token numbers.

    Parameters
    ----------
    tokenizer : tokenizers.Tokenizer
    texts : sequence of str
    length : int
        Tokens of a text at most, with the two that begin and end it; the rest is cut.

    Returns
    -------
    Words
    """
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(pad_id=tokenizer.token_to_id("[PAD]"))
    coded = tokenizer.encode_batch([str(text) for text in texts])
    return Words(
        torch.tensor([one.ids for one in coded]),
        torch.tensor([one.attention_mask for one in coded]),
    )


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
        Of the small encoder; see :func:`train_wordpiece`.
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
