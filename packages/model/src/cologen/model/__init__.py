"""CoLoGen's model: Progressive Representation Weaving (PRW) on FLUX. It reads no manifests and knows no cluster."""
