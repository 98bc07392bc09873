"""Definitions by users and plugins: checked before anything is launched."""
