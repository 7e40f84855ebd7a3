"""``hueyctl check`` and what it alone uses."""
