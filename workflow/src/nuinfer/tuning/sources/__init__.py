"""Where throws come from: tables, NUISANCE's files and event samples, all in one form before they are checked."""
