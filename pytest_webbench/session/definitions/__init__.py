"""What users and plugins define: checked before anything is launched."""
