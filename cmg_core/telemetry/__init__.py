"""OpenTelemetry behind the ``Telemetry`` port: the one place that imports it, and only where telemetry is set up.

docs/telemetry.md says what is exported; docs/decisions/0008-telemetry.md says why so.
"""
