"""``hueyctl status`` and what it alone uses."""
