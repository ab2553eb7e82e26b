"""CoLoGen's model: Progressive Representation Weaving (PRW) on FLUX. It knows no files and no cluster."""
