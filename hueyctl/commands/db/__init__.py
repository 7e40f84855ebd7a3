"""``hueyctl db …``: a file per command."""
