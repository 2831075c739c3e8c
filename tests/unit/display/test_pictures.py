from idc_helpers.display.frames import access_frame
from idc_helpers.display.pictures import Matrix


def test_the_matrix_reads_without_colour_and_escapes():
    matrix = Matrix(access_frame([("GROUP <ops>", "Dev & Co", "Read<b>")], ["Dev & Co"]), "Who < what")
    html = matrix._repr_html_()
    for text in ("GROUP &lt;ops&gt;", "Dev &amp; Co", "Read&lt;b&gt;", "<caption>Who &lt; what</caption>"):
        assert text in html
    assert "<b>" not in html
    assert "GROUP <ops>" in repr(matrix)
    assert "0x" not in repr(matrix)


def test_the_matrix_says_which_way_its_headers_point():
    html = Matrix(access_frame([("GROUP ops", "Dev", "Read")], ["Dev", "Prod"]), "x")._repr_html_()
    assert html.count('scope="col"') == 3
    assert html.count('scope="row"') == 1
    assert '<th scope="col">principal</th>' in html
    assert "&nbsp;" not in html


def test_the_matrix_is_the_same_each_time():
    frame = access_frame([("GROUP ops", "Dev", "Read")], ["Dev", "Prod"])
    assert Matrix(frame, "x")._repr_html_() == Matrix(frame.copy(), "x")._repr_html_()


def test_a_matrix_of_nobody_says_so():
    matrix = Matrix(access_frame([], ["Dev"]), "Who reaches what")
    assert "nobody" in repr(matrix)
    assert "Who reaches what" in matrix._repr_html_()
