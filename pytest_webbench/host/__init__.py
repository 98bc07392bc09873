"""This machine: its processes, connections and files, and the meters of a server's usage."""
