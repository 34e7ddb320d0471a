"""Comparison of pinned models."""
