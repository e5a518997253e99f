"""The outer half of the Azure Functions host: it indexes an app with Microsoft's Python worker library and calls its
functions for HTTP requests, queue messages and timers. `python -m local.host --help` starts it."""
