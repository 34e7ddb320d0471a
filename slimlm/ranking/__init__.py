"""Ranking: statistics of a study's outcomes, its controls, its verdict in sentences, and evidence for designs."""
