"""Where Huey has an app that records statistics. In ``INSTALLED_APPS`` it loads, and warns."""

from hueycore.absent import EVENTS
from hueycore.system.caller import warn_caller

warn_caller(f"hueycore.contrib.djhuey.stats and HUEY_STATS have no effect: {EVENTS}")
