"""``hueyctl config …``: a file per command."""
