"""Where Huey has an app that records statistics and shows them in the admin. Among the apps it
loads, and warns: the admin has the queue with ``hueycore.contrib.djhuey`` alone."""

from hueycore.absent import EVENTS
from hueycore.system.caller import warn_caller

warn_caller(
    f"hueycore.contrib.djhuey.stats and HUEY_STATS have no effect: {EVENTS}, and the admin shows "
    "the queue with the extra dashboard"
)
