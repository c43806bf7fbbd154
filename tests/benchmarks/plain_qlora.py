"""QLoRA in a plain TRL script, the other side of `bench_gpu`: python -m tests.benchmarks.plain_qlora MODEL ROWS.json OUT"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from tests.benchmarks.bench_gpu import BATCH, LENGTH, SKIPPED, STEPS, card_memory_mb


def main(model: str, rows: str, out: str) -> None:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    class Clock(TrainerCallback):
        """Seconds between the end of the last step that is not counted and the end of the last one, and the card's memory."""

        began, ended, card = 0.0, 0.0, 0.0

        def on_step_end(self, args, state, control, **more):  # type: ignore[no-untyped-def]
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if state.global_step == SKIPPED:
                self.began = time.perf_counter()
            self.ended, self.card = time.perf_counter(), max(self.card, card_memory_mb())

    clock = Clock()
    four_bit = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.bfloat16
    )
    trainer = SFTTrainer(
        AutoModelForCausalLM.from_pretrained(model, dtype=torch.bfloat16, quantization_config=four_bit),
        args=SFTConfig(
            output_dir=out, max_steps=STEPS, per_device_train_batch_size=BATCH, learning_rate=2e-4, max_length=LENGTH, bf16=True,
            gradient_checkpointing=True, use_cpu=not torch.cuda.is_available(), logging_steps=1, save_strategy="no", report_to="none",
            disable_tqdm=True, seed=42,
        ),
        train_dataset=Dataset.from_list(json.loads(Path(rows).read_text())),
        processing_class=AutoTokenizer.from_pretrained(model),
        peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
        callbacks=[clock],
    )  # fmt: skip
    trainer.train()
    tokens = (STEPS - SKIPPED) * BATCH * LENGTH
    print(json.dumps({"speed": tokens / (clock.ended - clock.began), "card": clock.card}))


if __name__ == "__main__":
    main(*sys.argv[1:])
