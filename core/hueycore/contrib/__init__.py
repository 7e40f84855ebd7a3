"""Bridges to other libraries; each imports what it needs inside its own file."""
