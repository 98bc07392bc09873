"""Renderers: they return strings or lines; others write them."""
