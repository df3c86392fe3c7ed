"""Files in and out: read exactly, written beside their final name and renamed when whole."""
