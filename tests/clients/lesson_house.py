"""A sandbox on which the administrator's half of the lesson is done, and the people of its scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import forked_sandboxes
from patience import PATIENCE_S

from idc_helpers.runbook.lesson import target_steps
from idc_helpers.runbook.run import open_run
from idc_helpers.runbook.steps import Step
from idc_sandbox import launcher
from idc_sandbox.loopback import ask, page_links
from idc_sandbox.persona import Persona
from idc_sandbox.state_folder import StateFolder


class LessonHouse:
    """The lesson's state after its notebook 08, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = StateFolder(folder / "state")
        self.running = forked_sandboxes.start(self.folder)
        self.run = open_run("08_users", run_folder=str(folder / "run"), target="sandbox")
        for name in target_steps():
            Step(self.run, name).apply()

    @property
    def links(self) -> dict[str, str]:
        """The pages' addresses; the owner's links work once."""
        links = page_links(self.running)
        assert links is not None
        return links

    def stop(self) -> None:
        launcher.stop(self.folder)

    def control(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        secret = self.running.control_secret
        answer = ask(
            self.running.port,
            method,
            f"/_sandbox/{path}",
            control_secret=secret,
            body=body,
            timeout_s=PATIENCE_S,
        )
        assert answer is not None
        return answer

    def user_id(self, user_name: str) -> str:
        instance = self.run.connection.instance
        users = self.run.connection.client("identitystore").list_users(
            IdentityStoreId=instance.identity_store_id
        )
        return next(user["UserId"] for user in users["Users"] if user["UserName"] == user_name)

    def person(self, user_name: str) -> Persona:
        return Persona(self.links["site_url"], user_name)

    def invite(self, user_name: str) -> dict[str, Any]:
        return self.control("POST", f"console/users/{self.user_id(user_name)}/invite", {})

    def active_person(self, user_name: str) -> Persona:
        """Return somebody who has accepted the invitation and is signed in."""
        persona = self.person(user_name)
        self.invite(user_name)
        message = persona.read_mail(self.links["mailbox_url"], subject="invitation")
        persona.accept_invitation(message["link"])
        persona.sign_in()
        return persona
