"""``hueyctl logs`` and what it alone uses."""
