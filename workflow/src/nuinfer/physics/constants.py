"""Physical constants in natural units (GeV), from the Review of Particle Physics, PRD 110 (2024) 030001."""

G_FERMI_GEV2 = 1.1663788e-5
"""Fermi constant, 1 / GeV^2."""

COS2_CABIBBO = 0.97435**2
"""|V_ud|^2, V_ud from the global fit of the CKM matrix."""

GEV2_TO_1E38_CM2 = 3.893793721e10
"""(hbar c)^2: 1 / GeV^2 in units of 1e-38 cm^2."""

HBARC_GEV_FM = 0.1973269804
"""hbar c in GeV fm."""

# Masses and widths carry their unit, GeV, in their names.
ATOMIC_MASS_UNIT_GEV = 0.93149410242
ELECTRON_MASS_GEV = 0.51099895e-3
W_MASS_GEV = 80.377
MUON_MASS_GEV = 0.1056583755
PION_MASS_GEV = 0.13957039
NUCLEON_MASS_GEV = 0.5 * (0.93827208816 + 0.93956542052)
"""Mean of proton and neutron: isospin symmetry is kept throughout."""

DELTA_MASS_GEV = 1.232
DELTA_WIDTH_GEV = 0.117
"""Breit-Wigner width (and mass above), not the pole position."""

AXIAL_COUPLING = 1.2754
"""g_A = F_A(0), taken positive; NuWro and GENIE keep the older 1.267."""

PROTON_MAGNETIC_MOMENT = 2.7928473446
NEUTRON_MAGNETIC_MOMENT = -1.91304276
"""Magnetic moments in nuclear magnetons."""
