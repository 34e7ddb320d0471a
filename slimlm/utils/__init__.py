"""Helpers that do not depend on models: formatting, validation, files, text, progress, optional packages."""
