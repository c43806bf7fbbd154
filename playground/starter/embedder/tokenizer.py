"""The embedder's tokenizer: case and accents folded, marks dropped, whole words where they are frequent, pieces otherwise.

Knows texts and how often its pieces stand in them; where the texts come from is the pairs' business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

UNKNOWN = "[UNK]"
VOCABULARY = 14_000
_WORDS = Regex(r"\p{L}+|\p{N}+")
_RAREST = 1e-3  # a piece found in no passage weighs as much as one found in every thousandth


def train(texts: Iterable[str], vocabulary: int = VOCABULARY) -> Tokenizer:
    """WordPiece of at most ``vocabulary`` entries; the unknown piece is the first."""
    tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN, max_input_chars_per_word=60))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(_WORDS, "removed", invert=True)
    tokenizer.train_from_iterator(
        texts, trainers.WordPieceTrainer(vocab_size=vocabulary, special_tokens=[UNKNOWN], limit_alphabet=200, show_progress=False)
    )
    return tokenizer


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> list[np.ndarray]:
    """The pieces of each text; a text without a word is one unknown piece."""
    return [np.array(e.ids or [0], dtype=np.int64) for e in tokenizer.encode_batch(list(texts), add_special_tokens=False)]


def rarity(tokenizer: Tokenizer, passages: Iterable[Sequence[str]]) -> np.ndarray:
    """Inverse document frequency of each piece, by the language in which it is most common.

    Taken over all passages at once, the function words of the language with fewer passages would look rare.
    """
    share = np.zeros(tokenizer.get_vocab_size())
    for texts in passages:
        found = np.zeros_like(share)
        for pieces in encode(tokenizer, texts):
            found[np.unique(pieces)] += 1
        share = np.maximum(share, found / max(len(texts), 1))
    return -np.log(np.minimum(share + _RAREST, 1.0))
