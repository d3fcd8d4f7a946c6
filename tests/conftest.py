"""What all tests share: no model hub, quiet libraries, no deadline on a busy machine."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("LANCE_LOG", "error")
os.environ.setdefault("RUST_LOG", "error")

from hypothesis import settings

settings.register_profile("noria", deadline=None)
settings.load_profile("noria")
