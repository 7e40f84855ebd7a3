"""Sentry for an application on hueycore: ``sentry_sdk.init(…, integrations=[HueyIntegration()])``.

It is sentry-sdk's integration of this name, with hueycore where it says huey: errors with their
job, a transaction for each run, traces from the caller to the run, check-ins of periodic tasks.
sentry-sdk's own patches the package huey, which an application here does not use.

The runs of ``worker_type="asyncio"`` are on a loop, which nothing can be around: such a consumer
refuses it.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec
from types import ModuleType, SimpleNamespace
from typing import Any

import hueycore.api
import hueycore.exceptions
from hueycore.calendar.cron import Crontab

__all__ = ["HueyIntegration"]

_OTHER = "sentry_sdk.integrations.huey"


def _api() -> ModuleType:
    """``huey.api`` as the integration imports it. It looks into Huey's crontab functions by their
    code, which ours have not: ``_monitor_config`` answers instead."""
    api = ModuleType("huey.api")
    api.__dict__.update(vars(hueycore.api), crontab=lambda: SimpleNamespace(__code__=None))
    return api


def _load() -> ModuleType:
    """Another copy of sentry-sdk's integration, which imports hueycore as huey."""
    spec = find_spec(_OTHER)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    ours = {"huey": hueycore, "huey.api": _api(), "huey.exceptions": hueycore.exceptions}
    before = {name: sys.modules.get(name) for name in ours}
    sys.modules.update(ours)
    try:
        spec.loader.exec_module(module)
    finally:
        for name, known in before.items():
            if known is None:
                del sys.modules[name]
            else:
                sys.modules[name] = known
    module.__dict__["_get_monitor_config"] = _monitor_config
    return module


def _monitor_config(huey: hueycore.api.Huey, task: Any) -> dict[str, Any] | None:
    """The schedule of a periodic task as Sentry's monitors have it, None where they have none like
    it. Both fields of days must match here, and either in theirs."""
    wrapper = getattr(task, "wrapper", None)
    schedule = getattr(wrapper, "schedule_when", None)
    if not isinstance(schedule, Crontab) or not (schedule.tz or huey.utc):
        return None
    ranges = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
    fields = [
        _sentry._get_crontab_field(list(values), *ends)
        for values, ends in zip(schedule.fields, ranges, strict=True)
    ]
    if fields[2] != "*" and fields[4] != "*":
        return None
    line = " ".join(fields)
    return {"schedule": {"type": "crontab", "value": line}, "timezone": schedule.tz or "UTC"}


_sentry = _load()
HueyIntegration = _sentry.HueyIntegration
HueyIntegration.__module__ = __name__
