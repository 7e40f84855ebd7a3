"""Figures about queues, and the ways to show them: tables, a live view, check, Prometheus."""
