"""Load engines: send requests, time and check the responses."""
