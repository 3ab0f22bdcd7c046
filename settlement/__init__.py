"""Settlement: what is done with closed windows. Reports are built, signed and verified here; nothing here moves points."""
