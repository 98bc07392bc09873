"""Containers: the container engine, images, labels."""
