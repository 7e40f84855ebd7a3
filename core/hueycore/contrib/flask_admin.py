"""Where Huey has a panel for flask-admin."""

from functools import partial

from hueycore.absent import absent

__getattr__ = partial(
    absent, __name__, {"HueyPanel": "hueyctl.dashboard.wsgi mounts the dashboard in Flask"}
)
