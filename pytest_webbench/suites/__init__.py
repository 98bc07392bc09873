"""What is asked: contracts, datasets and scenarios."""
