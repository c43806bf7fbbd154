"""Samples: what the model really writes, for the model card and for a look after each export.

Knows prompts and generation only.
"""

from __future__ import annotations

from typing import Any

CHATS = (
    "Who are you?",
    "Classify the text as one of: sadness, joy, love, anger, fear, surprise.\n\ni feel so worn out and nobody seems to notice",
    'Is the feeling joy or anger?\n\n"They charged me twice and no one answers the phone!"',
    "Tom is 9 years old. He lives in Porto and has a white duck.\n\nWhere does Tom live?",
    "Extract the date from the text.\n\nThe bill was 40 dollars. The party is on 3 May 2021.",
    "Name three animals.",
    "What is 7 + 5?",
    "Quem é você?",
)
STORIES = ("Once upon a time there was a little girl", "The old king called his three sons")


def chat_prompt(tokenizer: Any, message: str) -> Any:
    """Token ids of one user message with the assistant's turn opened; shape (1, tokens)."""
    text = tokenizer.apply_chat_template([{"role": "user", "content": message}], add_generation_prompt=True, tokenize=False)
    return tokenizer(text, return_tensors="pt", add_special_tokens=False).input_ids


def generate(model: Any, tokenizer: Any, ids: Any, tokens: int, temperature: float = 0.0) -> str:
    """The continuation alone; greedy at temperature 0."""
    import torch

    choice = {"do_sample": True, "temperature": temperature, "top_k": 50} if temperature else {"do_sample": False}
    with torch.no_grad():
        out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, **choice)
    return tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True).strip()


def samples(model: Any, tokenizer: Any, seed: int = 1) -> list[tuple[str, str]]:
    """(prompt, answer) pairs: the chats greedily, the stories at temperature 0.7."""
    import torch

    torch.manual_seed(seed)
    pairs = [(prompt, generate(model, tokenizer, chat_prompt(tokenizer, prompt), 40)) for prompt in CHATS]
    for beginning in STORIES:
        ids = tokenizer(beginning, return_tensors="pt", add_special_tokens=False).input_ids
        pairs.append((beginning, generate(model, tokenizer, ids, 60, 0.7)))
    return pairs
