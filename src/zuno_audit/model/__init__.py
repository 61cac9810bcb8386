"""The words of the field as frozen data: no behaviour beyond ordering."""
