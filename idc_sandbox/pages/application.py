"""The pages' routes, the practice console's too, and how a request becomes a visit and an answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from itertools import chain
from typing import NamedTuple

from anyio import to_thread
from starlette.applications import Starlette
from starlette.datastructures import ImmutableMultiDict
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from idc_sandbox.errors import DISK_FULL, ServiceError, is_disk_full
from idc_sandbox.loopback import Site
from idc_sandbox.packaged import PACKAGE
from idc_sandbox.pages import portal, sign_in
from idc_sandbox.pages.console.access import ASSIGN_SCREENS, PROGRESS_SCREENS
from idc_sandbox.pages.console.accounts import ACCOUNT_SCREENS
from idc_sandbox.pages.console.applications import APPLICATION_SCREENS
from idc_sandbox.pages.console.desk import ROOT, at_console, enter, leave
from idc_sandbox.pages.console.groups import GROUP_SCREENS
from idc_sandbox.pages.console.instance import INSTANCE_SCREENS
from idc_sandbox.pages.console.permission_sets import PERMISSION_SET_SCREENS
from idc_sandbox.pages.console.settings import SETTINGS_SCREENS
from idc_sandbox.pages.console.sign_in_settings import SIGN_IN_SCREENS
from idc_sandbox.pages.console.users import USER_SCREENS
from idc_sandbox.pages.visits import (
    House,
    SignInNeededError,
    TooLargeFormError,
    Visit,
    browser_of,
    is_from_elsewhere,
    problem,
    protect,
    read_cookies,
    read_form,
    redirect,
    to_sign_in,
)
from idc_sandbox.sign_in.people import Refusal

_SCREENS = (
    INSTANCE_SCREENS,
    SIGN_IN_SCREENS,
    SETTINGS_SCREENS,
    PERMISSION_SET_SCREENS,
    GROUP_SCREENS,
    USER_SCREENS,
    APPLICATION_SCREENS,
    ASSIGN_SCREENS,  # before an account's page, whose path would take theirs
    PROGRESS_SCREENS,
    ACCOUNT_SCREENS,
)


PageHandler = Callable[[Visit], Response]
Refused = Refusal | ServiceError
logger = logging.getLogger(__name__)


def _not_there(visit: Visit) -> Response:
    return problem(visit, "no-page")


class _Page(NamedTuple):
    """A path, and what answers there."""

    path: str
    # For the address of a form alone: the path of the page that shows the form.
    show: PageHandler | str
    take: PageHandler | None = None
    # The page that says what was refused; without one it is a page of its own.
    refused: Callable[[Visit, Refused], Response] | None = None
    form_targets: Callable[[Visit], str] = lambda _visit: ""


def console_pages() -> Iterator[_Page]:
    """Yield every page of the practice console; it shows itself what it refuses."""
    yield _Page(f"{ROOT}/enter", ROOT, enter)
    yield _Page(f"{ROOT}/leave", ROOT, leave)
    for screen in chain.from_iterable(_SCREENS):
        shows = at_console(screen.show, needs_instance=screen.needs_instance)
        takes = screen.take and at_console(screen.take, needs_instance=screen.needs_instance)
        yield _Page(f"{ROOT}{screen.path}", shows, takes, shows)


PAGES = (
    _Page("/", "/start"),
    _Page("/start", portal.show_portal),
    _Page("/start/sign-in", sign_in.show_sign_in),
    _Page("/start/sign-in/{step}", sign_in.return_to_sign_in, sign_in.take_step, sign_in.refuse_step),
    _Page("/start/sign-out", "/start", portal.sign_out),
    _Page(
        "/start/invitation/{token}",
        sign_in.show_invitation,
        sign_in.accept_invitation,
        sign_in.refuse_invitation,
    ),
    _Page(
        "/start/accounts/{account_id}/roles/{role_name}/access-keys",
        portal.show_access_keys,
        refused=portal.refuse_access,
    ),
    _Page("/start/console", portal.show_console, refused=portal.refuse_access),
    _Page("/start/account-access", portal.show_access_roles),
    _Page(
        "/start/account-access/keys",
        portal.show_access_role_keys,
        refused=portal.refuse_access_role,
    ),
    _Page("/start/devices", portal.show_devices),
    _Page("/start/devices/register", portal.show_registration),
    _Page(
        "/start/devices/register/{kind}", "/start/devices/register", portal.register, portal.show_registration
    ),
    _Page("/start/devices/{device_id}/{action}", "/start/devices", portal.change_device, portal.show_devices),
    _Page("/start/device", portal.show_device, refused=portal.ask_code),
    _Page("/start/device/confirm", "/start/device", portal.confirm_code, portal.ask_code),
    _Page("/start/device/answer", "/start/device", portal.take_device_answer, portal.ask_code),
    _Page("/start/mailbox", sign_in.show_mailbox),
    _Page("/start/mailbox/{message_id}", sign_in.show_message),
    _Page("/start/phone", sign_in.show_phone, sign_in.keep_key, sign_in.refuse_key),
    _Page("/start/phone/{key_id}/remove", "/start/phone", sign_in.forget_key, sign_in.refuse_key),
    _Page("/start/verify-email/{token}", sign_in.show_verification, sign_in.verify_email),
    *console_pages(),
    # Where the settings were before there was a practice console.
    _Page("/start/settings", "/start/practice-console/settings/authentication"),
    # The answer of this form goes to a program on the person's own machine, or to an application's site.
    _Page(
        "/authorize",
        portal.show_consent,
        portal.take_authorization_answer,
        portal.refuse_authorization,
        form_targets=portal.consent_targets,
    ),
    _Page(
        "/v1/authorize",
        sign_in.show_login,
        sign_in.take_login,
        sign_in.refuse_login,
        form_targets=sign_in.login_targets,
    ),
    _Page("/{path:path}", _not_there, _not_there),
)


class _Static(StaticFiles):
    """Static files that browsers ask for again: they change with the sandbox, and it is on this machine."""

    def file_response(self, *arguments: object, **options: object) -> Response:
        answer = super().file_response(*arguments, **options)  # type: ignore[arg-type]
        answer.headers["Cache-Control"] = "no-cache"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer


def make_pages_application(house: House) -> Starlette:
    """Return the pages as an ASGI application; `FrontDoor` puts the site into the scope."""
    static = str(PACKAGE / "pages/static")
    pages = [
        Route(page.path, _endpoint(page, house), methods=["GET", "POST"] if page.take else ["GET"])
        for page in PAGES
    ]
    routes = [Mount("/start/static", app=_Static(directory=static)), *pages]
    application = Starlette(routes=routes)
    application.router.redirect_slashes = False
    return application


def _endpoint(page: _Page, house: House) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Response:
        try:
            form = await read_form(request) if request.method == "POST" else ImmutableMultiDict[str, str]()
        except TooLargeFormError:
            return PlainTextResponse("This is more than any form here can hold.", 413)
        except ClientDisconnect:
            return Response(status_code=400)
        visit = _visit(request, form, house)
        return await to_thread.run_sync(answer_visit, page, visit)

    return endpoint


def _visit(request: Request, form: ImmutableMultiDict[str, str], house: House) -> Visit:
    cookies, doubtful = read_cookies(request.headers.getlist("cookie"))
    site: Site = request.scope["idc_site"]
    return Visit(
        house=house,
        site=site,
        request=request,
        form=form,
        cookies=cookies,
        browser=browser_of(cookies),
        doubtful_cookies=doubtful,
        is_from_elsewhere=is_from_elsewhere(request.headers, site),
        is_owners=request.scope.get("idc_is_owners", False),
    )


def answer_visit(page: _Page, visit: Visit) -> Response:
    """Return the answer of a page to a visit; whatever happens, it is a page with the safe headers."""
    try:
        answer = _answer(page, visit)
    except SignInNeededError:
        answer = to_sign_in(visit)
    except (Refusal, ServiceError) as refusal:
        answer = problem(visit, "refused", message=refusal.message)
    except Exception as error:
        logger.exception(
            "defect while answering %s %s", visit.request.method, page.path
        )  # a path may hold a token
        if is_disk_full(error):
            return protect(problem(visit, "disk-full", message=DISK_FULL), visit)
        answer = problem(visit, "defect")
    return protect(answer, visit, form_targets=page.form_targets(visit))


def _answer(page: _Page, visit: Visit) -> Response:
    if visit.request.method == "POST" and (visit.is_from_elsewhere or not visit.has_csrf_token()):
        return problem(visit, "form-out-of-date")
    handler = page.take if visit.request.method == "POST" else page.show
    if not callable(handler):
        return _not_there(visit) if handler is None else redirect(visit, handler)
    try:
        return handler(visit)
    except (Refusal, ServiceError) as refusal:
        if page.refused is None:
            raise
        return page.refused(visit, refusal)
