"""Sound: waveforms, what a network hears of them, collections of recordings, and streams made of these."""
