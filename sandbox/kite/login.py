"""The web login of kite.zerodha.com: undocumented, shaped as several clients found it (kite.md 1.2)."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from sandbox.kite.errors import KiteError
from sandbox.kite.session import Session
from sandbox.kite.totp import fits

CONSENT_PAGE = "<html><title>Authorise</title><script src='/static/connect.js'></script></html>"
LOGIN_PAGE = "<html><title>Kite - login</title><script src='/static/kite.js'></script></html>"


@dataclass(frozen=True, slots=True)
class Page:
    """``name`` is what faults are put on."""

    method: str
    path: str
    name: str
    serve: Callable[[web.Request], Awaitable[web.Response]]


@dataclass(slots=True)
class Login:
    """``consent_needed``: the app was never authorised. ``lock_after``: wrong tries that lock the account.

    Wrong passwords and wrong codes count together; a successful login sets the count back.
    """

    session: Session
    consent_needed: bool = False
    lock_after: int = 5
    enabled_for_app: bool = True
    failures: int = 0
    code_attempts: int = 0
    _requests: set[str] = field(default_factory=set)  # request ids waiting for their second factor
    _cookies: set[str] = field(default_factory=set)  # enctokens of browsers that are in
    _used_steps: set[int] = field(default_factory=set)
    _pending: dict[str, str] = field(default_factory=dict)  # sess_id: redirect_params

    def pages(self) -> list[Page]:
        return [
            Page("GET", "/connect/login", "login.page", self.page),
            Page("POST", "/api/login", "login.password", self.password),
            Page("POST", "/api/twofa", "login.twofa", self.twofa),
            Page("GET", "/connect/finish", "login.finish", self.finish),
            Page("GET", "/connect/authorize", "login.authorize", self.authorize),
        ]

    def unlock(self) -> None:
        self.failures = 0

    async def page(self, request: web.Request) -> web.Response:
        sess_id = request.query.get("sess_id")
        if request.query.get("api_key") != self.session.client.api_key:
            return _refusal(KiteError(400, "InputException", "Invalid `api_key`."))
        if sess_id is None:
            sess_id = secrets.token_hex(16)
            self._pending[sess_id] = request.query.get("redirect_params", "")
            answer = _redirect("/connect/login", api_key=request.query["api_key"], v="3", sess_id=sess_id)
            answer.set_cookie("kf_session", secrets.token_hex(16))
            return answer if not self._is_in(request.cookies) else self._to_finish(request, sess_id)
        if self._is_in(request.cookies):
            return self._to_finish(request, sess_id)
        return web.Response(text=LOGIN_PAGE, content_type="text/html")

    async def password(self, request: web.Request) -> web.Response:
        form, client = await request.post(), self.session.client
        try:
            self._check_lock()
            self._check_password((form.get("user_id"), form.get("password")))
        except KiteError as error:
            return _refusal(error)
        request_id = secrets.token_urlsafe(32)
        self._requests.add(request_id)
        data = {
            "user_id": client.user_id,
            "request_id": request_id,
            "twofa_type": "totp",
            "twofa_types": ["totp", "app_code"],
            "twofa_status": "active",
            "profile": {
                "user_name": client.user_name,
                "user_shortname": client.user_name.split()[0],
                "avatar_url": None,
            },
        }
        return web.json_response({"status": "success", "data": data})

    async def twofa(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        try:
            self._check_lock()
            self._check_code(form)
        except KiteError as error:
            return _refusal(error)
        self.failures = 0
        enctoken = secrets.token_urlsafe(48)
        self._cookies.add(enctoken)
        answer = web.json_response({"status": "success", "data": {"profile": {}}})
        answer.set_cookie("enctoken", enctoken)
        answer.set_cookie("kf_session", secrets.token_hex(16))
        answer.set_cookie("public_token", secrets.token_hex(16))
        answer.set_cookie("user_id", self.session.client.user_id)
        return answer

    async def finish(self, request: web.Request) -> web.Response:
        sess_id = request.query.get("sess_id", "")
        if sess_id not in self._pending or not self._is_in(request.cookies):
            return _redirect("/connect/login", api_key=self.session.client.api_key, v="3")
        if not self.enabled_for_app:
            return _refusal(KiteError(400, "UserException", "The user is not enabled for the app."))
        if self.consent_needed:
            return _redirect("/connect/authorize", api_key=self.session.client.api_key, sess_id=sess_id)
        callback = self.callback_url(self._pending.pop(sess_id))
        return web.Response(status=302, headers={"Location": callback})

    async def authorize(self, request: web.Request) -> web.Response:
        """A page of JavaScript: only a person in a browser gets past it."""
        return web.Response(text=CONSENT_PAGE, content_type="text/html")

    def callback_url(self, redirect_params: str = "") -> str:
        """Where a browser ends up after a login: what a person would paste. Makes a request token."""
        query = [
            ("type", "login"),
            ("status", "success"),
            ("request_token", self.session.new_request_token()),
            ("action", "login"),
            *parse_qsl(redirect_params),
        ]
        return f"{self.session.client.redirect_url}?{urlencode(query)}"

    def _check_lock(self) -> None:
        if self.failures >= self.lock_after:
            raise KiteError(
                403, "UserException", "Your account is locked after repeated failures. Reset it on Kite."
            )

    def _check_password(self, given: tuple[object, object]) -> None:
        if given != (self.session.client.user_id, self.session.client.password):
            self.failures += 1
            raise KiteError(403, "UserException", "Invalid username or password.")

    def _check_code(self, form: Mapping[str, str]) -> None:
        client, now = self.session.client, self.session.agenda.now
        if form.get("user_id") != client.user_id or form.get("request_id") not in self._requests:
            raise KiteError(400, "InputException", "Invalid `request_id`.")
        if form.get("twofa_type") != "totp":
            raise KiteError(400, "InputException", "Invalid `twofa_type`.")
        self.code_attempts += 1
        step = fits(client.totp_secret, form.get("twofa_value", ""), now)
        if step is None or step in self._used_steps:
            self.failures += 1
            left = max(0, self.lock_after - self.failures)
            raise KiteError(403, "TwoFAException", "Invalid TOTP", {"attempts_remaining": left})
        self._used_steps.add(step)  # a code opens once (RFC 6238 5.2)
        self._requests.discard(form["request_id"])

    def _is_in(self, cookies: Mapping[str, str]) -> bool:
        return (
            cookies.get("enctoken") in self._cookies and cookies.get("user_id") == self.session.client.user_id
        )

    def _to_finish(self, request: web.Request, sess_id: str) -> web.Response:
        self._pending.setdefault(sess_id, request.query.get("redirect_params", ""))
        return _redirect("/connect/finish", api_key=self.session.client.api_key, sess_id=sess_id)


def _redirect(path: str, **query: str) -> web.Response:
    return web.Response(status=302, headers={"Location": f"{path}?{urlencode(query)}"})


def _refusal(error: KiteError) -> web.Response:
    return web.json_response(error.payload(), status=error.status)
