"""``hueyctl run`` and what it alone uses."""
