"""ADM in BW64 files: scenes written, read, checked and shown (ITU-R BS.2076-2, BS.2088-1)."""
