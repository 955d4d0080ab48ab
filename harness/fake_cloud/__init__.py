"""The fake API of EMR and what stands around it: state, wire format and errors."""
