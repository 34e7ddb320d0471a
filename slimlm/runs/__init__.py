"""Training runs as data: recipes, plans, and the records in a run's folder; read without PyTorch."""
