"""From a plan to measurements, and what is kept of them."""
