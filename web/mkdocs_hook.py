"""Puts the page that denoises in the browser into the documentation site, if it is built."""

import shutil
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parent.parent / "build" / "web"


def on_post_build(config: Any, **kwargs: Any) -> None:
    """Copies build/web into the site; MkDocs calls it."""
    if not PAGE.exists():
        print("the site has no page that denoises in the browser; `make web docs` builds both")
        return
    shutil.copytree(PAGE, Path(config["site_dir"]) / "web", dirs_exist_ok=True)
