"""What stands behind dev.py inside its environment: a local Azure, the host alone, and the checks."""
