"""Ports that run a whole migration inside one process, on an injected clock."""
