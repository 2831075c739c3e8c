from idc_helpers.notebook.frames import access_frame, grouped_access_frame
from idc_helpers.notebook.pictures import Matrix


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


def test_accounts_stand_below_their_organizational_units():
    accounts = [("Root", "Main"), ("Root/W", "Dev"), ("Root/W", "Prod")]
    matrix = Matrix(grouped_access_frame([("GROUP ops", "Dev", "Read")], accounts), "x")
    html = matrix._repr_html_()
    assert html.count('scope="colgroup"') == 2
    assert html.count('scope="col"') == 4, "three accounts and the corner"
    assert "organizational unit Root Root/W" in repr(matrix)


def wide():
    accounts = [(f"Root/{number // 10}", f"Account {number}") for number in range(30)]
    reaches = [
        (f"GROUP {team:02d}", name, permission_set)
        for team in range(20)
        for _, name in accounts
        for permission_set in ("Write", "Read")[: team % 3]
    ]
    return Matrix(grouped_access_frame(reaches, accounts), "Who", "That is all.")


def test_thirty_accounts_by_twenty_groups_are_letters_with_a_legend():
    matrix = wide()
    html = matrix._repr_html_()
    assert matrix.legend == "A: Read · B: Write"
    assert "A: Read · B: Write</p>" in html
    assert html.count(">A, B</td>") == 6 * 30
    assert ">Read" not in html
    assert "That is all." in html
    assert "Write" in set(matrix.frame.to_numpy()[0].tolist()), "the frame keeps the names"


def test_a_wide_matrix_does_not_change_the_style_of_a_narrow_one():
    narrow = Matrix(access_frame([("GROUP ops", "Dev", "Read")], ["Dev"]), "x")
    assert 'id="T_idc-matrix"' in narrow._repr_html_()
    assert 'id="T_idc-matrix-wide"' in wide()._repr_html_()


def test_a_wide_matrix_is_a_list_of_access_as_text():
    lines = repr(wide()).splitlines()
    assert lines[:3] == ["Who", "GROUP 01", "  Root/0 · Account 0: Write"]
    assert lines[-1] == "That is all."
    assert len(lines) == 2 + 13 * 31


def test_a_matrix_of_very_many_cells_shows_its_first_rows_and_lists_every_access():
    accounts = [(f"Root/{number // 10}", f"Account {number}") for number in range(60)]
    reaches = [(f"person {at:04d}", accounts[at % 60][1], "Read") for at in range(1000)]
    matrix = Matrix(grouped_access_frame(reaches, accounts), "Who", files=("../tables/who.csv",))
    assert matrix.is_cut
    html = matrix._repr_html_()
    assert ("person 0015" in html, "person 0016" in html) == (True, False)
    assert 'href="../tables/who.csv"' in html
    assert len(html) < 150_000
    assert "These are 16 of 1,000 rows. All of them: ../tables/who.csv" in repr(matrix)
    columns, rows = matrix.accesses()
    assert columns == ("principal", "organizational unit", "account", "permission sets")
    assert len(rows) == 1000
    assert rows[61] == ("person 0061", "Root/0", "Account 1", "Read")
    assert not wide().is_cut
