"""The values: frozen, without IO, each turning into JSON and back."""
