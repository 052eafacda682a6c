"""What runs on a Raspberry Pi at an entrance."""
