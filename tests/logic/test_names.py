from tests.builders import make_record
def test_x(): assert make_record(1)
