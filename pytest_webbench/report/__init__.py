"""Renderers of reports: they return strings or lines; others write them."""
