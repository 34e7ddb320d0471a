"""Requests and designs as text: links, command-line flags, JSON, code and presets."""
