"""The exact solver: from a request to the nearest design, to alternatives, and from an architecture to its request."""

from slimlm.solver.solver import BudgetError, Suggestion, compute_model_dims, solve

__all__ = ["BudgetError", "Suggestion", "compute_model_dims", "solve"]
