from html.parser import HTMLParser

from idc_helpers.notebook.pictures import Tree, TreeNode

TREE = Tree(
    "Organization <1>",
    (
        TreeNode(
            "Root",
            (
                TreeNode(
                    'OU "A" <1>', (TreeNode("Dev", details=("Read ← ops", "Write ← dev")), TreeNode("Prod"))
                ),
                TreeNode("Main", details=("All ← boss",)),
            ),
            is_group=True,
        ),
    ),
    note="That is all.",
)


class Lists(HTMLParser):
    """Reads nested lists: each item's text with how deep it stands."""

    def __init__(self):
        super().__init__()
        self.depth, self.items, self.stack = 0, [], []

    def handle_starttag(self, tag, _):
        self.stack.append(tag)
        self.depth += tag == "ul"
        if tag == "li":
            self.items.append([self.depth, ""])

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag
        self.depth -= tag == "ul"

    def handle_data(self, data):
        if self.depth and self.stack[-1] in ("li", "strong"):
            self.items[-1][1] += data


def test_the_tree_as_lines():
    assert repr(TREE).splitlines() == [
        "Organization <1>",
        "Root",
        '├── OU "A" <1>',
        "│   ├── Dev",
        "│   │       Read ← ops",
        "│   │       Write ← dev",
        "│   └── Prod",
        "└── Main",
        "        All ← boss",
        "That is all.",
    ]


def test_the_tree_as_nested_lists_says_the_same_and_holds_no_markup_of_the_target():
    html = TREE._repr_html_()
    lists = Lists()
    lists.feed(html.partition("</style>")[2])
    assert [tuple(item) for item in lists.items] == [
        (1, "Root"),
        (2, 'OU "A" <1>'),
        (3, "Dev"),
        (4, "Read ← ops"),
        (4, "Write ← dev"),
        (3, "Prod"),
        (2, "Main"),
        (3, "All ← boss"),
    ]
    assert lists.stack == []
    assert "Organization &lt;1&gt;" in html
    assert "That is all." in html


def test_details_stand_before_what_is_below_and_the_edge_goes_on():
    tree = Tree("x", (TreeNode("Root", (TreeNode("Dev"),), details=("a",)),))
    assert repr(tree).splitlines()[1:] == ["Root", "│   a", "└── Dev"]
