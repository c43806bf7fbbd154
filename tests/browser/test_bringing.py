"""Settings of a published study, and an adapter from elsewhere: on the page as a person finds them, and by program."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from gradio_client import handle_file
from gradio_client.exceptions import AppError
from playwright.sync_api import Page, expect

from playground.settings import Settings
from tests.browser.conftest import Server, start, wait_for
from tests.browser.test_everybody import CHECKS
from tests.helpers import make_adapter

SAMPLE = "Harbour Café: answers in house style"
SLOW = 60_000


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ZIP archive of an adapter for the starter; the folder it was packed from lies beside it."""
    folder = tmp_path_factory.mktemp("adapter") / "theirs"
    make_adapter(Settings(home=folder).starter, folder, strength=0.02)
    return Path(shutil.make_archive(str(folder), "zip", folder))


def test_a_study_fills_the_form_and_a_brought_adapter_is_gone_on_from(server: Server, open_page: Callable[..., Page], given: Path) -> None:
    client = server.client()
    client.predict(api_name="/import_dataset", file=None, sample=SAMPLE)
    page = open_page(server.url)
    page.wait_for_timeout(1500)
    page.get_by_role("tab").nth(1).click()
    page.locator("#bring").get_by_role("button").first.click()
    page.set_input_files("#bring-files input[type=file]", given)
    expect(page.locator("#bring-files")).to_contain_text(re.compile(r"theirs\s*\.zip"), timeout=SLOW)  # in one piece only while it travels
    expect(page.locator("#bring-model input")).to_have_value("Starter", timeout=SLOW)
    page.locator("#bring-name").locator("input, textarea").first.fill("From a friend")
    page.locator("#bring-button").click()
    expect(page.locator("#bring-told")).to_contain_text("From a friend", timeout=SLOW)
    expect(page.locator("#run-told")).to_contain_text("trained elsewhere", timeout=SLOW)
    run = client.predict(api_name="/list_runs")[0]
    assert (run["name"], run["state"], run["brought"], run["settings"]["lora_r"]) == ("From a friend", "done", True, 4)

    page.get_by_text("All settings (", exact=False).first.click()
    recipe = page.locator("#recipe input")
    expect(page.locator("#begin-with input")).to_be_enabled(timeout=SLOW)
    recipe.click()
    page.get_by_role("option", name="Questions into SQL").click()
    expect(page.locator("#recipe-note")).to_contain_text("adamw_torch_fused", timeout=SLOW)
    expect(page.locator("#recipe-note")).to_contain_text("The starter takes the place of google/gemma-2b-it")
    shown = {name: page.locator(f"#setting-{name}").locator("input, textarea").first for name in ("lora_r", "target_modules", "max_steps")}
    expect(shown["lora_r"]).to_have_value("4")
    expect(shown["target_modules"]).to_have_value("q_proj, v_proj")
    found = Axe().run(page, options=CHECKS).response["violations"]
    assert not found, [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found]
    own = page.locator("#own-model").locator("input, textarea").first
    own.fill("starter")  # another model than the study's: its settings are fitted to that one
    own.press("Enter")
    expect(page.locator("#recipe-note")).to_contain_text("was chosen in place of google/gemma-2b-it", timeout=SLOW)
    expect(shown["lora_r"]).to_have_value("4")
    own.fill("")
    recipe.click()
    page.get_by_role("option", name="–").first.click()
    expect(shown["lora_r"]).to_have_value("", timeout=SLOW)

    shown["max_steps"].fill("2")
    page.locator("#begin-with input").click()
    page.get_by_role("option", name="From a friend").click()
    page.locator("#train-button").click()
    made = wait_for(
        lambda: next((one for one in client.predict(api_name="/list_runs") if one["start_from"] == run["run_id"]), None), 60, "a new run"
    )
    ended = wait_for(
        lambda: (now := client.predict(api_name="/get_run", run_id=made["run_id"]))["state"] in ("done", "failed") and now, 240, "its end"
    )
    assert ended["state"] == "done", ended["error"]
    assert (ended["settings"]["lora_r"], ended["method"], ended["max_steps"]) == (4, "lora", 2)


def test_by_program(server: Server, given: Path) -> None:
    client = server.client()
    dataset = client.predict(api_name="/import_dataset", file=None, sample=SAMPLE)["dataset_id"]
    recipes = client.predict(api_name="/list_recipes", dataset_id=dataset)
    assert len(recipes) == 8 and all(set(one) == {"id", "name", "description", "settings", "adapted"} for one in recipes)
    assert any("needs a GPU" in sentence for sentence in recipes[0]["adapted"])
    made = client.predict(api_name="/import_adapter", file=handle_file(given), model="starter", name="By program")
    again = client.predict(
        api_name="/import_adapter",
        file=None,
        model="starter",
        files=[handle_file(given.with_suffix("") / name) for name in ("adapter_config.json", "adapter_model.safetensors")],
    )
    third = client.predict(api_name="/import_adapter", file=None, model="starter", path=str(given.with_suffix("")))
    assert len({one["run_id"] for one in (made, again, third)}) == 3
    *_, answers = client.submit(api_name="/compare", prompt="When do you open?", run_id=made["run_id"], settings={"max_new_tokens": 4})
    assert answers["tuned"]["adapter"]["run_id"] == made["run_id"]
    with pytest.raises(AppError, match="Choose the model that the adapter was trained on"):
        client.predict(api_name="/import_adapter", file=handle_file(given))
    with pytest.raises(AppError, match="lora_r is 4"):
        client.predict(api_name="/start_run", dataset_id=dataset, settings={"lora_r": 64}, start_from=made["run_id"])


def test_a_visitor_names_no_folder_of_the_hosts(tmp_path: Path, given: Path) -> None:
    running = start(tmp_path / "home", PLAYGROUND_MODE="shared")
    try:
        client = running.client()
        owners = {"owner": "a" * 24}
        with pytest.raises(AppError, match="closed to visitors"):
            client.predict(api_name="/import_adapter", file=None, model="starter", path=str(given.with_suffix("")), **owners)
        with pytest.raises(AppError, match="closed to visitors"):
            client.predict(api_name="/import_adapter", file=handle_file(given), model=f"local:{given.parent}", **owners)
        made = client.predict(api_name="/import_adapter", file=handle_file(given), model="starter", **owners)["run_id"]
        with pytest.raises(AppError, match="no such run"):
            client.predict(api_name="/get_run", run_id=made, owner="b" * 24)
    finally:
        running.stop()
