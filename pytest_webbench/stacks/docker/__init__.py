"""Containers: the engine, images, labels."""
