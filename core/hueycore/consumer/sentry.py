"""sentry-sdk's own integration for Huey, where the application is one of hueycore."""

from __future__ import annotations

import logging
import sys

logger = logging.getLogger("hueycore.consumer")


def warn_of_the_other() -> None:
    """Say so when sentry-sdk's ``HueyIntegration`` is active: it patches the package huey, and
    would report nothing of what runs here. Nothing is imported for it."""
    sdk = sys.modules.get("sentry_sdk")
    other = sys.modules.get("sentry_sdk.integrations.huey")
    if sdk is None or other is None:
        return
    if type(sdk.get_client().get_integration("huey")) is other.HueyIntegration:
        logger.warning(
            "sentry_sdk.integrations.huey.HueyIntegration reports nothing of hueycore: give "
            "sentry_sdk.init() that of hueycore.contrib.sentry"
        )
