"""``hueyctl help`` and what it alone uses."""
