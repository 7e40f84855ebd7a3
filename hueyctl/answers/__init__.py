"""Answers to what operators ask: a storage in, plain values out. No terminal is known here."""
