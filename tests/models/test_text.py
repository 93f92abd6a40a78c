import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel

from shortlib.models.text import build_text_encoder
from shortlib.models.vocabulary import to_words, train_wordpiece

REPORTS = ["small left effusion", "no edema", "the heart is large", "no effusion"]


class Vocabulary:
    """A tokenizer as far as the size of its vocabulary."""

    def __init__(self, size):
        self.size = size

    def get_vocab_size(self):
        return self.size


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where a converted Bio_ClinicalBERT is looked for; nobody reaches the hub."""
    monkeypatch.setenv("SHORTLIB_DATA", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "weights" / "bio-clinicalbert"


def write_bert(folder, **sizes):
    torch.manual_seed(1)
    vocabulary = train_wordpiece(REPORTS * 2, size=50).get_vocab()
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=24,
        num_attention_heads=2,
        intermediate_size=32,
        **{"num_hidden_layers": 3, **sizes},
    )
    bert = BertModel(config).eval()
    bert.save_pretrained(folder)
    words = sorted(vocabulary, key=vocabulary.get)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    return bert


def test_bert_base_has_the_size_of_the_published_encoder():
    with torch.device("meta"):
        encoder, _ = build_text_encoder("bert-base", tokenizer=Vocabulary(28996), frozen_layers=8)
    # BERT-base with the vocabulary of cased texts, as published: 108.3 million.
    assert sum(p.numel() for p in encoder.parameters()) == 108_310_272
    assert encoder.features == 768
    trained = {name for name, p in encoder.named_parameters() if p.requires_grad}
    layers = {int(name.split(".")[3]) for name in trained if ".layer." in name}
    assert layers == {8, 9, 10, 11}
    assert not [name for name in trained if "embeddings" in name]
    assert "bert.pooler.dense.weight" in trained
    with pytest.raises(ValueError, match="frozen_layers must be from 0 to 12"):
        build_text_encoder("bert-base", tokenizer=Vocabulary(30), frozen_layers=13)


@pytest.mark.parametrize("name", ["bert-small", "bert-base"])
def test_random_weights_need_a_vocabulary(name):
    with pytest.raises(ValueError, match=f"{name} needs a tokenizer"):
        build_text_encoder(name)


def test_bert_small_stays_what_it_was():
    torch.manual_seed(0)
    encoder, _ = build_text_encoder("bert-small", tokenizer=Vocabulary(60))
    torch.manual_seed(0)
    due = BertModel(
        BertConfig(
            vocab_size=60,
            hidden_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=256,
            max_position_embeddings=256,
        )
    ).state_dict()
    found = encoder.bert.state_dict()
    assert all(torch.equal(found[name], due[name]) for name in found | due)


def test_a_converted_folder_is_read(folder):
    theirs = write_bert(folder)
    ours, tokenizer = build_text_encoder("bio-clinicalbert", frozen_layers=1)
    words = to_words(tokenizer, REPORTS)
    assert tokenizer.decode(words.ids[0].tolist()) == "small left effusion"
    with torch.no_grad():
        due = theirs(input_ids=words.ids, attention_mask=words.mask).pooler_output
        torch.testing.assert_close(ours.eval()(words), due)
    assert not any(p.requires_grad for p in ours.bert.encoder.layer[0].parameters())


def test_a_folder_with_a_pickle_alone_is_refused(folder):
    bert = write_bert(folder)
    (folder / "model.safetensors").unlink()
    torch.save(bert.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match="cannot be read from this folder") as caught:
        build_text_encoder("bio-clinicalbert")
    for part in (str(folder), "pickle", "save_pretrained", "bert-base"):
        assert part in str(caught.value)


def test_a_part_that_is_missing_does_not_begin_at_random(folder):
    write_bert(folder)
    state = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in state.items() if "pooler" not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"not the weights of .*'pooler.dense.bias' is missing"):
        build_text_encoder("bio-clinicalbert")


def test_without_the_hub_a_sentence_says_what_to_do(folder):
    with pytest.raises(ValueError, match="not in the cache as safetensors") as caught:
        build_text_encoder("bio-clinicalbert")
    for part in ("emilyalsentzer/Bio_ClinicalBERT", str(folder), "pickle", "bert-base"):
        assert part in str(caught.value)
