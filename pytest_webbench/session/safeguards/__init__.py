"""Protection against signals, other runs, other plugins and full disks."""
