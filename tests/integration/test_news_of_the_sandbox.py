"""What a picture in a notebook follows: a change in the sandbox is news, and reading there is none."""

from __future__ import annotations

from idc_aws.connection import connect
from idc_helpers.notebook.lesson_map import News


def test_a_read_is_no_news_and_a_change_is(start_in, tmp_path):
    connection = connect(state_folder=start_in("news"))
    connection.console.enable_organization_instance(region="us-east-1")
    store = {"IdentityStoreId": connection.instance.identity_store_id}
    news = News(tmp_path, connection.console)
    # Each read has an event in the trail: were that news, a picture would be drawn again for ever.
    connection.client("identitystore").list_groups(**store)
    connection.client("organizations").list_accounts()
    assert not news.arrived()
    connection.client("identitystore").create_group(**store, DisplayName="Newcomers")
    assert news.arrived()
    assert not news.arrived()
