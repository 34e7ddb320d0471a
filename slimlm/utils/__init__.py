"""Helpers that know no model: formatting, validation, files, text, progress and optional packages."""
