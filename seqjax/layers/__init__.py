"""The engine: recurrent layers and the layers around them."""
