"""How a Snakemake run gets on: what is done, what runs, how long is left.  Standard library only: every run imports it."""
