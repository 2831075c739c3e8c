"""A run that masks people: the scenario's and the target's users have stand-ins in all that it writes."""

import io
from pathlib import Path

from idc_aws.connection import connect
from idc_aws.users import list_personal_data
from idc_runner.fast.engine import open_engine
from idc_runner.run import RunRequest, run_lesson

KIT = Path(__file__).parents[2]
ZOE = {
    "UserName": "zoe.zimmer",
    "DisplayName": "Zoe Zimmer",
    "Name": {"GivenName": "Zoe", "FamilyName": "Zimmer"},
    "Emails": [{"Value": "zoe@corp.example", "Primary": True}],
    "PhoneNumbers": [{"Value": "+49 30 1234567", "Primary": True}],
    "Addresses": [{"StreetAddress": "7 Lane", "Locality": "Oldtown", "Country": "DE", "Primary": True}],
}


def test_the_targets_users_are_read_in_the_fields_of_a_scenario(connection):
    store_id = connection.instance.identity_store_id
    store = connection.client("identitystore")
    user_id = store.create_user(IdentityStoreId=store_id, **ZOE)["UserId"]
    try:
        (zoe,) = [
            user for user in list_personal_data(connection, at_most=1000) if user["user_name"] == "zoe.zimmer"
        ]
        assert list_personal_data(connection, at_most=0) == []
    finally:
        store.delete_user(IdentityStoreId=store_id, UserId=user_id)
    assert (zoe["given_name"], zoe["family_name"], zoe["email"]) == ("Zoe", "Zimmer", "zoe@corp.example")
    assert (zoe["phone_number"], zoe["address"]["street_address"]) == ("+49 30 1234567", "7 Lane")


def test_without_an_instance_nobody_is_there(empty_folder):
    assert list_personal_data(connect(state_folder=empty_folder), at_most=10) == []


def test_the_scenarios_people_are_in_nothing_that_a_masked_run_writes(sandbox_folder, monkeypatch, tmp_path):
    monkeypatch.setenv("IDC_SANDBOX_STATE", str(sandbox_folder))
    log = io.StringIO()
    request = RunRequest(KIT, only=("08",), mode="plan", runs=tmp_path, mask_personal_data=True)
    with open_engine() as engine:
        outcome = run_lesson(request, log, engine)
    assert outcome.summary.passed, log.getvalue()
    files = [path for path in outcome.folder.rglob("*") if path.is_file()]
    texts = {path.name: path.read_text("utf-8") for path in files} | {"terminal": log.getvalue()}
    assert "person-1" in texts["08_users.ipynb"]
    for value in ("mary.major", "Mary Major", "Richard", "+1 206 555 0100", "123 Any Street"):
        assert [name for name, text in texts.items() if value in text] == []
