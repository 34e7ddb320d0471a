"""Seeded damage of whole folders, and judges of what slimlm says about them."""
