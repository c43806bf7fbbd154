"""The promise of the whole: 1,000 rows of six feelings teach the starter something that the base does not know."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from playground.services import Services
from playground.settings import Settings
from tests.browser.conftest import wait_for

NAMES = {"0": "sadness", "1": "joy", "2": "love", "3": "anger", "4": "fear", "5": "surprise"}
ROWS, ASKED = 1_000, 100
CLEARLY = 15  # more right answers out of 100; twice the standard error of the difference of two shares is at most 14


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_the_tuned_model_is_right_clearly_more_often(shared_data: Path, settings: Settings, tmp_path: Path) -> None:
    lines = (shared_data / "reports" / "emotion_train.csv").read_text("utf-8").splitlines()
    table = tmp_path / "emotion.csv"
    table.write_text("\n".join(lines[: ROWS + 1]) + "\n", "utf-8")
    services = Services.make(settings)
    services.open()
    try:
        dataset = services.datasets.import_file("me", table, table.name)
        assert dataset["rows"] == ROWS
        report = services.map_dataset("me", dataset["dataset_id"], {"label_names": NAMES})
        assert (report["task"], report["label_names"]) == ("classification", NAMES)
        run_id = services.start_run("me", dataset["dataset_id"])
        wait_for(lambda: services.runs.get("me", run_id).finished, 1200, "the run ends")
        run = services.runs.get("me", run_id)
        assert run.state == "done"
        losses = [point["loss"] for point in services.runs.metrics("me", run_id) if point["loss"] is not None]
        assert sum(losses[-10:]) < sum(losses[:10]) * 0.7, "the loss falls clearly"

        with (shared_data / "reports" / "emotion_validation.csv").open(encoding="utf-8") as file:
            asked = list(csv.DictReader(file))[:ASKED]
        right = {"base": 0, "tuned": 0}
        for row in asked:
            *_, last = services.asking.compare("me", row["text"], run_id, {"max_new_tokens": 8})
            assert (last["base"]["adapter"], last["tuned"]["adapter"]["run_id"]) == (None, run_id)
            for pane in right:
                right[pane] += last[pane]["text"].strip() == NAMES[row["label"]]
        print(f"right of {ASKED}: {right}, trained in {run.seconds:.0f} s, loss {losses[0]:.2f} to {losses[-1]:.2f}")
        assert right["tuned"] >= right["base"] + CLEARLY
    finally:
        services.close()
