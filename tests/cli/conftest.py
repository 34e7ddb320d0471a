"""Fixtures of all tests of the command line."""

from tests.cli.runs import symbol_run, text_run

__all__ = ["symbol_run", "text_run"]
