"""Start the playground: `python app.py`. A Hugging Face Space runs this file."""

import logging
import os
import sys

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # nothing is sent anywhere; must be set before gradio is imported
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait must not spin: app and worker share the cores

from playground.errors import PlaygroundError
from playground.services import Services
from playground.settings import load


def main() -> int:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        services = Services.make(load())
        services.open()
    except PlaygroundError as error:
        print(error, file=sys.stderr)
        return 1
    from playground.ui.app import build_app, launch

    try:
        launch(build_app(services), services, open_browser=services.settings.mode == "personal")
    finally:
        services.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
