"""Files that leave slimlm: pictures, cards, reports, CSV, JSON and notebooks."""
