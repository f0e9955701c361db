"""Counts of single layers, by hand."""

from transpose.forecast.layers import Map, Work, deconvolution, encoder_layer, normalised_convolution


def test_a_rectified_convolution_keeps_what_its_norm_received_and_what_the_next_layer_receives() -> None:
    result, work = normalised_convolution(Map(3, 8, 6), channels=5, kernel=3, stride=2)
    assert result == Map(5, 4, 3)
    # weights 5x3x3x3, two numbers of batch norm a channel; 12 places; 60 numbers twice
    assert work == Work(parameters=135 + 10, macs=135 * 12, activations=120)


def test_before_a_sum_only_the_input_of_the_norm_is_kept() -> None:
    assert normalised_convolution(Map(4, 2, 2), 4, 1, rectified=False)[1].activations == 16


def test_an_odd_side_is_halved_upwards() -> None:
    assert Map(1, 5, 7).strided(2, 2) == Map(2, 3, 4)


def test_a_deconvolution_works_on_its_input_grid() -> None:
    result, work = deconvolution(Map(3, 2, 2), channels=5, input_is_kept=False)
    assert result == Map(5, 4, 4)
    assert work == Work(parameters=240 + 10, macs=240 * 4, activations=2 * 80 + 12)
    assert deconvolution(Map(3, 2, 2), 5, input_is_kept=True)[1].activations == 160


def test_an_encoder_layer_of_four_tokens() -> None:
    # dim 2, one head, hidden width 3. Parameters: 4 projections 2x2 with bias, 2x3 and 3x2 with bias, two norms.
    work = encoder_layer(tokens=4, dim=2, heads=1, feedforward=3, positions=True, dropout=False)
    assert work == Work(
        parameters=(16 + 8) + (6 + 3) + (6 + 2) + 8,
        # a token: 16 + 12; and two products with the 4x4 weights
        macs=4 * 28 + 2 * 16 * 2,
        # with position, without, queries, keys, values, attended, two sums, one normed: 9x8; hidden 4x3
        activations=9 * 8 + 12,
        # mean and deviation of two norms, one logarithm of a sum a head
        statistics=4 * 5,
        attention=16,
    )


def test_dropout_adds_masks_and_the_dropped_hidden_numbers() -> None:
    plain, dropped = (encoder_layer(4, 2, 1, 3, positions=False, dropout=dropout) for dropout in (False, True))
    assert plain.activations == 8 * 8 + 12
    assert dropped.activations - plain.activations == 12
    assert (plain.masks, dropped.masks) == (0, 2 * 8 + 12)
