"""``hueyctl periodic …``: a file per command."""
