"""``hueyctl demo`` and what it alone uses."""
