"""Films and other containers through ffmpeg: tracks, timecode, a sound put into a film."""
