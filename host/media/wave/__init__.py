"""WAV, RF64 and BW64: the chunk layer, what travels in it, headers read and written."""
