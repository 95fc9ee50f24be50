"""A sentence-transformers model that is made in a second and knows nothing: random weights, a few letters."""

import string
from pathlib import Path

WORDS = ("heart", "failure", "gout", "kidney", "joint")


def write_tiny_model(folder: Path, dimension: int = 16, seed: int = 0) -> Path:
    """Writes a BERT of one layer with mean pooling; the same arguments give the same bytes.

    Args:
        folder: is made.
        dimension: length of a vector, even.
        seed: of the weights.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    parts = folder / "parts"
    parts.mkdir(parents=True)
    letters = string.ascii_lowercase + string.digits
    vocabulary = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *WORDS,
        *letters,
        *(f"##{c}" for c in letters),
    ]
    (parts / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    BertTokenizerFast(str(parts / "vocab.txt"), model_max_length=64).save_pretrained(parts)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=dimension,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=2 * dimension,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(parts)
    transformer = Transformer(str(parts), max_seq_length=64)
    model = SentenceTransformer(modules=[transformer, Pooling(dimension, "mean")], device="cpu")
    model.save(str(folder / "model"))
    return folder / "model"
