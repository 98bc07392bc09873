"""Programs that end with us, however we end, and all that they started with them."""
