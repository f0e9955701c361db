from transpose.config.study import EvalProtocol
from transpose.reporting.labels import protocol_words


def test_what_is_not_official_is_named():
    changed = EvalProtocol(flip_test=False, decoder="quarter", nms_threshold=None, score="box")
    words = "protocol with flip_test off, decoder quarter, nms_threshold off, score box"
    assert protocol_words(changed) == words
    assert protocol_words(EvalProtocol(batch_size=1)) == "official protocol"
