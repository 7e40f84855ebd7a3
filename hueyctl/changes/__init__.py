"""Changing many jobs: which, ask, do it, say what became of each."""
