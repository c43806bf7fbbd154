import pytest

from playground.errors import Sentence, SettingsError, StorageFull, storage_errors
from playground.settings import load


@pytest.mark.parametrize(
    ("environ", "mode"),
    [
        ({}, "personal"),
        ({"GRADIO_SERVER_NAME": "127.0.0.1"}, "personal"),
        ({"GRADIO_SERVER_NAME": "0.0.0.0"}, "shared"),  # noqa: S104
        ({"SPACE_ID": "someone/space"}, "shared"),
        ({"PLAYGROUND_MODE": "Shared"}, "shared"),
        ({"PLAYGROUND_MODE": "personal", "GRADIO_SERVER_NAME": "0.0.0.0"}, "personal"),  # noqa: S104
    ],
)
def test_mode(environ: dict, mode: str) -> None:
    assert load(environ).mode == mode


def test_a_shared_playground_takes_smaller_files() -> None:
    assert load({"PLAYGROUND_MODE": "shared"}).limits.upload_bytes < load({}).limits.upload_bytes


def test_a_wrong_mode_is_told() -> None:
    with pytest.raises(SettingsError, match="“public”"):
        load({"PLAYGROUND_MODE": "public"})


def test_a_sentence_keeps_braces_of_values() -> None:
    sentence = Sentence("The column {name} is empty.", name="{x}")
    assert sentence == "The column {x} is empty."
    assert sentence.template == "The column {name} is empty."
    assert Sentence("100 % {literal}") == "100 % {literal}"


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")],
)
def test_a_full_disk_is_known_in_every_wrapping(error: Exception) -> None:
    with pytest.raises(StorageFull), storage_errors():
        raise error


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(PermissionError), storage_errors():
        raise PermissionError(13, "Permission denied")
