"""From files to passages that can be searched."""
