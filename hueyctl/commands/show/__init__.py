"""``hueyctl show`` and what it alone uses."""
