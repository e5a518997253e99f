"""Deploys and migrates Configuration Manager cloud management gateways onto a virtual machine scale set."""

__version__ = "0.1.0"
