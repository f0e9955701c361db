"""What tables call the ways in which cells are taken away."""

DEPTH_WORDS = {
    "last_layer": "as keys of the last layer",
    "all_layers": "as keys of all layers",
    "picture": "in the picture",
}
