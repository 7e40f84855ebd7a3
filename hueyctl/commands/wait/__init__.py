"""``hueyctl wait`` and what it alone uses."""
