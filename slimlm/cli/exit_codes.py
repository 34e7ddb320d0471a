"""Exit codes of commands that a signal has ended, as shells report them."""

INTERRUPTED = 130
"""After Ctrl-C."""

TERMINATED = 143
"""After SIGTERM."""
