"""The code that is measured: copies of a commit, and proof that a side serves its own."""
