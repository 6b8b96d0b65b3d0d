"""The resolved traffic of a service: routes, weights, faults, their expiry; what two of them differ in."""
