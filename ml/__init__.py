"""Thought: plain functions over plain values. No environment, no connections, no clock."""

import logging
import os

# Trainers and downloads would tell the hub what is trained here on what; its client reads this when it is imported.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# It warns, whenever it is imported, that it has no faster kernels from the hub.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
