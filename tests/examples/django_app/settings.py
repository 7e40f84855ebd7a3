"""A shop: orders in a database, invoices in the background."""

import os
from pathlib import Path

BASE_DIR = Path(os.environ.get("SHOP_DATA", Path(__file__).parent))

SECRET_KEY = "of no use here"
DEBUG = False
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["hueycore.contrib.djhuey", "shop"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "shop.sqlite3",
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
    }
}

HUEY = {"consumer": {"workers": 2}}
