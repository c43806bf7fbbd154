"""TRL's trainer, made quicker on a processor without changing what is learned.

On a processor TRL scores every position of a batch, and measures entropy and accuracy besides; here only the positions that are learned
are scored, without a padding mask (padding stands to the right of causal attention and has no label). On a GPU TRL's own path is taken,
which does the same with its own kernels. Takes the trainer's class as an argument, so that only the worker imports trl.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.data import SequentialSampler

SCALED = ("final_logit_softcapping", "logit_scale", "output_multiplier", "lm_head_multiplier", "logits_scaling")


def answer_trainer(base: type) -> type:
    """A subclass of `trl.SFTTrainer` that also takes `count`, told how many tokens each training batch held."""

    class AnswerTrainer(base):
        def __init__(self, *args: Any, count: Callable[[int], None], **more: Any) -> None:
            super().__init__(*args, **more)
            self._count = count
            for weight in self.model.parameters():
                if weight.requires_grad and weight.dtype != torch.float32:
                    weight.data = weight.data.float()  # small late steps would vanish in 16 bits
            causal = self.model.get_base_model()
            text = causal.config.get_text_config()
            plain = all(getattr(text, name, None) in (None, 1.0) for name in SCALED) and not self.aux_loss_enabled
            self._quick = plain and self.args.device.type == "cpu" and not self.padding_free
            self._causal = causal

        def compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
            if model.training:
                self._count(int(inputs["attention_mask"].sum()) if "attention_mask" in inputs else inputs["input_ids"].numel())
            if not self._quick or return_outputs:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            targets = inputs["labels"][:, 1:]
            learned = targets != -100
            with self.accelerator.autocast():
                hidden = self._causal.base_model(input_ids=inputs["input_ids"], use_cache=False).last_hidden_state[:, :-1]
                scores = self._causal.get_output_embeddings()(hidden[learned])
            loss = torch.nn.functional.cross_entropy(scores.float(), targets[learned], reduction="sum")
            return loss / (num_items_in_batch if num_items_in_batch is not None else learned.sum().clamp(min=1))

        def floating_point_ops(self, inputs: dict[str, Any]) -> int:
            return 0  # would walk over all parameters at each step, for a figure that nobody reads

        def _get_eval_sampler(self, eval_dataset: Any) -> Any:
            return SequentialSampler(eval_dataset)  # the same batches at every check, so that two checks can be compared

    return AnswerTrainer
