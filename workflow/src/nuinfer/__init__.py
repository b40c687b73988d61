"""From neutrino simulations to posteriors and oscillation parameters."""
