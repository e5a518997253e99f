"""Resource Manager and the resource providers behind it, one file a provider."""
