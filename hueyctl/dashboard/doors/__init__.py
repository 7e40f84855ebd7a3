"""How requests come in: one file for each kind of server."""
