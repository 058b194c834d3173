"""The algebra of networks: gates, plain layers, enclosures, certificates, integrals, normal form."""
