"""HL7 version 2 without input or output: messages into values, values into acknowledgements."""
