"""The sliders and the allocation chart as a widget for notebooks."""
