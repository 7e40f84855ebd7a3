"""``hueyctl purge`` and what it alone uses."""
