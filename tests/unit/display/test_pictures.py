from idc_helpers.display.frames import access_frame
from idc_helpers.display.pictures import Matrix, Tree, TreeNode

TREE = Tree(
    "Organization",
    TreeNode("Root", (TreeNode('OU "A" <1>', (TreeNode("Dev"), TreeNode("Prod"))), TreeNode("Main"))),
)


def test_the_tree_as_lines():
    assert repr(TREE).splitlines() == [
        "Organization",
        "Root",
        '├── OU "A" <1>',
        "│   ├── Dev",
        "│   └── Prod",
        "└── Main",
    ]


def test_the_tree_as_mermaid_has_a_node_for_each_and_no_markup_from_the_target():
    lines = TREE.mermaid().splitlines()
    assert lines[:2] == ["flowchart TD", "  accTitle: Organization"]
    assert '  n1["OU #quot;A#quot; #lt;1#gt;"]' in lines
    assert [line.strip() for line in lines if "-->" in line] == [
        "n0 --> n1",
        "n0 --> n4",
        "n1 --> n2",
        "n1 --> n3",
    ]


def test_the_tree_offers_a_picture_and_its_text():
    assert set(TREE._repr_mimebundle_()) == {"text/vnd.mermaid", "text/plain"}


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
