"""Words as numbers: a WordPiece vocabulary of one's own reports."""

from collections import Counter
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

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
