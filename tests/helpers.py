"""Small real models, built in a second: the starter's shape with random weights and a tokenizer of its own."""

from __future__ import annotations

from pathlib import Path

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIAL_TOKENS = ["<|endoftext|>", "<|pad|>", "<|im_start|>", "<|im_end|>"]
CORPUS = [
    "The shop opens at nine and closes at six. Ask the owner about prices, colours and sizes.",
    "I feel sad today, but yesterday I was happy and full of joy. Fear and anger come and go.",
    "Die Straße ist naß, le café est fermé, o coração está cheio, 日本語のテキスト и русский текст 🙂.",
    "system user assistant question answer: what is the capital of France? Paris is the capital of France.\n\n1 2 3 4 5 6 7 8 9 0",
]


def make_tiny_model(
    folder: Path,
    *,
    hidden: int = 64,
    layers: int = 2,
    heads: int = 1,
    intermediate: int = 128,
    vocab: int = 512,
    window: int = 512,
    spread: float = 0.3,
    seed: int = 0,
) -> Path:
    """Write a random Llama with a byte-level BPE tokenizer and ChatML into `folder`, as safetensors; returns `folder`.

    `spread` is the standard deviation of the weights: large enough that greedy answers have no near-ties.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = make_tokenizer(vocab)
    config = LlamaConfig(
        vocab_size=vocab,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=window,
        initializer_range=spread,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    model = LlamaForCausalLM(config)
    torch.random.set_rng_state(state)
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    return folder


def make_tiny_t5(
    folder: Path, *, hidden: int = 64, layers: int = 2, heads: int = 2, intermediate: int = 128, vocab: int = 512, seed: int = 0,
    spread: float = 1.0,
) -> Path:  # fmt: skip
    """Write a random T5 with the same tokenizer, without a chat template, into `folder`; returns `folder`."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    tokenizer = make_tokenizer(vocab, chat_template=None)
    config = T5Config(
        vocab_size=vocab, d_model=hidden, d_kv=hidden // heads, d_ff=intermediate, num_layers=layers, num_heads=heads,
        n_positions=256, initializer_factor=spread,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, decoder_start_token_id=tokenizer.pad_token_id,
        dropout_rate=0.0,
    )  # fmt: skip
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    model = T5ForConditionalGeneration(config)
    torch.random.set_rng_state(state)
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    return folder


def make_tokenizer(vocab: int = 512, chat_template: str | None = CHATML):  # type: ignore[no-untyped-def]
    """A byte-level BPE tokenizer with the starter's special tokens; every text survives a round trip."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(CORPUS * 4, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|im_end|>",
        pad_token="<|pad|>",
        additional_special_tokens=["<|endoftext|>", "<|im_start|>"],
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = chat_template
    return tokenizer


def make_adapter(model: Path, folder: Path, *, method: str = "lora", strength: float = 1.0, seed: int = 1, **options: object) -> Path:
    """Write a random PEFT adapter for `model` into `folder`, strong enough that its answers differ; returns `folder`.

    `method` is `lora` or `ia3`; `options` go to PEFT's configuration (for instance `use_dora=True`).
    """
    import torch
    from peft import IA3Config, LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(model, use_safetensors=True)
    if method == "ia3":
        config = IA3Config(task_type="CAUSAL_LM", target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"])
    else:
        config = LoraConfig(
            **{"task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj", "down_proj"]} | options
        )  # type: ignore[arg-type]
    peft = get_peft_model(base, config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in peft.named_parameters():
            if "lora_" in name and "magnitude" not in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * strength)
            elif "ia3_" in name:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * strength)
    peft.save_pretrained(folder)
    return folder


def make_cross_encoder(folder: Path) -> Path:
    """A tiny random one, always the same."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    tokenizer = make_tokenizer(512)
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    torch.manual_seed(0)
    config = BertConfig(vocab_size=512, num_labels=1, pad_token_id=tokenizer.pad_token_id, initializer_range=0.5, **shape)
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
