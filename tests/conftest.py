"""Hypothesis profiles (``HYPOTHESIS_PROFILE=nightly`` looks longer), and signals unmuted."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

_SHARED = {"deadline": None, "print_blob": True, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", max_examples=60, **_SHARED)
settings.register_profile("nightly", max_examples=2000, **_SHARED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# Whoever starts the suite in the background of a shell has it ignore SIGINT, and the processes that
# the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
