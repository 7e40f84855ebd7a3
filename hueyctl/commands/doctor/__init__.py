"""``hueyctl doctor`` and what it alone uses."""
