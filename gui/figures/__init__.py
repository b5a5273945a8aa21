"""The Figures place: a page composed of views of stored runs, shown at true size as it will be written."""
