"""Settlement: what is done with closed windows: reports are built, signed and verified. Nothing here moves points."""
