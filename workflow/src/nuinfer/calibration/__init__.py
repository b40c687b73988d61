"""Calibration of posteriors: statements about samples and truths, which know nothing of neutrinos, files or networks.

Conventions shared by every module: ``samples`` are ``(n_obs, n_samples, d)``, ``truth`` is ``(n_obs, d)``; all checks
read the same samples, drawn once.
"""
