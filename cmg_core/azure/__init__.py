"""The only place that knows Azure's management, identity and vault libraries, DNS queries and TLS sessions."""
