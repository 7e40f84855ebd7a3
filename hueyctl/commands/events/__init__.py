"""``hueyctl events`` and what it alone uses."""
