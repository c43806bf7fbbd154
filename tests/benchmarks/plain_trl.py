"""A plain TRL script, as a careful person writes it in an hour: the other side of `bench_training`.

python -m tests.benchmarks.plain_trl MODEL ROWS.json OUT {lora,qlora}   prints one line of JSON
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(model: str, rows: str, out: str, method: str) -> None:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
    from trl import SFTConfig, SFTTrainer

    four_bit = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.bfloat16
    )
    trainer = SFTTrainer(
        AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32, quantization_config=four_bit if method == "qlora" else None),
        args=SFTConfig(
            output_dir=out, num_train_epochs=1, per_device_train_batch_size=8, learning_rate=1e-3, max_length=512, bf16=True,
            gradient_checkpointing=False, use_cpu=not torch.cuda.is_available(), logging_steps=10, save_strategy="no", report_to="none",
            disable_tqdm=True, seed=42,
        ),
        train_dataset=Dataset.from_list(json.loads(Path(rows).read_text())),
        processing_class=AutoTokenizer.from_pretrained(model),
        peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
    )  # fmt: skip
    metrics = trainer.train().metrics
    trainer.save_model(out)
    print(json.dumps({"loop": metrics["train_samples_per_second"], "loss": metrics["train_loss"]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
