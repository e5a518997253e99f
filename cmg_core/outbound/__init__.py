"""How HTTP to Azure and to storage leaves the process: what both kinds of clients share."""
