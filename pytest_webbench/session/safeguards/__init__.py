"""What could spoil a run, or lose it: signals, other runs, other plugins, full disks."""
