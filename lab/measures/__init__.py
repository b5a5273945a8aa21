"""What instruments read: plain functions on tensors and modules, usable as a library with no window."""
