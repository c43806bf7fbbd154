"""TRL's and Transformers' trainers with the playground's hooks: order of the rows, quick passes on a processor, whole checkpoints.

On a processor TRL scores every position of a batch, and measures entropy and accuracy besides; here rows lie side by side without padding
and only the positions that are learned are scored (see `quick`). On a GPU the trainers' own path is taken, which has its own kernels.
Takes the trainer's class as an argument, so that only the worker imports trl. Does not know the run.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy
import torch
from torch.utils.data import SequentialSampler

from playground.training import checkpoints, ranks
from playground.training.batches import Order
from playground.training.methods import trained

STATE = "trainer_state.json"  # Transformers' name for its own part of a checkpoint


def playground_trainer(base: type) -> type:
    """A subclass of `trl.SFTTrainer` or `transformers.Seq2SeqTrainer`.

    Takes besides: `count`, told how many tokens each training batch held; `begun`, told the loss of each batch of the first step; `quick`,
    a `playground.training.quick.Quick` or None; `facts`, which gives what the run wants to find again in a checkpoint; `kept`, which gives
    the steps whose checkpoints have to stay; `saving`, a context in which checkpoints are written; `side_by_side`, a collator that takes
    the place of the usual one for training batches.
    """

    class PlaygroundTrainer(base):
        def __init__(
            self,
            *args: Any,
            count: Callable[[int], None],
            begun: Callable[[float], None],
            quick: Any = None,
            facts: Callable[[], dict[str, Any]] = dict,
            kept: Callable[[], Collection[int]] = tuple,
            saving: Callable[[], AbstractContextManager[None]] = nullcontext,
            side_by_side: Any = None,
            **more: Any,
        ) -> None:
            super().__init__(*args, **more)
            self._count, self._begun, self._quick, self._facts, self._kept = count, begun, quick, facts, kept
            self._saving, self._side_by_side = saving, side_by_side
            for weight in self.model.parameters():
                if weight.requires_grad and weight.dtype != torch.float32:
                    weight.data = weight.data.float()  # small late steps would vanish in 16 bits

        # what is learned

        def compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
            if model.training:
                self._count(_tokens(inputs))
            if self._quick is None or return_outputs:
                inputs = {name: value for name, value in inputs.items() if name not in ("lengths", "real")}
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            with self.accelerator.autocast():
                loss, learned = self._quick.loss(inputs)
            return loss / (num_items_in_batch if num_items_in_batch is not None else max(learned, 1))

        def training_step(self, *args: Any, **more: Any) -> Any:
            loss = super().training_step(*args, **more)
            if not self.state.global_step:
                self._begun(loss.item())
            return loss

        def prediction_step(self, model: Any, inputs: dict[str, Any], prediction_loss_only: bool, ignore_keys: Any = None) -> Any:
            if self._quick is None:
                return super().prediction_step(model, inputs, prediction_loss_only, ignore_keys)
            with torch.no_grad():
                return self.compute_loss(model, self._prepare_inputs(inputs)).detach(), None, None

        def floating_point_ops(self, inputs: dict[str, Any]) -> int:
            return 0  # would walk over all parameters at each step, for a figure that nobody reads

        # the order of the rows

        def get_train_dataloader(self) -> Any:
            usual = self.data_collator  # type: ignore[has-type]
            self.data_collator = self._side_by_side or usual
            try:
                return super().get_train_dataloader()
            finally:
                self.data_collator = usual

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            strategy, batch = str(self.args.train_sampling_strategy), self.args.per_device_train_batch_size * ranks.world()
            return Order(self.train_dataset["length"], strategy, batch * self.args.gradient_accumulation_steps, self.args.seed)

        def _get_eval_sampler(self, eval_dataset: Any) -> Any:
            return SequentialSampler(eval_dataset)  # the same batches at every check, so that two checks can be compared

        # checkpoints

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            self.state.log_history.clear()  # grows with every step, and the curve is in its own file
            if not ranks.main_process():
                return
            optimizer = self.optimizer.state_dict()
            groups = [{key: value for key, value in group.items()} for group in optimizer["param_groups"]]
            known, plain = _parts(optimizer["state"])
            facts = {
                **self._facts(),
                "optimizer": {"groups": groups, "plain": plain},
                "scheduler": _plain(self.lr_scheduler.state_dict()),
                "chance": _chance(),
            }
            with self._saving():
                checkpoints.save(
                    Path(self.args.output_dir),
                    self.state.global_step,
                    {checkpoints.WEIGHTS: trained(self.model), checkpoints.OPTIMIZER: known},
                    facts,
                    more=lambda folder: self.state.save_to_json(str(folder / STATE)),
                    keep=self._kept(),
                )

        def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
            restore(self.model, Path(resume_from_checkpoint))

        def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
            if checkpoint is None:
                return
            facts = checkpoints.facts(Path(checkpoint))
            state: dict[int, dict[str, Any]] = {}
            for name, tensor in checkpoints.tensors(Path(checkpoint), checkpoints.OPTIMIZER).items():
                number, _, key = name.partition(".")
                state.setdefault(int(number), {})[key] = tensor
            for number, values in facts["optimizer"]["plain"].items():
                state.setdefault(int(number), {}).update(values)
            fresh = self.optimizer.state_dict()["param_groups"]
            groups = [{**new, **_same_kind(old, new)} for old, new in zip(facts["optimizer"]["groups"], fresh, strict=True)]
            self.optimizer.load_state_dict({"state": state, "param_groups": groups})
            self.lr_scheduler.load_state_dict({**self.lr_scheduler.state_dict(), **facts["scheduler"]})
            for group, rate in zip(self.optimizer.param_groups, self._rates_now(), strict=True):
                group["lr"] = rate  # as planned from here on, also where the run has become longer or shorter

        def _rates_now(self) -> list[float]:
            scheduler = self.lr_scheduler
            if not hasattr(scheduler, "lr_lambdas"):
                return [group["lr"] for group in self.optimizer.param_groups]
            pairs = zip(scheduler.base_lrs, scheduler.lr_lambdas, strict=True)
            return [rate * factor(scheduler.last_epoch) for rate, factor in pairs]

        def _load_rng_state(self, checkpoint: str | None) -> None:
            if checkpoint is not None:
                _set_chance(checkpoints.facts(Path(checkpoint))["chance"])

    return PlaygroundTrainer


def _tokens(inputs: dict[str, Any]) -> int:
    """What a batch holds besides padding."""
    if "real" in inputs:
        return int(inputs["real"])
    return int(inputs["attention_mask"].sum()) if "attention_mask" in inputs else int(inputs["input_ids"].numel())


def restore(model: Any, folder: Path) -> None:
    """Give what is trained the values of a checkpoint."""
    weights = checkpoints.tensors(folder, checkpoints.WEIGHTS)
    with torch.no_grad():
        for name, weight in trained(model).items():
            if weight.dtype != weights[name].dtype:  # where nobody trains here, who would have made it so
                weight.data = weight.data.to(weights[name].dtype)
            weight.copy_(weights[name])


def _parts(state: dict[int, dict[str, Any]]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """An optimizer's memory as (tensors by name, everything else by number)."""
    tensors = {f"{number}.{key}": value for number, one in state.items() for key, value in one.items() if torch.is_tensor(value)}
    plain = {str(number): {key: value for key, value in one.items() if not torch.is_tensor(value)} for number, one in state.items()}
    return tensors, {number: values for number, values in plain.items() if values}


def _same_kind(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Values of a group as they were, but for the parameters' numbers; JSON has made lists of tuples."""
    return {
        key: tuple(value) if isinstance(new.get(key), tuple) and isinstance(value, list) else value
        for key, value in old.items()
        if key != "params" and key in new
    }


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value for key, value in state.items() if isinstance(value, (int, float, str, bool, list, type(None))) and key != "lr_lambdas"
    }


def _chance() -> dict[str, Any]:
    """The state of all random numbers, as JSON."""
    version, numbers, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = numpy.random.get_state(legacy=True)
    chance: dict[str, Any] = {
        "python": [version, list(numbers), gauss],
        "numpy": [kind, numpy.asarray(keys).tolist(), int(position), int(has_gauss), float(cached)],
        "torch": bytes(torch.get_rng_state().tolist()).hex(),
    }
    if torch.cuda.is_available():
        chance["cuda"] = [bytes(torch.cuda.get_rng_state().tolist()).hex()]  # of the process's own card, whatever others it sees
    return chance


def _set_chance(chance: dict[str, Any]) -> None:
    version, numbers, gauss = chance["python"]
    random.setstate((version, tuple(numbers), gauss))
    kind, keys, position, has_gauss, cached = chance["numpy"]
    numpy.random.set_state((kind, numpy.array(keys, dtype=numpy.uint32), position, has_gauss, cached))
    torch.set_rng_state(torch.tensor(list(bytes.fromhex(chance["torch"])), dtype=torch.uint8))
    if torch.cuda.is_available() and len(chance.get("cuda", [])) == 1:
        torch.cuda.set_rng_state(torch.tensor(list(bytes.fromhex(chance["cuda"][0])), dtype=torch.uint8))
