"""Run files: writing, reading, recovering and listing them. numpy, h5py and the standard library only."""
