//! The interactive form: which signature fields there are, what authors forbade (ISO 32000-1 12.7, 12.8.2).
